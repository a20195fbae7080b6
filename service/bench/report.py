"""The rows as tables for people and as an object for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from oddcall.service.bench.contender import FLOOR, Contender
from oddcall.service.bench.rounds import MEASURES, Results
from oddcall.service.bench.starting import Start

#: Figures besides that of one thread, and their column's heading.
_COLUMNS = {"ns_2_threads": "2 threads", "ns_64_threads": "64", "ns_fork": "a fork"}
_WIDTH = 10
_WIDE = 24


@dataclass(frozen=True, slots=True)
class Found:
    """All that was measured.

    Attributes
    ----------
    calls : Results
        Of single calls.
    work : Results, optional
        Of real work.
    absent : dict of str to str
        Work that could not be done, and why.
    starts : dict of str to list of Start
        Of each loader.
    """

    calls: Results
    work: Results | None = None
    absent: Mapping[str, str] = field(default_factory=dict)
    starts: Mapping[str, Sequence[Start]] = field(default_factory=dict)


def as_dict(found: Found, contenders: Sequence[Contender]) -> dict[str, object]:
    """Give the medians of the rounds.

    Keys: ``floor_ns``, what the empty hook adds to a call; ``rows`` of ``name``, ``added_ns``,
    ``ratio_to_floor``, ``added_ns_range`` (least and most of the rounds), ``added_ns_...`` of the
    other figures where they were taken, and ``slowdown_percent`` of real work by its name;
    ``absent`` rows by name, with the reason; ``absent_work`` likewise; ``bare_ns``, a call with
    nothing attached; ``rounds``; ``loaders``, what each takes to start; and ``others``, programs
    that somebody else had attached meanwhile.
    """
    results = found.calls
    rows = [_row(found, c.name) for c in contenders if c.name in results.added]
    return {
        "floor_ns": _median(results.column(FLOOR, "ns")),
        "rows": rows,
        "absent": results.absent,
        "absent_work": dict(found.absent),
        "bare_ns": _bare(results),
        "rounds": len(results.added[FLOOR]),
        "loaders": {name: _start(starts) for name, starts in found.starts.items() if all(starts)},
        "others": sorted(results.others),
    }


def _row(found: Found, name: str) -> dict[str, object]:
    results = found.calls
    added = results.column(name, "ns")
    row: dict[str, object] = {
        "name": name,
        "added_ns": _median(added),
        "ratio_to_floor": round(float(np.median(results.ratios(name))), 3),
        "added_ns_range": [round(float(added.min()), 1), round(float(added.max()), 1)],
    }
    for figure in list(MEASURES)[1:]:
        column = results.column(name, figure)
        if len(column):
            row[f"added_{figure}"] = _median(column)
    if found.work and name in found.work.added:
        row["slowdown_percent"] = {
            work: round(float(np.median(found.work.slowdowns(name, work))), 2)
            for work in _works(found.work)
        }
    return row


def _works(results: Results) -> list[str]:
    return list(results.added[FLOOR][0])


def _start(starts: Sequence[Start]) -> Start:
    return {name: round(float(np.median([s[name] for s in starts])), 2) for name in starts[0]}


def _median(values: NDArray[np.float64]) -> float:
    return round(float(np.median(values)), 1)


def _bare(results: Results) -> float:
    return _median(np.array([figures["ns"] for rows in results.bare.values() for figures in rows]))


def render(found: Found, contenders: Sequence[Contender]) -> Iterator[str]:
    """Write the tables, a line a row; figures are medians, in nanoseconds unless said."""
    results = found.calls
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
    yield "Threads: processor time a call. A fork: until its idle child is gone."
    if found.work:
        yield from _work(found.work, found.absent, labels, width)
    if found.starts:
        yield from _loaders(found.starts)
    others = results.others | (found.work.others if found.work else set())
    if others:
        yield ""
        yield f"Doubtful: somebody else had attached {', '.join(sorted(others))}."


def _cells(results: Results, name: str) -> Iterator[str]:
    added = results.column(name, "ns")
    yield _ns(float(np.median(added)))
    yield f"{np.median(results.ratios(name)):,.2f}"
    for figure in _COLUMNS:
        found = results.column(name, figure)
        yield _ns(float(np.median(found))) if len(found) else "-"


def _ns(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 100 else f"{value:,.0f}"


def _work(
    results: Results, absent: Mapping[str, str], labels: Mapping[str, str], width: int
) -> Iterator[str]:
    works = _works(results)
    yield ""
    yield "Real work takes longer by, percent (middle half of the rounds):"
    yield ""
    yield " " * width + "".join(f"{work:>{_WIDE}}" for work in works)
    for name, label in labels.items():
        if name in results.added:
            cells = [_percent(results.slowdowns(name, work)) for work in works]
            yield f"{label:<{width}}" + "".join(f"{cell:>{_WIDE}}" for cell in cells)
    for work, reason in absent.items():
        yield f"{work}: left out, {reason}"
    yield ""
    yield "Processor time of compiler and server; for perf and strace by the clock."


def _percent(values: NDArray[np.float64]) -> str:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    if middle >= 100:
        return f"{middle:+,.0f}"
    return f"{middle:+.1f} ({low:+.1f} to {high:+.1f})"


def _loaders(starts: Mapping[str, Sequence[Start]]) -> Iterator[str]:
    yield ""
    yield "Until it counts, and resident memory, with its compiler's where it has one:"
    yield ""
    for name, taken in starts.items():
        if not all(taken):
            yield f"{name:<6}cannot be used here"
            continue
        start = _start(taken)
        yield (
            f"{name:<6}{start['seconds']:5.2f} s{start['peak_mb']:7.0f} MB at most, "
            f"{start['mb']:.0f} MB then"
        )
