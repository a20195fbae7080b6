"""A plot as inline SVG: scales, axes, lines. Colours are the page's, by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import NDArray

from oddcall.models.features import FloatArray

#: Space around the plot for ticks and labels: left, right, top, bottom.
_MARGIN = (58.0, 24.0, 12.0, 44.0)


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to pixels.

    Parameters
    ----------
    low, high : float
        Values at the ends; above zero where ``log``.
    begin, end : float
        Pixels there.
    log : bool, default False
    """

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, value: FloatArray | float) -> FloatArray:
        """Place values, (n,); those outside are put at the nearer end."""
        v = np.clip(np.asarray(value, np.float64), self.low, self.high)
        low, high = self.low, self.high
        if self.log:
            v, low, high = np.log10(v), math.log10(low), math.log10(high)
        placed: FloatArray = self.begin + (v - low) / (high - low) * (self.end - self.begin)
        return placed


@dataclass(slots=True)
class Plot:
    """One pair of axes, filled from back to front.

    Parameters
    ----------
    title : str
        Read by those who cannot see it.
    x, y : (low, high)
    x_label, y_label : str
    width, height : float
        Pixels at full size; the page scales it.
    x_log : bool, default False
    """

    title: str
    x: tuple[float, float]
    y: tuple[float, float]
    x_label: str = ""
    y_label: str = ""
    width: float = 460.0
    height: float = 320.0
    x_log: bool = False
    marks: list[str] = field(default_factory=list)

    @property
    def x_scale(self) -> Scale:
        """Where values of the horizontal axis are."""
        left, right = _MARGIN[:2]
        return Scale(*self.x, left, self.width - right, self.x_log)

    @property
    def y_scale(self) -> Scale:
        """Where values of the vertical axis are; upwards is smaller in SVG."""
        top, bottom = _MARGIN[2:]
        return Scale(*self.y, self.height - (bottom if self.x_label else 22.0), top)

    def line(self, x: FloatArray, y: FloatArray, style: str) -> None:
        """Draw a line through points, thinned to what pixels can show."""
        px, py = np.round(self.x_scale(x), 1), np.round(self.y_scale(y), 1)
        kept = thinned(px, py)
        points = " ".join(f"{a:g},{b:g}" for a, b in zip(px[kept], py[kept], strict=True))
        self.marks.append(f'<polyline class="{style}" points="{points}"/>')

    def dots(self, x: FloatArray, y: FloatArray, style: str, radius: float = 2.5) -> None:
        """Draw points, each place once."""
        places = np.unique(np.round(np.stack([self.x_scale(x), self.y_scale(y)], 1), 1), axis=0)
        self.marks += [
            f'<circle class="{style}" cx="{a:g}" cy="{b:g}" r="{radius:g}"/>' for a, b in places
        ]

    def stems(self, x: FloatArray, y: FloatArray, style: str) -> None:
        """Draw a line from the foot to each point, as one path."""
        foot = float(self.y_scale(self.y[0]))
        px, py = np.round(self.x_scale(x), 1), np.round(self.y_scale(y), 1)
        path = "".join(f"M{a:g} {foot:g}V{b:g}" for a, b in zip(px, py, strict=True))
        if path:
            self.marks.append(f'<path class="{style}" d="{path}"/>')

    def bar(self, x: float, low: float, high: float, style: str) -> None:
        """Draw the range of a value."""
        at, (a, b) = float(self.x_scale(x)), self.y_scale(np.array([low, high]))
        self.marks.append(
            f'<path class="{style}" d="M{at:.1f} {a:.1f}V{b:.1f}M{at - 4:.1f} {a:.1f}h8'
            f'M{at - 4:.1f} {b:.1f}h8"/>'
        )

    def shade(self, begin: float, end: float, title: str = "", style: str = "shade") -> None:
        """Mark a stretch of the horizontal axis, at least two pixels of it."""
        a, b = self.x_scale(np.array([begin, end]))
        top, foot = float(self.y_scale(self.y[1])), float(self.y_scale(self.y[0]))
        about = f"<title>{escape(title)}</title>" if title else ""
        self.marks.append(
            f'<rect class="{style}" x="{a - 0.5:.1f}" y="{top:g}" width="{max(b - a, 2):.1f}" '
            f'height="{foot - top:g}">{about}</rect>'
        )

    def across(self, y: float, style: str) -> None:
        """Draw a level from side to side."""
        at = float(self.y_scale(y))
        left, right = self.x_scale.begin, self.x_scale.end
        self.marks.append(f'<path class="{style}" d="M{left:g} {at:.1f}H{right:g}"/>')

    def text(self, x: float, y: float, text: str, style: str, anchor: str = "start") -> None:
        """Write at a place in pixels."""
        self.marks.append(
            f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )

    def svg(
        self, x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[tuple[float, str]]
    ) -> str:
        """Everything, with axes behind it."""
        return (
            f'<svg viewBox="0 0 {self.width:g} {self.height:g}" role="img" '
            f'aria-label="{escape(self.title)}">{"".join(self._axes(x_ticks, y_ticks))}'
            f"{''.join(self.marks)}</svg>"
        )

    def _axes(
        self, x_ticks: Sequence[tuple[float, str]], y_ticks: Sequence[tuple[float, str]]
    ) -> list[str]:
        x, y = self.x_scale, self.y_scale
        axes = []
        for value, text in x_ticks:
            at = float(x(value))
            axes.append(f'<path class="grid" d="M{at:.1f} {y.begin:g}V{y.end:g}"/>')
            axes.append(
                f'<text class="tick" x="{at:.1f}" y="{y.begin + 15:g}" text-anchor="middle">'
                f"{escape(text)}</text>"
            )
        for value, text in y_ticks:
            at = float(y(value))
            axes.append(f'<path class="grid" d="M{x.begin:g} {at:.1f}H{x.end:g}"/>')
            axes.append(
                f'<text class="tick" x="{x.begin - 7:g}" y="{at + 4:.1f}" text-anchor="end">'
                f"{escape(text)}</text>"
            )
        middle = (y.begin + y.end) / 2
        axes.append(f'<path class="axis" d="M{x.begin:g} {y.begin:g}H{x.end:g}"/>')
        axes.append(
            f'<text class="label" x="{(x.begin + x.end) / 2:g}" y="{self.height - 8:g}" '
            f'text-anchor="middle">{escape(self.x_label)}</text>'
        )
        axes.append(
            f'<text class="label" transform="translate(13 {middle:g}) rotate(-90)" '
            f'text-anchor="middle">{escape(self.y_label)}</text>'
        )
        return axes


def thinned(x: FloatArray, y: FloatArray) -> NDArray[np.intp]:
    """Pick the points that change a line: of those at one x, the first and the last, (k,)."""
    ends = (np.diff(x, prepend=np.nan) != 0) | (np.diff(x, append=np.nan) != 0)
    kept = np.flatnonzero(ends)
    level = y[kept]
    turns = np.ones(len(kept), np.bool_)
    turns[1:-1] = (level[1:-1] != level[:-2]) | (level[1:-1] != level[2:])
    return kept[turns]


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round values from low to high, a handful."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def decades(low: float, high: float) -> list[float]:
    """Powers of ten from low to high."""
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [10.0**k for k in range(first, last + 1)]


def percent(share: float) -> str:
    """Write a share in percent, short: ``"0.1 %"``, ``"12 %"``, ``"0"``."""
    if share == 0:
        return "0"
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
