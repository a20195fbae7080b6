"""The order of calls: how well each call follows from those before it, by two models."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.traces.counted_order import learn_order
from oddcall.training.traces.detector import in_chunks, sample
from oddcall.training.traces.ngrams import Index, worst_mean
from oddcall.training.traces.sets import nearest, shares
from oddcall.training.traces.traces import TraceSet


class Order:
    """Bits a call by the better of two models: of all known traces, and of the one most alike.

    A call is odd where neither expects it. What all traces do in runs of up to six calls is
    known well, but a step of another program passes for known; the one trace most alike knows
    what its own program does, and little else. Taking the smaller of the two for each call
    excuses the gaps of both. The score is the mean over the worst stretch. Fails on an attack
    that takes known steps in a known order.
    """

    name: ClassVar[str] = "order"
    #: Longest run of the model of all traces, and of that of one trace.
    longest: ClassVar[int] = 6
    longest_alike: ClassVar[int] = 4

    held_out: FloatArray

    def fit(self, traces: TraceSet) -> Self:
        """Learn from clean traces."""
        known = sample(traces)
        self._model, bits = learn_order(known, self.longest, "witten-bell")
        self._alike = _Alike(known, self.longest_alike)
        alike = self._alike.bits(known, known.same())
        self.held_out = worst_mean(known, np.minimum(bits, alike))
        return self

    def score(self, traces: TraceSet) -> FloatArray:
        """Mean bits a call over the worst stretch, (n,)."""
        return in_chunks(traces, self._score)

    def _score(self, traces: TraceSet) -> FloatArray:
        bits = np.minimum(self._model.bits(traces), self._alike.bits(traces))
        return worst_mean(traces, bits)


class _Alike:
    """A model of every known trace by itself; the mixture of calls says which is asked.

    Parameters
    ----------
    known : TraceSet
    order : int
        Longest run.
    """

    def __init__(self, known: TraceSet, order: int) -> None:
        self._width = len(known.vocabulary)
        self._same = known.same()
        self._mixtures = self._mixtures_of(known)
        count = np.bincount(known.calls, minlength=self._width)
        # What is left to a call by its rarity among all: one that was never met comes last.
        self._rarity = (count + 0.5) / (count + 0.5).sum()
        index = Index(known, order, known.row)
        base = np.zeros(len(index.orders[0].keys))
        base[index.orders[0].place] = self._rarity[known.calls]
        everything = np.ones(len(known.calls), np.bool_)
        self._model = index.model(everything, continuation=False, base=base)

    def bits(self, traces: TraceSet, same: IntArray | None = None) -> FloatArray:
        """Bits of each call by the trace most alike, (calls,).

        Parameters
        ----------
        traces : TraceSet
        same : int64 (n,), optional
            Where these are the known ones: which are copies, of which none may be asked.
        """
        copies = None if same is None else (same, self._same)
        like, _ = nearest(self._mixtures_of(traces), self._mixtures, copies)
        known = traces.calls < self._width
        rarity = np.where(known, self._rarity[np.where(known, traces.calls, 0)], self._rarity.min())
        return self._model.bits(traces, like[traces.row], rarity)

    def _mixtures_of(self, traces: TraceSet) -> NDArray[np.float32]:
        mixtures: NDArray[np.float32] = np.sqrt(shares(traces, self._width)).astype(np.float32)
        return mixtures
