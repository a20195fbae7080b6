"""The order of calls: how well each call follows from those before it, by two models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.traces.detectors.detector import Kindest
from oddcall.training.traces.detectors.ngrams import Index, Interpolated, worst_mean
from oddcall.training.traces.detectors.sets import blocks, shares
from oddcall.training.traces.traces import TraceSet


class Order(Kindest):
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

    def learn(self, traces: TraceSet) -> Self:
        """Learn without held-out scores."""
        (halves,) = _learned(traces, [np.ones(len(traces), np.bool_)])
        return self.by(*halves)

    @classmethod
    def learn_each(cls, traces: TraceSet, kept: Sequence[NDArray[np.bool_]]) -> Iterator[Self]:
        """Learn from each choice of the traces; the runs are held once for all of them."""
        return (cls().by(*halves) for halves in _learned(traces, kept))

    def by(self, model: Interpolated, alike: _Alike) -> Self:
        """Judge by a model of all known traces, and by those of each."""
        self._model, self._alike = model, alike
        return self

    def _score(self, traces: TraceSet) -> FloatArray:
        """Mean bits a call over the worst stretch, (n,)."""
        bits = np.minimum(self._model.bits(traces), self._alike.bits(traces))
        return worst_mean(traces, bits)


def _learned(
    traces: TraceSet, kept: Sequence[NDArray[np.bool_]]
) -> Iterator[tuple[Interpolated, _Alike]]:
    """Both models of each choice of the traces, over runs that are indexed once."""
    row, index = traces.row, Index(traces, Order.longest)
    models = [index.model(some[row]) for some in kept]
    index = Index(traces, Order.longest_alike, row)
    alike = [_Alike(index, traces, some) for some in kept]
    return zip(models, alike, strict=True)


class _Alike:
    """A model of every known trace by itself; the mixture of calls says which is asked.

    Parameters
    ----------
    index : Index
        Of ``traces``, each trace's runs its own.
    traces : TraceSet
    kept : bool (n,)
        Which of them are known.
    """

    def __init__(self, index: Index, traces: TraceSet, kept: NDArray[np.bool_]) -> None:
        self._width = len(traces.vocabulary)
        self._known = np.flatnonzero(kept)
        self._mixtures = self._mixtures_of(traces)[self._known]
        used = kept[traces.row]
        count = np.bincount(traces.calls[used], minlength=self._width)
        # What is left to a call by its rarity among all: one that was never met comes last.
        whole = count.sum() + 0.5 * (np.count_nonzero(count) + 1)
        self._rarity, self._never = (count + 0.5) / whole, 0.5 / whole
        base = np.zeros(len(index.orders[0].keys))
        base[index.orders[0].place] = self._rarity[traces.calls]
        self._model = index.model(used, continuation=False, base=base)

    def bits(self, traces: TraceSet) -> FloatArray:
        """Bits of each call by the trace most alike, (calls,)."""
        like = self._known[_nearest(self._mixtures_of(traces), self._mixtures)]
        known = traces.calls < self._width
        rarity = np.where(known, self._rarity[np.where(known, traces.calls, 0)], self._never)
        return self._model.bits(traces, like[traces.row], rarity)

    def _mixtures_of(self, traces: TraceSet) -> NDArray[np.float32]:
        mixtures: NDArray[np.float32] = np.sqrt(shares(traces, self._width)).astype(np.float32)
        return mixtures


def _nearest(these: NDArray[np.float32], known: NDArray[np.float32]) -> IntArray:
    """Find the known row with the largest inner product for each row, (n,)."""
    like = np.zeros(len(these), np.int64)
    for part in blocks(len(these), len(known)):
        like[part] = (these[part] @ known.T).argmax(axis=1)
    return like
