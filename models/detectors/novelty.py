"""Behaviour never seen in a program's baseline, one bit a symbol, and known calls by the bulk.

A symbol is a call, a failing call, a transition, an io_uring opcode, a 32-bit call, a fork or
an exec. STIDE's idea (Forrest et al. 1996) with sets instead of sequences: poor as a ranking
of everything, the best evidence at the lowest false-alarm rates, and there from the first
window. A score grows with how many different unseen symbols a window holds and with the share
of the window they make up: one rare path of a program is few symbols once, an attack is many
symbols, or few that fill the window. A known call in an amount many times the largest that any
window held (``peaks.py``) is news by how far it goes beyond, whatever else the window holds.

Blind to an attack that uses only what the program does anyway, about as much of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from oddcall.models.detector import Evidence, Prior, State, profiles_of, require_ready
from oddcall.models.features import FeatureSpec, FloatArray
from oddcall.models.peaks import EVENTS_FOR_SHARE, Peaks
from oddcall.models.reach import symbol_weights
from oddcall.models.sparse import IntArray
from oddcall.models.window import BLOCKS

_SPEC = FeatureSpec()
#: How much more a symbol counts when unseen symbols fill the window. Rare paths of clean
#: programs seldom take 5 % of one.
FILLED = 6.0
#: What each doubling of the number of times an unseen call is made adds to its weight, or a call
#: that never failed fails: five thousand names that are not there are no rare path.
BULK = 1.5
#: What each doubling that a known call goes beyond counts. Its share of the window is in that
#: already: were it asked again, a tool that reads a longer file would tell more than two hundred
#: changes of memory protection in a busy second.
BEYOND = 8.0


#: Calls, failing calls and transitions show the same events: shares are summed within each of
#: these groups, and the largest counts. Scalars are in none.
_GROUPS = (("syscalls", "uring", "compat"), ("errors",), ("transitions",))


def _symbol_groups() -> NDArray[np.int64]:
    group = np.full(_SPEC.width, len(_GROUPS))
    for number, blocks in enumerate(_GROUPS):
        for block in blocks:
            start = _SPEC.starts[block]
            group[start : start + BLOCKS[block]] = number
    return group


_GROUP = _symbol_groups()
#: Bit of each column in its byte of a packed bitmap.
_BIT = (128 >> (np.arange(_SPEC.width) & 7)).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Novelty:
    """Weighed number of unseen symbols, times one plus six times the root of their share.

    And for the known ones that go beyond, by how many doublings the furthest of them does.

    Attributes
    ----------
    seen : uint8 (P, D / 8)
        Packed bitmaps of the symbols each profile has seen.
    weight : float32 (D,)
        What each symbol counts; by the call numbers of x86_64 unless said otherwise.
    peaks : Peaks, optional
        Largest amounts of what each profile has seen. Default: amounts do not count.
    """

    name: ClassVar[str] = "novelty"
    evidence: ClassVar[Evidence] = "novelty"
    prior: ClassVar[Prior] = Prior(scale=1.5, weight=20)

    seen: NDArray[np.uint8] | None = None
    weight: NDArray[np.float32] = field(default_factory=lambda: symbol_weights("x86_64"))
    peaks: Peaks | None = None

    @property
    def ready(self) -> bool:
        """Whether it was fitted."""
        return self.seen is not None

    def fit(self, vectors: csr_matrix, profile: IntArray | None = None) -> Self:
        """Remember every symbol of these windows, how much of it, and of no others."""
        rows = profiles_of(vectors.shape[0], profile)
        count = int(rows.max()) + 1
        peaks = Peaks.of(vectors, rows, count)
        return replace(self, seen=_bitmaps(vectors, rows, count), peaks=peaks)

    @classmethod
    def of(cls, symbols: NDArray[np.bool_], peaks: Peaks, arch: str = "x86_64") -> Self:
        """Build from the symbols each profile has met, bool (P, D), with the numbers of arch."""
        return cls(np.packbits(symbols, axis=1), symbol_weights(arch), peaks)

    def knowing(self, told: NDArray[np.uint8], profiles: IntArray) -> Self:
        """Build one of some profiles only, which takes what was told of them as seen.

        Amounts do not count for it: more and more of the same is not one thing after another.

        Parameters
        ----------
        told : uint8 (P, D / 8)
            Packed bitmaps, as ``symbols`` gives them.
        profiles : int64 (k,)
            The i-th becomes profile i of the new one.
        """
        seen = self._fitted(profiles)
        return replace(self, seen=seen[profiles] | told[profiles], peaks=None)

    def known(self, symbols: list[tuple[int, int]]) -> Self:
        """Build one that also knows symbols given as (profile, column)."""
        seen = self._fitted(np.array([profile for profile, _ in symbols], np.int64)).copy()
        for profile, column in symbols:
            seen[profile, column >> 3] |= np.uint8(128 >> (column & 7))
        return replace(self, seen=seen)

    def new(self, vectors: csr_matrix, profile: IntArray) -> NDArray[np.bool_]:
        """Mask of the entries of these vectors that were never seen, (entries,)."""
        return self._new_entries(vectors, profile)[0]

    def bulky(self, vectors: csr_matrix, profile: IntArray) -> NDArray[np.bool_]:
        """Whether each row holds a known call in an amount far beyond what was seen, (n,)."""
        found = np.zeros(vectors.shape[0], np.bool_)
        if self.peaks is not None:
            more, _ = self.peaks.beyond(vectors, profile, _SPEC.events(vectors))
            found[np.searchsorted(vectors.indptr, more, side="right") - 1] = True
        return found

    def symbols(self, vectors: csr_matrix, profile: IntArray, count: int) -> NDArray[np.uint8]:
        """Packed bitmaps of the symbols these windows hold, (count, D / 8)."""
        return _bitmaps(vectors, profile, count)

    def score(self, vectors: csr_matrix, profile: IntArray | None = None) -> FloatArray:
        """Score each row: 0 where all was seen before, as much of it; unbounded above."""
        n = vectors.shape[0]
        _, row, parts = self._news(vectors, profiles_of(n, profile))
        return np.asarray(np.bincount(row, weights=parts, minlength=n), np.float64)

    def contributions(self, vector: csr_matrix, profile: int = 0) -> FloatArray:
        """Each feature's part of the score of one row, (D,)."""
        entry, _, parts = self._news(vector, np.array([profile], np.int64))
        found = np.zeros(_SPEC.width)
        found[vector.indices[entry]] = parts
        return found

    def unseen(self, vector: csr_matrix, profile: int = 0) -> IntArray:
        """Columns of one row's symbols that were never seen, or never nearly so much of."""
        entry, *_ = self._news(vector, np.array([profile], np.int64))
        columns: IntArray = vector.indices[entry].astype(np.int64)
        return columns

    def _news(
        self, vectors: csr_matrix, profile: IntArray
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """Entries that are news, increasing, their rows, and what each counts."""
        n, events = vectors.shape[0], _SPEC.events(vectors)
        new, row = self._new_entries(vectors, profile)
        entry = np.flatnonzero(new)
        column = vectors.indices[entry]
        parts = self._weights(row[entry], column, n)
        # What another symbol brings with it counts nothing, however often.
        parts += (parts > 0) * _bulk(column, vectors.data[entry], events[row[entry]])
        shares = _shares(row[entry], column, vectors.data[entry], n)
        parts *= _filled(shares, events)[row[entry]]
        if self.peaks is not None:
            more, doublings = self.peaks.beyond(vectors, profile, events)
            place = np.searchsorted(entry, more)
            entry = np.insert(entry, place, more)
            parts = np.insert(parts, place, BEYOND * _furthest(doublings, row[more], n))
        return entry, row[entry], parts

    def most(self, columns: IntArray, profile: int = 0) -> IntArray:
        """Largest count of each of some columns in any one window; 0 where it is not kept."""
        if self.peaks is None:
            return np.zeros(len(columns), np.int64)
        return self.peaks.most(columns, profile)

    def _weights(self, row: IntArray, column: NDArray[np.int32], n: int) -> FloatArray:
        """Weigh each unseen symbol of n windows, leaving out what another one brings with it.

        One new branch of a program is one new call, not five symbols: that a call never made before
        also fails is no further news, nor are the two transitions into it and out of it.
        """
        weights = self.weight[column].astype(np.float64)
        calls, errors = _within(column, "syscalls"), _within(column, "errors")
        steps = _within(column, "transitions")
        made = row[calls] * _SPEC.width + column[calls] - _SPEC.starts["syscalls"]
        failed = row[errors] * _SPEC.width + column[errors] - _SPEC.starts["errors"]
        weights[np.flatnonzero(errors)[np.isin(failed, made)]] = 0.0
        brought = 2 * np.bincount(row[calls | _within(column, "compat")], minlength=n)
        taken = np.bincount(row[steps], minlength=n)
        left = np.maximum(taken - brought, 0) / np.maximum(taken, 1)
        weights[steps] *= left[row[steps]]
        return weights

    def _new_entries(
        self, vectors: csr_matrix, profile: IntArray
    ) -> tuple[NDArray[np.bool_], IntArray]:
        seen, held = self._fitted(profile), np.diff(vectors.indptr)
        column = vectors.indices
        byte = seen.ravel().take(np.repeat(profile * seen.shape[1], held) + (column >> 3))
        unknown = (byte & _BIT.take(column)) == 0
        return unknown & (self.weight.take(column) > 0), np.repeat(np.arange(len(held)), held)

    def _fitted(self, profile: IntArray) -> NDArray[np.uint8]:
        require_ready(self.name, 0 if self.seen is None else len(self.seen), profile)
        assert self.seen is not None  # noqa: S101  # require_ready has raised otherwise
        return self.seen

    def state(self) -> State:
        """Everything learned, as plain arrays."""
        if self.seen is None:
            return {}
        state: State = {"seen": self.seen, "weight": self.weight}
        if self.peaks is None:
            return state
        return state | {"peaks.count": self.peaks.count, "peaks.share": self.peaks.share}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Build the detector that ``state`` was taken from."""
        if "seen" not in state:
            return cls()
        parts = [state[f"peaks.{name}"] for name in ("count", "share") if f"peaks.{name}" in state]
        peaks = Peaks(*(part.astype(np.float32) for part in parts)) if parts else None
        return cls(state["seen"].astype(np.uint8), state["weight"].astype(np.float32), peaks)


def _bulk(column: NDArray[np.int32], values: NDArray[np.float32], events: FloatArray) -> FloatArray:
    """Weigh how often each unseen call was made or failed: a new path takes it once or twice."""
    share = values.astype(np.float64) ** 2
    counted = (column < _SPEC.starts["transitions"]) | (
        (column >= _SPEC.starts["uring"]) & (column < _SPEC.starts["scalars"])
    )
    often = np.log2(np.maximum(share * events, 1.0))
    weight: FloatArray = np.where(counted, BULK * often, 0.0)
    return weight


def _furthest(doublings: FloatArray, row: IntArray, n: int) -> FloatArray:
    """Share out what goes furthest in each of n windows among all that goes too far there.

    Opened, read and closed more often is one piece of news, not three.
    """
    most, total = np.zeros(n), np.bincount(row, weights=doublings, minlength=n)
    np.maximum.at(most, row, doublings)
    shared: FloatArray = doublings * most[row] / total[row]
    return shared


def _within(column: NDArray[np.int32], block: str) -> NDArray[np.bool_]:
    start = _SPEC.starts[block]
    inside: NDArray[np.bool_] = (column >= start) & (column < start + BLOCKS[block])
    return inside


def _shares(
    row: IntArray, column: NDArray[np.int32], values: NDArray[np.float32], n: int
) -> FloatArray:
    """Share of each of n windows that unseen symbols make up, (n,)."""
    groups = len(_GROUPS) + 1
    cell = row * groups + _GROUP[column]
    shares = np.bincount(cell, weights=values * values, minlength=n * groups)
    largest: FloatArray = shares.reshape(n, groups)[:, :-1].max(axis=1)
    return largest


def _filled(shares: FloatArray, events: FloatArray) -> FloatArray:
    """How much a symbol counts when unseen ones make up such a share of so many events."""
    worth = np.minimum(shares, 1.0) * events / (events + EVENTS_FOR_SHARE)
    factor: FloatArray = 1 + FILLED * np.sqrt(worth)
    return factor


def _bitmaps(vectors: csr_matrix, profile: IntArray, count: int) -> NDArray[np.uint8]:
    row = np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))
    held = np.zeros((count, _SPEC.width), np.bool_)
    held[profile[row], vectors.indices] = True
    return np.packbits(held, axis=1)
