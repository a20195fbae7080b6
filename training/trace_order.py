"""The order of calls: two ways to say how well each call follows from those before it."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.counted_order import CountedOrder
from oddcall.training.ngrams import Index, Smoothing, worst_mean
from oddcall.training.trace_detector import in_chunks, require_different, sample
from oddcall.training.trace_sets import nearest, shares
from oddcall.training.traces import TraceSet


class Markov(CountedOrder):
    """Bits a call by an interpolated Witten-Bell model of runs of up to six calls.

    The score is the mean of the worst stretch. Remembers exactly what followed what. Fails
    where a program that was not trained on takes known steps in an order of its own.
    """

    name: ClassVar[str] = "markov"
    order: ClassVar[int] = 6
    smoothing: ClassVar[Smoothing] = "witten-bell"

    def _of_traces(self, traces: TraceSet, bits: FloatArray) -> FloatArray:
        return worst_mean(traces, bits)


class Local:
    """Bits a call by a model of the one known trace that is most alike.

    Which is alike is decided by the mixture of calls. The score is the mean of the worst
    stretch. Fails where no known trace is alike.
    """

    name: ClassVar[str] = "local"
    order: ClassVar[int] = 4

    held_out: FloatArray

    def fit(self, traces: TraceSet) -> Self:
        """Learn from clean traces."""
        known = sample(traces)
        require_different(known)
        self._width = len(known.vocabulary)
        self._mixtures = np.sqrt(shares(known, self._width)).astype(np.float32)
        count = np.bincount(known.calls, minlength=self._width)
        # What is left to a call by its rarity among all: one that was never met comes last.
        self._rarity = (count + 0.5) / (count + 0.5).sum()
        index = Index(known, self.order, known.row)
        base = np.zeros(len(index.orders[0].keys))
        base[index.orders[0].place] = self._rarity[known.calls]
        everything = np.ones(len(known.calls), np.bool_)
        self._model = index.model(everything, continuation=False, base=base)
        itself = np.arange(len(known))
        self.held_out = self._bits(known, nearest(self._mixtures, self._mixtures, itself)[0])
        return self

    def score(self, traces: TraceSet) -> FloatArray:
        """Mean bits a call over the worst stretch, (n,)."""
        return in_chunks(traces, self._score)

    def _score(self, traces: TraceSet) -> FloatArray:
        mixtures = np.sqrt(shares(traces, self._width)).astype(np.float32)
        return self._bits(traces, nearest(mixtures, self._mixtures)[0])

    def _bits(self, traces: TraceSet, like: IntArray) -> FloatArray:
        owner = like[traces.row]
        known = traces.calls < self._width
        rarity = np.where(known, self._rarity[np.where(known, traces.calls, 0)], self._rarity.min())
        return worst_mean(traces, self._model.bits(traces, owner, rarity))
