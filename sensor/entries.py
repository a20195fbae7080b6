"""What is not zero in rows of counters, found once for all that is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from oddcall.models.sparse import IntArray, Sparse
from oddcall.models.window import BLOCKS
from oddcall.sensor.layout import COUNT_COLUMNS, COUNT_ORDER, EVENT_COLUMNS
from oddcall.sensor.maps import Counters

#: First column of each block.
_STARTS = np.array([COUNT_COLUMNS[name].start for name in COUNT_ORDER])


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
        total: IntArray = np.zeros(self.n, np.int64)
        for columns in EVENT_COLUMNS:
            here = (self.column >= columns.start) & (self.column < columns.stop)
            np.add.at(total, self.row[here], self.count[here])
        return total

    def blocks(self) -> dict[str, Sparse]:
        """Divide the rows into the blocks of a window."""
        block = np.searchsorted(_STARTS, self.column, side="right") - 1
        order = np.argsort(block, kind="stable")
        held = np.bincount(block * self.n + self.row, minlength=len(_STARTS) * self.n)
        indptr = np.zeros((len(_STARTS), self.n + 1), np.int64)
        np.cumsum(held.reshape(len(_STARTS), self.n), axis=1, out=indptr[:, 1:])
        column, count = (self.column - _STARTS[block])[order], self.count[order]
        edges = [0, *np.cumsum(indptr[:, -1]).tolist()]
        return {
            name: Sparse(indptr[i], column[start:end], count[start:end], BLOCKS[name])
            for i, (name, start, end) in enumerate(zip(COUNT_ORDER, edges, edges[1:], strict=False))
        }
