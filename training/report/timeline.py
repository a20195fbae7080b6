"""Scores over time, one strip a program of a host, with the attacks shaded that were done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from oddcall.models.naming import told_apart
from oddcall.training.ground_truth import CLEAN
from oddcall.training.judged import Judged, unlikely
from oddcall.training.labels import Label
from oddcall.training.report.drawing import Plot

#: Columns of a strip: of the clean windows that share one the least likely is drawn.
_COLUMNS = 420
_WIDTH, _HEIGHT = 940.0, 104.0
#: Decades above the threshold that are drawn; what is beyond is drawn at the edge.
_ABOVE = 5.0
#: Strips of programs that were not attacked.
_BESIDE = 2
#: Lengths between two ticks, seconds.
_STEPS = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 604800)


class Strip(NamedTuple):
    """One program of one host over time.

    Attributes
    ----------
    name : str
        As it is told from the other programs, with its host where there are several.
    about : str
        Its path, and what of it was not judged.
    svg : str
        The plot; empty where no window of it was held against a baseline.
    """

    name: str
    about: str
    svg: str


def strips(
    judged: Judged,
    labels: Sequence[Label],
    hosts: Mapping[str, str] | None = None,
    *,
    most: int = 6,
) -> list[Strip]:
    """Draw a strip for each of the programs that were attacked, and two more, at most so many.

    The two are those with the most false alerts, or else with the most windows, and are drawn
    however many were attacked: what alerted falsely is to be seen. A program has a strip for each
    of its hosts.

    Parameters
    ----------
    hosts : mapping of str to str, optional
        Name of every host, by its id; a strip says it where there are several.

    """
    names, of_source = np.unique(np.array(judged.hosts, np.str_), return_inverse=True)
    host, programs = of_source.ravel()[judged.source], len(judged.programs)
    strip = host * programs + judged.program
    attacked, false, windows = (
        np.bincount(strip[rows], minlength=len(names) * programs)
        for rows in (judged.done, judged.alert & (judged.attack == CLEAN), slice(None))
    )
    order = sorted(np.flatnonzero(windows), key=lambda i: (-int(false[i]), -int(windows[i])))
    rest = [i for i in order if not attacked[i]][:_BESIDE]
    shown = [i for i in order if attacked[i]][: most - len(rest)] + rest
    several = len(np.unique(host)) > 1
    called = told_apart(judged.programs)
    found = []
    for i in shown:
        of, program = divmod(i, programs)
        exe = judged.programs[program].exe
        name = called[judged.programs[program]] if exe else "programs that are not told apart"
        id_ = str(names[of])
        if several:
            name += f" on {(hosts or {}).get(id_, id_)}"
        rows, mine = strip == i, host == of
        span = judged.start_ns[mine].min() / 1e9, judged.end_ns[mine].max() / 1e9
        about = ". ".join(filter(None, (exe, _not_judged(judged, rows))))
        known = judged.known[rows].any()
        svg = _strip(judged, rows, name, labels, span) if known else ""
        found.append(Strip(name, about, svg))
    return found


def _not_judged(judged: Judged, rows: NDArray[np.bool_]) -> str:
    """Say which of a strip's windows were not judged, and why; empty where all were."""
    lacking = (
        (rows & ~judged.known, "it was not met in what was learned from, or too seldom"),
        (
            rows & judged.known & ~judged.ready,
            "neither a settled baseline nor enough programs like it vouch, so it may not alert",
        ),
    )
    said = []
    for which, why in lacking:
        if count := int(which.sum()):
            some = "" if count == rows.sum() else f" {count:,} of {int(rows.sum()):,} windows"
            said.append(f"Not judged{some}: {why}.")
    return " ".join(said)


def _strip(
    judged: Judged,
    rows: NDArray[np.bool_],
    name: str,
    labels: Sequence[Label],
    span: tuple[float, float],
) -> str:
    begin, end = span
    level = float(unlikely(np.array([np.median(judged.threshold)]))[0])
    top = level + _ABOVE
    plot = Plot(
        f"Scores of {name} over time",
        (begin, max(end, begin + 1)),
        (0.0, top),
        y_label="p (log)",
        width=_WIDTH,
        height=_HEIGHT,
    )
    mine = np.unique(judged.attack[rows & (judged.attack >= 0)])
    for i in mine.tolist():
        label = labels[i]
        title = f"{label.name}, failed" if label.failure else label.name
        style = "undone" if label.failure else "shade"
        plot.shade(label.start_ns / 1e9, label.end_ns / 1e9, title, style)
    time, score = judged.end_ns / 1e9, judged.score
    plot.stems(*_highest(time[rows & (judged.attack < 0)], score[rows & (judged.attack < 0)],
                         begin, end), "stem")  # fmt: skip
    plot.across(level, "level")
    kinds = {
        "clean": judged.attack < 0,
        "failed": (judged.attack >= 0) & ~judged.done,
        "attack": judged.done,
    }
    for kind, which in kinds.items():
        alerting = rows & which & judged.alert
        plot.dots(time[alerting], score[alerting], f"dot {kind}", 3.2)
        quiet = rows & which & ~judged.alert & (score > 0)
        if kind != "clean":
            plot.dots(time[quiet], score[quiet], f"ring {kind}", 2.4)
    heights = [(0.0, "1"), (level, f"{10**-level:.0e}")]
    return plot.svg(_times(begin, end), heights)


def _highest(
    time: NDArray[np.float64], score: NDArray[np.float64], begin: float, end: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the highest score of each column of the strip that has a window."""
    column = ((time - begin) / max(end - begin, 1e-9) * (_COLUMNS - 1)).astype(np.int64)
    highest = np.zeros(_COLUMNS)
    np.maximum.at(highest, column, score)
    some = np.flatnonzero(highest > 0)
    return begin + (some + 0.5) / _COLUMNS * (end - begin), highest[some]


def _times(begin: float, end: float) -> list[tuple[float, str]]:
    step = next((s for s in _STEPS if (end - begin) / s <= 9), _STEPS[-1])
    first = int(np.ceil(begin / step))
    form = "%d %b" if step >= 86400 else "%d %b %H:%M" if end - begin > 86400 else "%H:%M:%S"
    form = "%H:%M" if form == "%H:%M:%S" and step >= 60 else form
    return [
        (k * step, datetime.fromtimestamp(k * step, UTC).strftime(form))
        for k in range(first, int(end // step) + 1)
    ]
