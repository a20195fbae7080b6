"""The default: the order of calls, the set of calls and their composition, one vote each."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.training.traces.detectors.composition import Composition
from oddcall.training.traces.detectors.detector import (
    Done,
    Kindest,
    TraceDetector,
    sample,
    step,
    untold,
)
from oddcall.training.traces.detectors.groups import apart
from oddcall.training.traces.detectors.order import Order
from oddcall.training.traces.detectors.sets import CallSet
from oddcall.training.traces.traces import TraceSet

#: Part of the scores above which the tail is modelled, and its shape as a generalised Pareto's.
_TAIL, _SHAPE = 0.9, 0.5
#: What is joined, one vote each.
MEMBERS: tuple[type[Kindest], ...] = (Order, CallSet, Composition)


class Surprise:
    """Minus the logarithm of a score's p-value among the scores of clean traces.

    Past the highest tenth the tail is a generalised Pareto's: scores beyond every known one still
    differ, and one view far out does not drown the others.

    Parameters
    ----------
    clean : float64 (n,)
        Scores by models that did not learn from the trace.
    """

    def __init__(self, clean: FloatArray) -> None:
        self._sorted = np.sort(clean)
        self._begin = float(np.quantile(clean, _TAIL))
        excess = clean[clean > self._begin] - self._begin
        least = max(0.1 * float(clean.std()), 1e-6)
        self._scale = max(float(excess.mean()) if len(excess) else 0.0, least)

    def of(self, scores: FloatArray) -> FloatArray:
        """Surprise of each score, (n,), 0 or above."""
        n = len(self._sorted)
        at_least = n - np.searchsorted(self._sorted, scores, "left")
        within = -np.log((1 + at_least) / (n + 1))
        excess = np.maximum(scores - self._begin, 0.0) / self._scale
        beyond = np.log1p(_SHAPE * excess) / _SHAPE - np.log(1 - _TAIL)
        surprise: FloatArray = np.where(scores > self._begin, beyond, within)
        return surprise


class Views:
    """Sum of the surprises of three views, by Fisher's method.

    What is usual in one view adds nothing and takes nothing away. A score is as surprising as it
    is rare **among programs that were not learned from**: each view is told what a clean program
    looks like to it that it has never met, and a trace that is merely new does not count as an
    attack three times over. The sum's own law is not Fisher's (views depend on each other), and
    traces to come are of known programs: thresholds come from the sums of held-out traces.
    """

    name: ClassVar[str] = "views"

    held_out: FloatArray

    def __init__(self) -> None:
        self._members = tuple(member() for member in MEMBERS)

    @property
    def parts(self) -> dict[str, TraceDetector]:
        """The detectors that are joined, by name; fitted once this one is."""
        return {member.name: member for member in self._members}

    def fit(self, traces: TraceSet, told: Done = untold) -> Self:
        """Learn from clean traces."""
        known = sample(traces)
        part, steps = apart(known), 2 * len(self._members)
        self._surprises = []
        for i, member in enumerate(self._members):
            new = member.scores_without(known, part, step(told, 2 * i, steps))
            self._surprises.append(Surprise(new))
            member.fit(known, step(told, 2 * i + 1, steps))
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
