"""How much of each call one window of a program ever held.

A program that changed the protection of two pages now and then, and now does so with two hundred
in a second, makes no call it never made. Its proportions are odd, but a subspace learned from a
few hundred windows cannot say how odd: it knows variances, and rare calls have hardly any. The
largest amount ever met says it plainly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from oddcall.models.features import FeatureSpec, FloatArray
from oddcall.models.sparse import IntArray
from oddcall.models.window import BLOCKS

_SPEC = FeatureSpec()
#: Doublings past the largest amount ever met from which on there is more to tell: ordinary work
#: meets a folder ten times as large.
DOUBLINGS = 3.0
#: A largest count below this is taken for it: once and ten times is no news.
LEAST = 4.0
#: A share of a window is of so many events more: of five events one is a fifth by accident.
_EVENTS_FOR_SHARE = 20.0
#: Columns whose amount is kept: calls, failures, opcodes. Of transitions there are too many.
COLUMNS = np.concatenate(
    [
        np.arange(_SPEC.starts[block], _SPEC.starts[block] + BLOCKS[block])
        for block in ("syscalls", "errors", "uring", "compat")
    ]
)
_PLACE = np.full(_SPEC.width, -1)
_PLACE[COLUMNS] = np.arange(len(COLUMNS))


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Largest count and largest share of each call in any one window of P profiles.

    Attributes
    ----------
    count, share : float32 (P, B)
        B counts ``COLUMNS``; 0 for what was never met. They need not be of the same window.
    """

    count: NDArray[np.float32]
    share: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.count)

    @classmethod
    def none(cls, profiles: int) -> Self:
        """Nothing has been met."""
        shape = (profiles, len(COLUMNS))
        return cls(np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    @classmethod
    def of(cls, vectors: csr_matrix, profile: IntArray, profiles: int) -> Self:
        """Build from windows, (n, D), each of its profile, (n,)."""
        found = cls.none(profiles)
        found.meet(vectors, profile)
        return found

    def meet(self, vectors: csr_matrix, profile: IntArray) -> None:
        """Take the amounts of more windows in, in place: millions are met while gathering."""
        entry, row, place = _entries(vectors)
        count, share = _amounts(vectors, entry, row)
        np.maximum.at(self.count, (profile[row], place), count.astype(np.float32))
        np.maximum.at(self.share, (profile[row], place), share.astype(np.float32))

    def grown(self, more: int) -> Self:
        """Build the same with room for more profiles."""
        added = type(self).none(more)
        return type(self)(
            np.concatenate([self.count, added.count]), np.concatenate([self.share, added.share])
        )

    def together(self, members: Sequence[IntArray]) -> Self:
        """Build one profile for each group of profiles: the largest of its members'."""
        return type(self)(
            np.stack([self.count[each].max(axis=0) for each in members]),
            np.stack([self.share[each].max(axis=0) for each in members]),
        )

    def most(self, columns: IntArray, profile: int) -> IntArray:
        """Largest count of each of some columns; 0 for what was never met or is not kept."""
        place = _PLACE[columns]
        found: IntArray = np.where(place >= 0, self.count[profile, place], 0).round().astype(int)
        return found

    def beyond(self, vectors: csr_matrix, profile: IntArray) -> FloatArray:
        """Doublings by which each entry of the vectors lies past ``DOUBLINGS``, (nnz,).

        Both its count and its share must: a longer window holds more, and a short one of few
        events holds large shares. 0 for everything else, and for what was never met.
        """
        found = np.zeros(len(vectors.data))
        entry, row, place = _entries(vectors)
        count, share = _amounts(vectors, entry, row)
        most, largest = self.count[profile[row], place], self.share[profile[row], place]
        times = np.minimum(
            count / np.maximum(most, LEAST), share / np.where(most > 0, largest, np.inf)
        )
        far = np.flatnonzero(times > 2**DOUBLINGS)
        found[entry[far]] = np.log2(times[far]) - DOUBLINGS
        return found


def _entries(vectors: csr_matrix) -> tuple[IntArray, IntArray, IntArray]:
    """Entries of the columns whose amounts are kept: position, row, and place among these."""
    place = _PLACE[vectors.indices]
    entry = np.flatnonzero(place >= 0)
    row = np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))[entry]
    return entry, row, place[entry]


def _amounts(vectors: csr_matrix, entry: IntArray, row: IntArray) -> tuple[FloatArray, FloatArray]:
    """Count and share of entries; shares as if there were a few more events."""
    events = _SPEC.events(vectors)[row]
    count = vectors.data[entry].astype(np.float64) ** 2 * events
    return count, count / (events + _EVENTS_FOR_SHARE)
