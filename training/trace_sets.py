"""Which calls a trace makes and in what shares, whatever their order."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.trace_detector import cross_scores, firsts, folds, in_chunks, sample
from oddcall.training.traces import TraceSet

#: Pairs of traces compared at once: bounds memory.
_PAIRS = 10_000_000


def shares(traces: TraceSet, width: int) -> FloatArray:
    """Share of each call in each trace, (n, width); calls past ``width`` count in the whole."""
    inside = traces.calls < width
    cell = traces.row[inside] * width + traces.calls[inside]
    counts = np.bincount(cell, minlength=len(traces) * width).reshape(len(traces), width)
    found: FloatArray = counts / traces.lengths[:, None]
    return found


def nearest(
    these: FloatArray,
    known: FloatArray,
    same: IntArray | None = None,
    known_same: IntArray | None = None,
) -> tuple[IntArray, FloatArray]:
    """Find the known row with the largest inner product, and that product, for each row.

    Rows with the same number in ``same`` and ``known_same`` are copies and not considered.
    """
    like, value = np.zeros(len(these), np.int64), np.zeros(len(these))
    step = max(_PAIRS // len(known), 1)
    for begin in range(0, len(these), step):
        part = slice(begin, begin + step)
        product = these[part] @ known.T
        if same is not None and known_same is not None:
            product[same[part, None] == known_same[None]] = -1
        like[part] = product.argmax(axis=1)
        value[part] = product.max(axis=1)
    return like, value


class CallSet:
    """Distance of the set of calls used to the nearest known trace's, rare calls weighing more.

    One minus the weighted Jaccard similarity; the weight of a call is the square root of the
    logarithm of how few known traces make it. Fails on an attack that makes exactly the calls
    of some program.
    """

    name: ClassVar[str] = "call-set"

    held_out: FloatArray

    def fit(self, traces: TraceSet) -> Self:
        """Learn from clean traces."""
        known = sample(traces)
        folds(known)
        self._width = len(known.vocabulary)
        used = shares(known, self._width) > 0
        often = used.sum(axis=0)
        self._weight = np.sqrt(np.log((len(known) + 1) / (often + 0.5)))
        self._unknown_weight = float(np.sqrt(np.log((len(known) + 1) / 0.5)))
        self._sets, kind = np.unique(used, axis=0, return_inverse=True)
        kind = kind.ravel()
        # A set that two different traces have is explained by the other one.
        first = firsts(known)
        shared = np.bincount(kind[first], minlength=len(self._sets)) > 1
        alone = np.where(shared[kind], -1, kind)
        similar = self._similarity(used, np.zeros(len(used)), alone)
        self.held_out = 1 - similar
        return self

    def score(self, traces: TraceSet) -> FloatArray:
        """One minus the similarity to the nearest known set, (n,), from 0 to 1."""
        return in_chunks(traces, self._score)

    def _score(self, traces: TraceSet) -> FloatArray:
        used = shares(traces, self._width) > 0
        unknown: FloatArray = self._strangers(traces) * np.float64(self._unknown_weight)
        return 1 - self._similarity(used, unknown, np.full(len(used), -1))

    def _strangers(self, traces: TraceSet) -> IntArray:
        """Count the different calls of each trace that no known trace makes, (n,)."""
        strange = traces.calls >= self._width
        width = len(traces.vocabulary)
        cell = np.unique(traces.row[strange] * width + traces.calls[strange])
        found: IntArray = np.bincount(cell // width, minlength=len(traces))
        return found

    def _similarity(
        self, used: NDArray[np.bool_], unknown: FloatArray, but: IntArray
    ) -> FloatArray:
        weighted = used * self._weight
        size, known_size = weighted.sum(axis=1) + unknown, self._sets @ self._weight
        best = np.zeros(len(used))
        step = max(_PAIRS // len(self._sets), 1)
        for begin in range(0, len(used), step):
            part = slice(begin, begin + step)
            both = weighted[part] @ self._sets.T
            either = size[part, None] + known_size[None] - both
            similar = both / np.maximum(either, 1e-12)
            similar[but[part, None] == np.arange(len(self._sets))[None]] = 0
            best[part] = similar.max(axis=1)
        return best


class Composition:
    """Mahalanobis distance in the ten leading directions of how calls are combined.

    Shares to the power of a tenth, so that a call counts almost alike however often it is
    made, scaled to unit length. Finds traces that do much less, or other things together, than
    known ones; fails on what lies outside those directions, which ``call-set`` is for.
    """

    name: ClassVar[str] = "composition"
    directions: ClassVar[int] = 10
    power: ClassVar[float] = 0.1

    held_out: FloatArray

    def fit(self, traces: TraceSet) -> Self:
        """Learn from clean traces."""
        known = sample(traces)
        self.held_out = cross_scores(known, lambda part: type(self)().learn(part).score)
        return self.learn(known)

    def score(self, traces: TraceSet) -> FloatArray:
        """Distance in standard deviations, (n,)."""
        return in_chunks(traces, self._score)

    def _score(self, traces: TraceSet) -> FloatArray:
        along = (self._vectors(traces) - self._mean) @ self._axes
        distance: FloatArray = np.sqrt((along**2 / self._spread).sum(axis=1))
        return distance

    def _vectors(self, traces: TraceSet) -> FloatArray:
        raised = shares(traces, self._width) ** self.power
        length = np.sqrt((raised**2).sum(axis=1, keepdims=True))
        vectors: FloatArray = raised / np.maximum(length, 1e-12)
        return vectors

    def learn(self, traces: TraceSet) -> Self:
        """Learn without held-out scores."""
        known = traces.take(np.flatnonzero(firsts(traces)))
        self._width = len(known.vocabulary)
        vectors = self._vectors(known)
        self._mean = vectors.mean(axis=0)
        spread, axes = np.linalg.eigh(np.cov(vectors.T))
        kept = np.argsort(-spread)[: self.directions]
        self._axes, self._spread = axes[:, kept], np.maximum(spread[kept], 1e-6)
        return self
