"""What is not zero in rows of counters, found once for all that is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from oddcall.models.sparse import IntArray, Sparse
from oddcall.models.window import BLOCKS
from oddcall.sensor.layout import COUNT_COLUMNS, COUNT_ORDER
from oddcall.sensor.maps import Counters

#: Blocks whose counts are events.
_EVENTS = ("syscalls", "compat", "uring")


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Counts above zero of n rows, in the order of rows and columns.

    Attributes
    ----------
    n : int
    row, column, count : int64 arrays (nnz,)
    """

    n: int
    row: IntArray
    column: IntArray
    count: IntArray

    @classmethod
    def of(cls, counts: Counters) -> Self:
        """Find them in dense rows (n, COUNT_WIDTH), of which nearly all is zero."""
        places = np.flatnonzero(counts != 0)
        row, column = np.divmod(places, counts.shape[1])
        return cls(len(counts), row, column, counts.ravel()[places].astype(np.int64))

    def events(self) -> IntArray:
        """Count calls, 32-bit calls and io_uring submissions of each row, (n,)."""
        is_event = np.zeros(len(self.column), np.bool_)
        for name in _EVENTS:
            is_event |= self._of(name)
        total: IntArray = np.zeros(self.n, np.int64)
        np.add.at(total, self.row[is_event], self.count[is_event])
        return total

    def blocks(self, rows: NDArray[np.bool_]) -> dict[str, Sparse]:
        """Divide the rows under a mask (n,) into the blocks of a window."""
        kept = rows[self.row]
        row = (np.cumsum(rows) - 1)[self.row]
        found = {}
        for name in COUNT_ORDER:
            here = kept & self._of(name)
            indptr = np.zeros(np.count_nonzero(rows) + 1, np.int64)
            np.cumsum(np.bincount(row[here], minlength=len(indptr) - 1), out=indptr[1:])
            column = self.column[here] - COUNT_COLUMNS[name].start
            found[name] = Sparse(indptr, column, self.count[here], BLOCKS[name])
        return found

    def _of(self, name: str) -> NDArray[np.bool_]:
        columns = COUNT_COLUMNS[name]
        of: NDArray[np.bool_] = (self.column >= columns.start) & (self.column < columns.stop)
        return of
