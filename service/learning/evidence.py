"""What has been seen of each program while learning, and whether it is enough."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oddcall.models.sparse import Sparse
from oddcall.models.window import CALLS, TRANSITIONS, Program, WindowBatch

#: A longer silence is a time when nobody looked, such as a restart: it is not learning time.
_GAP_S = 60.0
#: Or so many intervals between ticks, where they are longer.
_GAP_TICKS = 3
#: Part of a program's time, at its end, in which it must show nothing new to count as settled.
_SETTLED = 0.25
#: Part of all windows that must belong to programs with enough of them.
_COVERED = 0.8


@dataclass(frozen=True, slots=True)
class Seen:
    """What one program showed.

    Attributes
    ----------
    windows : int
        Its windows that were added up here.
    state : str
        ``"collecting"`` below the windows a baseline needs, ``"learning"`` while it still
        shows calls or transitions never seen of it, else ``"ready"``.
    calls : int
        Distinct calls so far.
    quiet_s : float
        Seconds of learning since it last showed something new.
    age_s : float
        Seconds of learning since its first window.
    before : int
        Windows of it that were learned from before; a baseline rests on them as well.
    """

    program: Program
    windows: int
    calls: int
    quiet_s: float
    state: str
    age_s: float = 0.0
    before: int = 0

    @property
    def in_all(self) -> int:
        """Windows that its next baseline will rest on."""
        return self.before + self.windows


class Evidence:
    """Adds up windows per program, in memory bounded by the number of programs.

    Parameters
    ----------
    duration_s : float
        Shortest time to learn.
    patience : int
        Times that duration after which what there is must do.
    min_windows : int
        Windows a program needs for a baseline of its own.
    interval_s : float, default 1.0
        Seconds between two ticks, until a tick says otherwise.

    Attributes
    ----------
    before : mapping of Program to int, default nothing
        Windows that were learned from before, and are not added up here.
    """

    def __init__(
        self, duration_s: float, patience: int, min_windows: int, interval_s: float = 1.0
    ) -> None:
        self.duration_s, self.patience, self.min_windows = duration_s, patience, min_windows
        self._interval_s = interval_s
        self.before: Mapping[Program, int] = {}
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.elapsed_s = 0.0
        self.windows = 0
        self._now_ns = 0
        self._place: dict[Program, int] = {}
        self._shown = np.zeros((16, CALLS + TRANSITIONS), np.bool_)
        self._count = np.zeros(16, np.int64)
        self._news_s = np.zeros(16, np.float64)
        self._first_s: list[float] = []

    def drop(self, places: Collection[tuple[str, str, str]]) -> None:
        """Leave out what was seen of programs of these places so far."""
        rows = [row for program, row in self._place.items() if program.place in places]
        self.windows -= int(self._count[rows].sum())
        self._count[rows], self._shown[rows] = 0, False
        for row in rows:
            self._first_s[row] = self.elapsed_s

    def add(
        self, batch: WindowBatch, now_ns: int | None = None, interval_s: float | None = None
    ) -> None:
        """Add one tick's windows.

        Parameters
        ----------
        now_ns : time of the tick, UTC; default the end of the batch's last window.
        interval_s : seconds until the next one; default as before.
        """
        now_ns = now_ns if now_ns is not None else int(batch.t_end_ns.max(initial=0))
        # What a window spans was looked at, however long ago the tick before was.
        self._advance(now_ns, int(batch.t_start_ns.min(initial=now_ns)))
        self._interval_s = self._interval_s if interval_s is None else interval_s
        if not len(batch):
            return
        place = np.array([self._row(program) for program in batch.programs], np.int64)
        programs = place[batch.program]
        self.windows += len(batch)
        np.add.at(self._count, programs, 1)
        self._mark(programs, batch.syscalls, 0)
        self._mark(programs, batch.transitions, CALLS)

    def programs(self) -> list[Seen]:
        """List what each program showed, most windows first."""
        seen = [self._seen(program, row) for program, row in self._place.items()]
        return sorted((s for s in seen if s.windows), key=lambda s: -s.windows)

    @property
    def covered(self) -> float:
        """Share of the windows that belong to programs with enough of them."""
        enough = self._count[self._count >= self.min_windows].sum()
        return float(enough / max(self.windows, 1))

    @property
    def enough(self) -> bool:
        """Whether to train now: long enough, and seen enough or waited enough."""
        if self.elapsed_s < self.duration_s or not self.windows:
            return False
        return self.covered >= _COVERED or self.elapsed_s >= self.duration_s * self.patience

    @property
    def remaining_s(self) -> float:
        """Seconds still to learn: to the shortest time, or past it to the longest."""
        end = self.duration_s
        if self.elapsed_s >= end and not self.enough:
            end *= self.patience
        return max(0.0, end - self.elapsed_s)

    def wait_longer(self) -> None:
        """Learn on for as long again: training said there is too little."""
        self.duration_s, self.patience = self.elapsed_s + self.duration_s, 1

    def _advance(self, now_ns: int, since_ns: int) -> None:
        passed_s, unseen_s = (now_ns - self._now_ns) / 1e9, (since_ns - self._now_ns) / 1e9
        if passed_s > 0 and unseen_s <= max(_GAP_S, _GAP_TICKS * self._interval_s):
            self.elapsed_s += passed_s
        self._now_ns = now_ns or self._now_ns

    def _row(self, program: Program) -> int:
        row = self._place.setdefault(program, len(self._place))
        if row == len(self._first_s):
            self._first_s.append(self.elapsed_s)
        if row >= len(self._count):
            self._shown = np.concatenate([self._shown, np.zeros_like(self._shown)])
            self._count = np.concatenate([self._count, np.zeros_like(self._count)])
            self._news_s = np.concatenate([self._news_s, np.zeros_like(self._news_s)])
        return row

    def _mark(self, programs: NDArray[np.int64], block: Sparse, offset: int) -> None:
        row, column = programs[block.row_of_entry()], block.ids + offset
        self._news_s[row[~self._shown[row, column]]] = self.elapsed_s
        self._shown[row, column] = True

    def _seen(self, program: Program, row: int) -> Seen:
        windows, before = int(self._count[row]), self.before.get(program, 0)
        quiet_s = self.elapsed_s - float(self._news_s[row])
        age_s = self.elapsed_s - self._first_s[row]
        state = "ready" if quiet_s >= _SETTLED * age_s else "learning"
        if before + windows < self.min_windows:
            state = "collecting"
        calls = int(self._shown[row, :CALLS].sum())
        return Seen(program, windows, calls, quiet_s, state, age_s, before)
