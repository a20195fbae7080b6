"""Tables of figures that pages share."""

from __future__ import annotations

from collections.abc import Mapping

from oddcall.training.figures import RATES, Result, written
from oddcall.training.report.page import table


def share(found: float | None) -> str:
    """Write what was found; a dash where so few cannot tell it."""
    return "-" if found is None else f"{found:.3f}"


def detectors(results: Mapping[str, Result]) -> str:
    """Lay out what each detector did."""
    rows = []
    for name, result in results.items():
        between = result.intervals.get("auc")
        rows.append(
            (
                name,
                f"{result.auc:.3f}",
                f"{between.low:.3f} to {between.high:.3f}" if between else "-",
                f"{result.ap:.3f}",
                *(share(result.detected.get(rate)) for rate in RATES),
                written(result.fpr),
                written(result.found),
            )
        )
    head = ("detector", "AUC", "range", "AP", "found at 1 %", "at 5 %", "at 10 %")
    return table((*head, "false, own threshold", "found"), rows)
