"""The default: the order of calls, the set of calls and their composition, one vote each."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.training.traces.composition import Composition
from oddcall.training.traces.detector import TraceDetector, sample
from oddcall.training.traces.order import Order
from oddcall.training.traces.sets import CallSet
from oddcall.training.traces.traces import TraceSet

#: Part of the held-out scores above which the tail is taken to fall off exponentially.
_TAIL = 0.9
#: What is joined, one vote each.
MEMBERS: tuple[type[TraceDetector], ...] = (Order, CallSet, Composition)


class Surprise:
    """Minus the logarithm of a score's p-value among held-out scores of clean traces.

    Past the highest tenth the tail is exponential: scores beyond every known one still differ.

    Parameters
    ----------
    held_out : float64 (n,)
    """

    def __init__(self, held_out: FloatArray) -> None:
        self._sorted = np.sort(held_out)
        self._begin = float(np.quantile(held_out, _TAIL))
        excess = held_out[held_out > self._begin] - self._begin
        least = max(0.1 * float(held_out.std()), 1e-6)
        self._scale = max(float(excess.mean()) if len(excess) else 0.0, least)

    def of(self, scores: FloatArray) -> FloatArray:
        """Surprise of each score, (n,), above 0."""
        n = len(self._sorted)
        at_least = n - np.searchsorted(self._sorted, scores, "left")
        within = -np.log((1 + at_least) / (n + 1))
        beyond = (scores - self._begin) / self._scale - np.log(1 - _TAIL)
        surprise: FloatArray = np.where(scores > self._begin, beyond, within)
        return surprise


class Views:
    """Sum of the surprises of three views, by Fisher's method.

    What is usual in one view adds nothing and takes nothing away. The sum's own law is not
    Fisher's (views depend on each other): thresholds come from held-out sums.
    """

    name: ClassVar[str] = "views"

    held_out: FloatArray

    def __init__(self) -> None:
        self._members = tuple(member() for member in MEMBERS)

    @property
    def parts(self) -> dict[str, TraceDetector]:
        """The detectors that are joined, by name; fitted once this one is."""
        return {member.name: member for member in self._members}

    def fit(self, traces: TraceSet) -> Self:
        """Learn from clean traces."""
        known = sample(traces)
        self._surprises = [Surprise(member.fit(known).held_out) for member in self._members]
        self.held_out = self._sum([member.held_out for member in self._members])
        return self

    def score(self, traces: TraceSet) -> FloatArray:
        """Sum of surprises, (n,)."""
        return self._sum([member.score(traces) for member in self._members])

    def _sum(self, scores: list[FloatArray]) -> FloatArray:
        total: FloatArray = np.sum(
            [surprise.of(score) for surprise, score in zip(self._surprises, scores, strict=True)],
            axis=0,
        )
        return total
