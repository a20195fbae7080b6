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
#: A share is worth half at so many events: of five events one is a fifth by accident.
EVENTS_FOR_SHARE = 20.0
#: Columns whose amount is kept: calls, failures, opcodes. Of transitions there are too many.
COLUMNS = np.concatenate(
    [
        np.arange(_SPEC.starts[block], _SPEC.starts[block] + BLOCKS[block])
        for block in ("syscalls", "errors", "uring", "compat")
    ]
)
#: What is not kept shares one place, the last one.
_PLACES = len(COLUMNS) + 1
_PLACE = np.full(_SPEC.width, len(COLUMNS))
_PLACE[COLUMNS] = np.arange(len(COLUMNS))


@dataclass(frozen=True, slots=True, eq=False)
class Peaks:
    """Largest count and largest share of each call in any one window of P profiles.

    Attributes
    ----------
    count, share : float32 (P, B + 1)
        B counts ``COLUMNS``; 0 for what was never met. They need not be of the same window. The
        last place is infinite: of what is not kept nothing is beyond.
    """

    count: NDArray[np.float32]
    share: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.count)

    @classmethod
    def none(cls, profiles: int) -> Self:
        """Nothing has been met."""
        empty = np.zeros((profiles, _PLACES), np.float32)
        empty[:, -1] = np.inf
        return cls(empty, empty.copy())

    @classmethod
    def of(cls, vectors: csr_matrix, profile: IntArray, profiles: int) -> Self:
        """Build from windows, (n, D), each of its profile, (n,)."""
        found = cls.none(profiles)
        found.meet(vectors, profile)
        return found

    def meet(self, vectors: csr_matrix, profile: IntArray) -> None:
        """Take the amounts of more windows in, in place: millions are met while gathering."""
        row = np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))
        cell = (profile[row], _PLACE[vectors.indices])
        events = _SPEC.events(vectors)
        square = vectors.data.astype(np.float64) ** 2
        np.maximum.at(self.count, cell, (square * events[row]).astype(np.float32))
        np.maximum.at(self.share, cell, (square * _steady(events)[row]).astype(np.float32))

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
        found = self.count[profile, _PLACE[columns]]
        counts: IntArray = np.where(np.isfinite(found), found, 0).round().astype(np.int64)
        return counts

    def beyond(
        self, vectors: csr_matrix, profile: IntArray, events: FloatArray
    ) -> tuple[IntArray, FloatArray]:
        """Find the entries of vectors that lie past ``DOUBLINGS``, and by how many more.

        Both count and share must: a longer window holds more, and a short one of few events
        holds large shares.

        Parameters
        ----------
        vectors : float32 CSR (n, D)
        profile : int64 (n,)
        events : float64 (n,)
            As ``FeatureSpec.events`` gives them.

        Returns
        -------
        Positions of these entries, (m,), increasing, and doublings, (m,), above 0. What was
        never met is not among them.
        """
        held = np.diff(vectors.indptr)
        cell = np.repeat(profile * _PLACES, held) + _PLACE.take(vectors.indices)
        share = vectors.data**2 * np.repeat(_steady(events).astype(np.float32), held)
        # Nearly all entries end here, so that counts are looked up for few.
        far = np.flatnonzero(share > np.float32(2**DOUBLINGS) * self.share.ravel().take(cell))
        most, largest = self.count.ravel()[cell[far]], self.share.ravel()[cell[far]]
        met = most > 0
        far, most, largest = far[met], most[met], largest[met]
        row = np.searchsorted(vectors.indptr, far, side="right") - 1
        count = vectors.data[far].astype(np.float64) ** 2 * events[row]
        times = np.minimum(count / np.maximum(most, LEAST), share[far] / largest)
        past = times > 2**DOUBLINGS
        return far[past], np.log2(times[past]) - DOUBLINGS


def _steady(events: FloatArray) -> FloatArray:
    """Weigh a share among so many events."""
    return events / (events + EVENTS_FOR_SHARE)
