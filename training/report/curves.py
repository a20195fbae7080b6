"""Plots of scores: detection against false positives, precision against recall, promises kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.training.figures import HALF_AGAIN, RATES, Result
from oddcall.training.report.drawing import Plot, decades, percent, round_ticks

if TYPE_CHECKING:
    from oddcall.training.recording_figures import Kept

#: Lines that a page tells apart by colour and dash.
MOST_LINES = 6


def steps(result: Result) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Give false positives, found and precision at each threshold, the highest first, (k,)."""
    levels = np.unique(np.concatenate([result.normal, result.attack]))[::-1]
    n, m = len(result.normal), len(result.attack)
    false = n - np.searchsorted(np.sort(result.normal), levels, "left")
    found = m - np.searchsorted(np.sort(result.attack), levels, "left")
    return false / n, found / m, found / (found + false)


def stairs(result: Result, least: float) -> tuple[FloatArray, FloatArray]:
    """Corners of the line of what is found at each false-positive rate from ``least`` to 1.

    Nothing is found until the highest threshold may be: that is no slope where many normal ones
    share the highest score.
    """
    false, found, _ = steps(result)
    x = np.concatenate([[least], np.repeat(false, 2), [1.0]])
    y = np.concatenate([[0.0, 0.0], np.repeat(found, 2)[:-1], [1.0]])
    return np.maximum(x, least), y


def roc(results: Mapping[str, Result], *, unit: str) -> str:
    """Draw detection against the false-positive rate, which is on a logarithmic axis.

    A line begins at the rate of one clean one: of lower rates so few say nothing.

    Parameters
    ----------
    results : mapping of Result
        By detector; the first is drawn in front, with its ranges.
    unit : str
        What is judged, in the plural: ``"windows"``.
    """
    shown = list(results.values())[:MOST_LINES]
    least = max(10.0 ** np.floor(np.log10(1 / max(len(r.normal) for r in shown))), 1e-6)
    plot = Plot(
        f"Attack {unit} found against clean {unit} reported",
        (least, 1.0),
        (0.0, 1.0),
        f"clean {unit} reported (log)",
        f"attack {unit} found",
        x_log=True,
    )
    diagonal = np.geomspace(least, 1, 60)
    plot.line(diagonal, diagonal, "chance")
    for number, result in reversed(list(enumerate(shown))):
        one = max(least, 1 / len(result.normal))
        plot.line(*stairs(result, one), f"line c{number}")
    for rate in RATES:
        between = shown[0].intervals.get(f"{rate:.2f}")
        if between:
            plot.bar(rate, between.low, between.high, "range c0")
    ticks = [(value, percent(value)) for value in decades(least, 1)]
    return plot.svg(ticks, [(v, percent(v)) for v in round_ticks(0, 1, 5)])


def precision_recall(results: Mapping[str, Result], *, unit: str) -> str:
    """Draw which part of what is reported is an attack, against the part of the attacks found."""
    shown = list(results.values())[:MOST_LINES]
    plot = Plot(
        f"Reported {unit} that are an attack against attack {unit} found",
        (0.0, 1.0),
        (0.0, 1.0),
        f"attack {unit} found",
        f"reported {unit} that are an attack",
    )
    n, m = len(shown[0].normal), len(shown[0].attack)
    plot.across(m / (n + m), "chance")
    for number, result in reversed(list(enumerate(shown))):
        _, found, precision = steps(result)
        x = np.concatenate([[0.0], np.repeat(found, 2)[:-1]])
        plot.line(x, np.repeat(precision, 2), f"line c{number}")
    ticks = [(v, percent(v)) for v in round_ticks(0, 1, 5)]
    return plot.svg(ticks, ticks)


def promises(rows: Sequence[Kept]) -> str:
    """Draw the share of clean windows that came against the one promised, both logarithmic."""
    low = 1e-4
    plot = Plot(
        "Share of clean windows that came against the share promised",
        (min(row.promised for row in rows) / 1.3, 0.13),
        (-4.0, 0.0),
        "promised: clean windows at or below p (log)",
        "came (log)",
        x_log=True,
    )
    line = np.array(plot.x)
    for factor, style in ((1.0, "chance"), (HALF_AGAIN, "band"), (1 / HALF_AGAIN, "band")):
        plot.line(line, np.log10(line * factor), style)
    for row in rows:
        between = np.log10(np.maximum([row.between.low, row.between.high], low))
        plot.bar(row.promised, between[0], between[1], "range c0")
    came = np.log10(np.maximum([row.realised for row in rows], low))
    plot.dots(np.array([row.promised for row in rows]), came, "dot c0", 4)
    varied = [(row.promised, row.varied) for row in rows if row.varied is not None]
    if varied:
        x, y = np.array(varied).T
        plot.dots(x, np.log10(np.maximum(y, low)), "ring c0", 4)
    ticks = [(v, percent(v)) for v in (0.001, 0.005, 0.02, 0.1)]
    # What came less often still is drawn at the lowest height, and is not always none.
    heights = [(-4.0, f"≤ {percent(low)}")]
    heights += [(k, percent(10.0**k)) for k in (-3.0, -2.0, -1.0, 0.0)]
    return plot.svg(ticks, heights)
