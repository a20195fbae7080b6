"""The rows as a table for people and as an object for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from oddcall.service.bench.contender import FLOOR, Contender
from oddcall.service.bench.rounds import MEASURES, Results

#: Figures besides that of one thread, and their column's heading.
_COLUMNS = {"ns_2_threads": "2 threads", "ns_64_threads": "64", "ns_fork": "a fork"}
_WIDTH = 10


def as_dict(results: Results, contenders: Sequence[Contender]) -> dict[str, object]:
    """Give the medians of the rounds.

    Keys: ``floor_ns``, what the empty hook adds to a call; ``rows`` of ``name``, ``added_ns``,
    ``ratio_to_floor``, ``added_ns_range`` (least and most of the rounds), and ``added_ns_...``
    of the other figures where they were taken; ``absent`` rows by name, with the reason;
    ``bare_ns``, a call with nothing attached; ``rounds``; and ``others``, programs that somebody
    else had attached meanwhile.
    """
    rows = [_row(results, c) for c in contenders if c.name in results.added]
    return {
        "floor_ns": _median(results.column(FLOOR, "ns")),
        "rows": rows,
        "absent": results.absent,
        "bare_ns": _bare(results),
        "rounds": len(results.added[FLOOR]),
        "others": sorted(results.others),
    }


def _row(results: Results, contender: Contender) -> dict[str, object]:
    name = contender.name
    added = results.column(name, "ns")
    row: dict[str, object] = {
        "name": name,
        "added_ns": _median(added),
        "ratio_to_floor": round(float(np.median(results.ratios(name))), 3),
        "added_ns_range": [round(float(added.min()), 1), round(float(added.max()), 1)],
    }
    for figure in list(MEASURES)[1:]:
        found = results.column(name, figure)
        if len(found):
            row[f"added_{figure}"] = _median(found)
    return row


def _median(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return round(float(np.median(values)), 1)


def _bare(results: Results) -> float:
    return _median(np.array([figures["ns"] for figures in results.bare]))


def render(results: Results, contenders: Sequence[Contender]) -> Iterator[str]:
    """Write the table, a line a row; figures are medians, in nanoseconds unless said."""
    labels = {c.name: c.label for c in contenders}
    width = max(map(len, labels.values()))
    yield f"A call of getppid takes {_bare(results):.0f} ns with nothing attached. Added to it, ns:"
    yield ""
    headings = ["one thread", "of floor", *_COLUMNS.values()]
    yield " " * width + "".join(f"{heading:>{_WIDTH}}" for heading in headings)
    for name, label in labels.items():
        if name in results.added:
            yield f"{label:<{width}}" + "".join(f"{c:>{_WIDTH}}" for c in _cells(results, name))
    for name, reason in results.absent.items():
        yield f"{labels[name]:<{width}}  absent: {reason}"
    yield ""
    if results.others:
        yield f"Doubtful: somebody else had attached {', '.join(sorted(results.others))}."
    yield "Threads: processor time a call. A fork: until the child, which does nothing, is gone."


def _cells(results: Results, name: str) -> Iterator[str]:
    added = results.column(name, "ns")
    yield _ns(float(np.median(added)))
    yield f"{np.median(results.ratios(name)):,.2f}"
    for figure in _COLUMNS:
        found = results.column(name, figure)
        yield _ns(float(np.median(found))) if len(found) else "-"


def _ns(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 100 else f"{value:,.0f}"
