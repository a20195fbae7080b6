"""The part of a page that shows how well scores tell attacks from what is clean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from oddcall.training.figures import Result
from oddcall.training.report import curves
from oddcall.training.report.page import figure, heading, legend, remark, side_by_side
from oddcall.training.report.tables import detectors


def separation(results: Mapping[str, Result], *, unit: str, title: str, lead: str) -> Iterator[str]:
    """Give a heading, both curves, and the table of detectors; nothing where there is no result.

    Parameters
    ----------
    results : mapping of Result
        By detector; the first is drawn in front, and those past ``curves.MOST_LINES`` are in
        the table only, which is then said.
    unit : str
        What is judged, in the plural: ``"windows"``.
    title, lead : str
        Of the heading, and the sentences below it.
    """
    if not results:
        return
    yield heading(title, lead)
    names = list(results)
    yield legend(names[: curves.MOST_LINES])
    yield side_by_side(
        (
            figure(curves.roc(results, unit=unit), "Found against reported"),
            figure(curves.precision_recall(results, unit=unit), "Precision against recall"),
        )
    )
    if left_out := names[curves.MOST_LINES :]:
        yield remark(f"Not drawn, in the table only: {', '.join(left_out)}.")
    yield detectors(results)
