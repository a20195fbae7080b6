"""Which calls a trace makes and in what shares, whatever their order."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.traces.detector import firsts, in_chunks, require_different, sample
from oddcall.training.traces.traces import TraceSet

Rows = NDArray[np.float64] | NDArray[np.float32]

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
    these: Rows, known: Rows, copies: tuple[IntArray, IntArray] | None = None
) -> tuple[IntArray, FloatArray]:
    """Find the known row with the largest inner product, and that product, for each row.

    Parameters
    ----------
    these, known : float (n, width), (m, width)
    copies : pair of int64 (n,), (m,), optional
        What each row is a copy of, and each known row: a row may not find a copy of itself.
    """
    like, value = np.zeros(len(these), np.int64), np.zeros(len(these))
    step = max(_PAIRS // len(known), 1)
    for begin in range(0, len(these), step):
        part = slice(begin, begin + step)
        product = these[part] @ known.T
        if copies is not None:
            product[copies[0][part, None] == copies[1]] = -1
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
        require_different(known)
        self._width = len(known.vocabulary)
        used = shares(known, self._width) > 0
        often = used.sum(axis=0)
        self._weight = np.sqrt(np.log((len(known) + 1) / (often + 0.5)))
        self._unknown_weight = float(np.sqrt(np.log((len(known) + 1) / 0.5)))
        sets, kind = np.unique(used, axis=0, return_inverse=True)
        self._sets, kind = sets.astype(np.float64), kind.ravel()
        # A set that two traces have is explained by the other one, if that is no copy.
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
