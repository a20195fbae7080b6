"""Counted runs of calls, and what is expected to come after them.

The probability of a call after the calls before it is interpolated over run lengths: what a
long run says is trusted by how often the run was seen and by how many different calls came
after it (Witten and Bell 1991; Kneser and Ney 1995 discount instead). Every run is known by a
64-bit hash, so a model is a sorted array of hashes and an array of numbers a length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.traces.traces import TraceSet

Keys = NDArray[np.uint64]
#: Halves what an index takes; what is learned from has far fewer calls than these can count.
Places = NDArray[np.int32]
#: As exact as counts are, and half as large.
Part = NDArray[np.float32]
Smoothing = Literal["witten-bell", "kneser-ney"]

#: Calls in a row that an attack is looked for in.
STRETCH = 2_000

_ODD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)
_BEGIN = np.uint64(0x1B873593)


def chain(previous: Keys, calls: IntArray) -> Keys:
    """Hash of runs that are one call longer than those of ``previous``."""
    mixed = (previous ^ (calls.astype(np.uint64) + np.uint64(1))) * _ODD
    mixed ^= mixed >> _SHIFT
    longer: Keys = mixed * _ODD
    return longer


def run_keys(traces: TraceSet, order: int, owner: IntArray | None = None) -> list[Keys]:
    """Hashes of the runs of 1 to ``order`` calls that end at every call.

    A run that would reach past the beginning of its trace begins with a mark for it.

    Parameters
    ----------
    traces : TraceSet
    order : int
        Longest run.
    owner : int64 (calls,), optional
        Runs of different owners are different runs.

    Returns
    -------
    ``order + 1`` arrays (calls,): the runs of no call (one for each owner), of one, of two...
    """
    begins = traces.indptr[:-1]
    salt = np.zeros(len(traces.calls), np.int64) if owner is None else owner
    empty = chain(np.zeros(len(salt), np.uint64), salt)
    found = [empty]
    for n in range(1, order + 1):
        before = _before(found[n - 1], empty, begins) if n > 1 else empty
        found.append(chain(before, traces.calls))
    return found


def _before(shorter: Keys, empty: Keys, begins: IntArray) -> Keys:
    """Run of each call's predecessor; at the beginning of a trace a mark."""
    shifted = np.empty_like(shorter)
    shifted[1:] = shorter[:-1]
    shifted[begins] = empty[begins] ^ _BEGIN
    return shifted


def contexts(keys: list[Keys], begins: IntArray) -> list[Keys]:
    """Hashes of what comes before each call: ``contexts(keys)[n]`` goes with ``keys[n + 1]``."""
    return [keys[0], *(_before(key, keys[0], begins) for key in keys[1:-1])]


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """Runs of one length in the text that was indexed.

    Attributes
    ----------
    keys : uint64 (g,), increasing
    place : int32 (calls,)
        Run that ends at each call.
    context : int32 (g,)
        What the run is without its last call: a position in ``context_keys``.
    context_keys : uint64 (c,), increasing
    shorter : int32 (g,)
        The run without its first call, a position in the order below.
    """

    keys: Keys
    place: Places
    context: Places
    context_keys: Keys
    shorter: Places


class Index:
    """Every run of a text, once: models of parts of the text are then counts over it.

    Parameters
    ----------
    traces : TraceSet
    order : int
        Longest run.
    owner : int64 (calls,), optional
        As for ``run_keys``.
    """

    def __init__(self, traces: TraceSet, order: int, owner: IntArray | None = None) -> None:
        keys = run_keys(traces, order, owner)
        before = contexts(keys, traces.indptr[:-1])
        self.orders: list[_Order] = []
        shorter_place: Places = np.zeros(len(traces.calls), np.int32)
        for n in range(1, order + 1):
            unique, first, inverse = np.unique(keys[n], return_index=True, return_inverse=True)
            context_keys, context = np.unique(before[n - 1][first], return_inverse=True)
            place, shorter = _places(inverse), shorter_place[first]
            self.orders.append(_Order(unique, place, _places(context), context_keys, shorter))
            shorter_place = place

    def model(
        self,
        used: NDArray[np.bool_],
        smoothing: Smoothing = "witten-bell",
        *,
        continuation: bool = True,
        base: FloatArray | None = None,
    ) -> Interpolated:
        """Count the runs that end at the calls ``used``.

        Parameters
        ----------
        used : bool (calls,)
        smoothing : {"witten-bell", "kneser-ney"}
        continuation : bool, default True
            Count a shorter run by the different calls before it, not by its occurrences.
        base : float64 (runs of one call,), optional
            Probability of each run of one call where nothing is known; uniform if left out.
        """
        counts = [np.bincount(o.place[used], minlength=len(o.keys)) for o in self.orders]
        if continuation:
            for n in range(len(counts) - 1):
                longer = self.orders[n + 1].shorter[counts[n + 1] > 0]
                counts[n] = np.bincount(longer, minlength=len(counts[n]))
        # By the calls counted: what the rest of the text makes is not known to this model.
        uniform = 1.0 / (np.count_nonzero(counts[0]) + 1)
        return Interpolated.of(self.orders, counts, smoothing, uniform, base)


@dataclass(frozen=True, slots=True, eq=False)
class Interpolated:
    """Probability of a call after the calls before it.

    Attributes
    ----------
    keys : list of uint64 (g,)
        Runs of each length, increasing.
    probability : list of float32 (g,)
        Of a run's last call after the others, by all lengths up to its own.
    context_keys : list of uint64 (c,)
    left : list of float32 (c,)
        Part of the probability that a context leaves to shorter runs; 1 if it was not counted.
    uniform : float
        Probability of a call that was never met.
    """

    keys: list[Keys]
    probability: list[Part]
    context_keys: list[Keys]
    left: list[Part]
    uniform: float

    @classmethod
    def of(
        cls,
        orders: list[_Order],
        counts: list[IntArray],
        smoothing: Smoothing,
        uniform: float,
        base: FloatArray | None = None,
    ) -> Interpolated:
        """Interpolate counts from the shortest run to the longest."""
        probability: list[Part] = []
        left: list[Part] = []
        lower = np.full(len(counts[0]), uniform) if base is None else base
        for n, (order, count) in enumerate(zip(orders, counts, strict=True)):
            if n:
                lower = lower[order.shorter]
            size = len(order.context_keys)
            total = np.bincount(order.context, count, size)
            kinds = np.bincount(order.context, count > 0, size)
            if smoothing == "witten-bell":
                kept, share = count.astype(np.float64), kinds / np.maximum(total + kinds, 1)
                whole = total + kinds
            else:
                discount = _discount(count)
                kept, whole = np.maximum(count - discount, 0.0), total
                share = discount * kinds / np.maximum(total, 1)
            share = np.where(total > 0, share, 1.0)
            own = kept / np.maximum(whole, 1)[order.context]
            lower = own + share[order.context] * lower
            probability.append(lower.astype(np.float32))
            left.append(share.astype(np.float32))
        keys = [order.keys for order in orders]
        known = [order.context_keys for order in orders]
        return cls(keys, probability, known, left, uniform)

    def bits(
        self, traces: TraceSet, owner: IntArray | None = None, base: FloatArray | None = None
    ) -> FloatArray:
        """Bits each call of other traces takes, (calls,); many are those not expected.

        Parameters
        ----------
        traces : TraceSet
        owner : int64 (calls,), optional
            As for ``run_keys``.
        base : float64 (calls,), optional
            Probability of each call where nothing is known; uniform if left out.
        """
        order = len(self.keys)
        keys = run_keys(traces, order, owner)
        before = contexts(keys, traces.indptr[:-1])
        # The longest run decides everything: each is looked up once.
        _, first, place = np.unique(keys[order], return_index=True, return_inverse=True)
        p = np.full(len(first), self.uniform) if base is None else base[first]
        for n in range(order):
            left, is_context = _look_up(self.context_keys[n], before[n][first])
            share = np.where(is_context, self.left[n][left], 1.0)
            run, is_run = _look_up(self.keys[n], keys[n + 1][first])
            p = np.where(is_run, self.probability[n][run], share * p)
        bits: FloatArray = -np.log2(np.maximum(p, 1e-300))[place]
        return bits


def _places(positions: IntArray) -> Places:
    places: Places = positions.astype(np.int32)
    return places


def _discount(count: IntArray) -> float:
    """Take from every count what runs met once and twice say (Ney's estimate), 0.1 to 0.95."""
    once, twice = int(np.sum(count == 1)), int(np.sum(count == 2))
    return float(np.clip(once / max(once + 2 * twice, 1), 0.1, 0.95))


def _look_up(known: Keys, wanted: Keys) -> tuple[IntArray, NDArray[np.bool_]]:
    """Find each key among increasing ones: its position (any if absent), and whether it is."""
    # In order: a search among millions is then near the last one in memory.
    order = np.argsort(wanted)
    position = np.empty(len(wanted), np.int64)
    position[order] = np.minimum(np.searchsorted(known, wanted[order]), len(known) - 1)
    return position, known[position] == wanted


def mean_of(traces: TraceSet, values: FloatArray) -> FloatArray:
    """Mean of a value a call over each trace, (n,)."""
    mean: FloatArray = np.bincount(traces.row, values, len(traces)) / traces.lengths
    return mean


def worst_mean(
    traces: TraceSet, values: FloatArray, length: int = STRETCH, step: int = 250
) -> FloatArray:
    """Mean over the worst ``length`` calls in a row of each trace, (n,).

    The mean of the whole where a trace is shorter. An attack is a small part of a long trace,
    and would drown in its mean.

    Parameters
    ----------
    traces : TraceSet
    values : float64 (calls,)
    length, step : int
        Stretches begin every ``step`` calls; the last one ends with the trace.
    """
    worst = mean_of(traces, values)
    total = np.concatenate([[0.0], np.cumsum(values)])
    # One long trace at a time: its stretches are columns.
    for i in np.flatnonzero(traces.lengths > length):
        last = traces.indptr[i + 1] - length
        begins = np.append(np.arange(traces.indptr[i], last, step), last)
        worst[i] = (total[begins + length] - total[begins]).max() / length
    return worst
