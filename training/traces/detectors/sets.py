"""Which calls a trace makes and in what shares, whatever their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.traces.detectors.detector import Kindest
from oddcall.training.traces.traces import TraceSet

#: Pairs of traces compared at once: bounds memory.
_PAIRS = 10_000_000


def shares(traces: TraceSet, width: int) -> FloatArray:
    """Share of each call in each trace, (n, width); calls past ``width`` count in the whole."""
    inside = traces.calls < width
    cell = traces.row[inside] * width + traces.calls[inside]
    counts = np.bincount(cell, minlength=len(traces) * width).reshape(len(traces), width)
    found: FloatArray = counts / traces.lengths[:, None]
    return found


def blocks(rows: int, known: int) -> Iterator[slice]:
    """Split rows such that few enough of them are held against so many known ones at once."""
    step = max(_PAIRS // known, 1)
    for begin in range(0, rows, step):
        yield slice(begin, begin + step)


class CallSet(Kindest):
    """Distance of the set of calls used to the nearest known trace's, rare calls weighing more.

    One minus the weighted Jaccard similarity, from 0 to 1; the weight of a call is the square root
    of the logarithm of how few known traces make it. Fails on an attack that makes exactly the
    calls of some program.
    """

    name: ClassVar[str] = "call-set"

    def learn(self, traces: TraceSet) -> Self:
        """Learn without held-out scores."""
        self._width = len(traces.vocabulary)
        used = shares(traces, self._width) > 0
        often = used.sum(axis=0)
        self._weight = np.sqrt(np.log((len(traces) + 1) / (often + 0.5)))
        self._unknown_weight = float(np.sqrt(np.log((len(traces) + 1) / 0.5)))
        self._sets = np.unique(used, axis=0).astype(np.float64)
        return self

    def _score(self, traces: TraceSet) -> FloatArray:
        """One minus the similarity to the nearest known set, (n,)."""
        weighted = (shares(traces, self._width) > 0) * self._weight
        unknown = self._strangers(traces) * self._unknown_weight
        size, known_size = weighted.sum(axis=1) + unknown, self._sets @ self._weight
        best = np.zeros(len(traces))
        for part in blocks(len(traces), len(self._sets)):
            both = weighted[part] @ self._sets.T
            either = size[part, None] + known_size[None] - both
            best[part] = (both / np.maximum(either, 1e-12)).max(axis=1)
        return 1 - best

    def _strangers(self, traces: TraceSet) -> IntArray:
        """Count the different calls of each trace that no known trace makes, (n,)."""
        strange = traces.calls >= self._width
        width = len(traces.vocabulary)
        cell = np.unique(traces.row[strange] * width + traces.calls[strange])
        found: IntArray = np.bincount(cell // width, minlength=len(traces))
        return found
