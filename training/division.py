"""How gathered windows are divided: which programs stand by themselves, what is early and late."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oddcall.models.detector import Detector
from oddcall.models.detectors import Nearest, Novelty, PcaResidual
from oddcall.models.peaks import Peaks
from oddcall.models.sparse import IntArray
from oddcall.training.pools import MEMBER_WINDOWS, NEIGHBOURS, Pool, nearest_programs, pool, spread
from oddcall.training.reservoir import Gathered


@dataclass(frozen=True, eq=False)
class Division:
    """Programs with a baseline of their own and without, and each one's earlier windows.

    Profiles are numbered so: programs of their own in the order of ``own``, then one pool for
    each of ``centres``.

    Attributes
    ----------
    gathered : Gathered
    own, small : int64
        Programs with enough windows, and the rest.
    split : int64 (P,)
        First ordinal of each program's later part.
    near : int64 (P, len(own))
        Programs of ``own`` by falling likeness to each program.
    """

    gathered: Gathered
    own: IntArray
    small: IntArray
    split: IntArray
    near: IntArray

    @classmethod
    def of(cls, gathered: Gathered, min_windows: int, later_share: float) -> Division:
        """Divide; ``own`` is empty when no program has ``min_windows``."""
        enough = gathered.count >= min_windows
        own, small = np.flatnonzero(enough), np.flatnonzero(~enough)
        split = np.ceil(gathered.count * (1 - later_share)).astype(np.int64)
        near = nearest_programs(gathered, own)
        return cls(gathered, own.astype(np.int64), small.astype(np.int64), split, near)

    def pools(self) -> list[Pool]:
        """Choose what each profile learns from, in the order of the profiles."""
        symbols = self.gathered.symbols(before=self.split)
        alone = [Pool(self.earlier(p), np.array([p]), symbols[p]) for p in self.own]
        shared = [pool(self.gathered, self._members(centre)) for centre in self.centres]
        return [*alone, *shared]

    @property
    def centres(self) -> IntArray:
        """Programs of their own that some small program is most like."""
        return np.unique(self.near[self.small, 0])

    def _members(self, centre: int) -> IntArray:
        """Programs of one pool: its centre, those like it, and the small ones it stands for."""
        around = self.near[centre, : min(NEIGHBOURS, len(self.own)) - 1]
        alike = self.small[self.near[self.small, 0] == centre]
        return np.concatenate([[centre], around, alike]).astype(np.int64)

    def profile(self) -> IntArray:
        """Profile that judges each program, (P,)."""
        judged = np.zeros(len(self.gathered.programs), np.int64)
        judged[self.own] = np.arange(len(self.own))
        place = np.searchsorted(self.centres, self.near[self.small, 0])
        judged[self.small] = len(self.own) + place
        return judged

    def earlier(self, program: int) -> IntArray:
        """Rows of a program's earlier part."""
        rows = self.rows(program)
        early: IntArray = rows[self.gathered.ordinal[rows] < self.split[program]]
        return early

    def later(self, program: int, most: int | None = None) -> IntArray:
        """Rows of a program's later part, or so many of them spread over its time."""
        rows = self.rows(program)
        late: IntArray = rows[self.gathered.ordinal[rows] >= self.split[program]]
        return late if most is None else late[spread(0, len(late), most)]

    def some_later(self, programs: IntArray) -> list[IntArray]:
        """Rows of the later parts of programs, an equal few of each."""
        return [self.later(int(p), MEMBER_WINDOWS) for p in programs]

    def rows(self, program: int) -> IntArray:
        """Rows of what is kept of a program, in its order."""
        begin, end = np.searchsorted(self.gathered.program, [program, program + 1])
        return np.arange(begin, end)


def learn(
    gathered: Gathered, pools: list[Pool], components: int, arch: str
) -> tuple[Detector, ...]:
    """Fit every detector, one profile a pool."""
    rows = np.concatenate([part.rows for part in pools])
    profile = np.repeat(np.arange(len(pools)), [len(part.rows) for part in pools])
    vectors = gathered.vectors[rows]
    residual = PcaResidual(components).fit(vectors, profile)
    assert residual.subspaces is not None  # noqa: S101  # fit has made them
    return (
        residual,
        Nearest(components).fit_within(residual.subspaces, vectors, profile),
        Novelty.of(
            np.stack([part.symbols for part in pools]), Peaks.of(vectors, profile, len(pools)), arch
        ),
    )
