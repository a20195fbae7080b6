"""What each program did lately, in columns: rates, p-values, and which calls it made."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from oddcall.models.sparse import IntArray, Sparse
from oddcall.models.verdict import Verdicts
from oddcall.models.window import CALLS, Program, WindowBatch
from oddcall.service.board.ring import Ring

#: Programs kept; past it the one not seen for longest makes room.
MOST = 2048
#: Seconds that a rate is taken over: a window of a quiet program spans five.
RATE_S = 15.0
#: Seconds that "lately worst" looks back.
LATELY_S = 300.0
#: Seconds after which a call counts half among the calls made lately.
_HALF_LIFE_S = 60.0
_COLUMNS = {"p": "least", "windows": "sum", "calls": "sum", "errors": "sum", "alerts": "sum"}
#: Width and number of bins: six minutes in detail, twelve hours roughly.
_RINGS = ((5.0, 72), (240.0, 180))


def key_of(program: Program) -> str:
    """Name a program in an address: eight bytes that are the same after a restart."""
    parts = (program.exe, program.dev, program.ino, program.unit, program.container)
    return hashlib.blake2s("\0".join(map(str, parts)).encode(), digest_size=8).hexdigest()


class Programs:
    """A row a program, at most ``most`` of them.

    Attributes
    ----------
    rows : dict of Program to int
        Row of each program; a row of the columns below is that program's.
    last_ns : int64
        End of the last window, UTC; 0 for none.
    p_now : float64
        Least p-value of the last tick that held a window of it; NaN where none may alert.
    rings : tuple of Ring
        The same numbers in detail for minutes and roughly for hours.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.rows: dict[Program, int] = {}
        self.last_ns = np.zeros(16, np.int64)
        self.p_now = np.full(16, np.nan)
        self.rings = tuple(Ring(width_s, bins, _COLUMNS, 16) for width_s, bins in _RINGS)
        self._made = {name: np.zeros((16, CALLS), np.float32) for name in ("calls", "errors")}
        self._made_ns = np.zeros(16, np.int64)

    def advance(self, now_ns: int) -> None:
        """Begin the bins of a tick."""
        for ring in self.rings:
            ring.advance(now_ns)

    def count(self, batch: WindowBatch) -> IntArray:
        """Add the counts of a batch that is not empty; returns the row of each window."""
        rows = self._rows_of(batch)
        ends = batch.t_end_ns
        for ring in self.rings:
            ring.add("windows", rows, ends, np.ones(len(rows)))
            ring.add("calls", rows, ends, batch.n_events)
            ring.add("errors", rows, ends, batch.errors.row_sums())
        np.maximum.at(self.last_ns, rows, ends)
        self._fade(np.unique(rows), int(ends.max()))
        self._make("calls", rows, batch.syscalls)
        self._make("errors", rows, batch.errors)
        return rows

    def judge(self, batch: WindowBatch, verdicts: Verdicts) -> None:
        """Add the verdicts on a batch that is not empty."""
        # A p-value that no alert may follow would be taken for one that an alert was missed of.
        judged, rows = verdicts.ready, self._rows_of(batch)
        self.p_now[rows] = np.nan
        rows, ends, p = rows[judged], batch.t_end_ns[judged], verdicts.p_value[judged]
        for ring in self.rings:
            ring.add("p", rows, ends, p)
            ring.add("alerts", rows, ends, verdicts.alert[judged])
        np.fmin.at(self.p_now, rows, p)

    def rate(self, name: str) -> NDArray[np.float64]:
        """Give ``"calls"`` or ``"errors"`` a second lately, one a row."""
        fine = self.rings[0]
        bins = round(RATE_S / fine.width_s)
        rates: NDArray[np.float64] = fine.latest(name, bins, whole=True).sum(axis=1) / RATE_S
        return rates

    def lately(self, name: str) -> NDArray[np.float64]:
        """Give the least p-value, or the windows or alerts, of the last minutes, one a row."""
        fine = self.rings[0]
        values = fine.latest(name, round(LATELY_S / fine.width_s))
        joined: NDArray[np.float64] = (
            np.fmin.reduce(values, axis=1) if name == "p" else values.sum(axis=1)
        )
        return joined

    def made(self, row: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give calls and failed calls made lately by number, (CALLS,) each, old ones fading."""
        return self._made["calls"][row], self._made["errors"][row]

    def _rows_of(self, batch: WindowBatch) -> IntArray:
        # One look-up a program that is in the batch, not one a window.
        used, place = np.unique(batch.program, return_inverse=True)
        rows = np.array([self._row(batch.programs[i]) for i in used], np.int64)
        return rows[place]

    def _row(self, program: Program) -> int:
        row = self.rows.get(program)
        if row is None:
            row = self._room()
            self.rows[program] = row
        return row

    def _room(self) -> int:
        """Give a row that is free, growing or forgetting the program not seen for longest."""
        row = len(self.rows)
        if row >= self.most:
            oldest = min(self.rows, key=lambda program: self.last_ns[self.rows[program]])
            row = self.rows.pop(oldest)
            for ring in self.rings:
                ring.clear(row)
            self.last_ns[row], self.p_now[row] = 0, np.nan
            for made in self._made.values():
                made[row] = 0
        elif row >= len(self.last_ns):
            self._grow(2 * row)
        return row

    def _grow(self, rows: int) -> None:
        more = rows - len(self.last_ns)
        for ring in self.rings:
            ring.grow(rows)
        self.last_ns = np.concatenate([self.last_ns, np.zeros(more, np.int64)])
        self.p_now = np.concatenate([self.p_now, np.full(more, np.nan)])
        self._made_ns = np.concatenate([self._made_ns, np.zeros(more, np.int64)])
        for name, made in self._made.items():
            self._made[name] = np.concatenate([made, np.zeros((more, CALLS), np.float32)])

    def _fade(self, rows: IntArray, now_ns: int) -> None:
        age_s = np.maximum(now_ns - self._made_ns[rows], 0) / 1e9
        weight = (0.5 ** (age_s / _HALF_LIFE_S)).astype(np.float32)[:, None]
        for made in self._made.values():
            made[rows] *= weight
        self._made_ns[rows] = now_ns

    def _make(self, name: str, rows: IntArray, block: Sparse) -> None:
        place = rows[block.row_of_entry()] * CALLS + block.ids
        np.add.at(self._made[name].reshape(-1), place, block.counts.astype(np.float32))
