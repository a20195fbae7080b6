"""Counts of a batch of windows, kept sparse: most programs use a few dozen calls of hundreds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """A matrix of non-negative counts in compressed sparse rows (CSR).

    Attributes
    ----------
    indptr : int64 array (n + 1,)
        Row ``i`` owns entries ``indptr[i]:indptr[i + 1]``.
    ids : int64 array (nnz,)
        Column of each entry, increasing within a row.
    counts : int64 array (nnz,)
        Count of each entry, above zero.
    width : int
        Number of columns.
    """

    indptr: IntArray
    ids: IntArray
    counts: IntArray
    width: int

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def empty(cls, n: int, width: int) -> Sparse:
        """Build ``n`` rows that hold nothing."""
        nothing = np.zeros(0, np.int64)
        return cls(np.zeros(n + 1, np.int64), nothing, nothing, width)

    @classmethod
    def from_dense(cls, dense: NDArray[np.integer]) -> Sparse:
        """Build from a dense (n, width) array of counts."""
        rows, ids = np.nonzero(dense)
        indptr = np.zeros(len(dense) + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=len(dense)), out=indptr[1:])
        counts = dense[rows, ids].astype(np.int64)
        return cls(indptr, ids.astype(np.int64), counts, dense.shape[1])

    @classmethod
    def from_rows(
        cls, ids: Sequence[NDArray[np.integer]], counts: Sequence[NDArray[np.integer]], width: int
    ) -> Sparse:
        """Build from one pair of arrays a row."""
        indptr = np.zeros(len(ids) + 1, np.int64)
        np.cumsum([len(row) for row in ids], out=indptr[1:])
        if not len(ids):
            return cls.empty(0, width)
        return cls(
            indptr,
            np.concatenate(ids).astype(np.int64),
            np.concatenate(counts).astype(np.int64),
            width,
        )

    @classmethod
    def concat(cls, blocks: Sequence[Sparse], width: int) -> Sparse:
        """Stack blocks of one width on top of each other."""
        if not blocks:
            return cls.empty(0, width)
        sizes = np.cumsum([0, *(len(block.ids) for block in blocks)])
        starts = [block.indptr[:-1] + size for block, size in zip(blocks, sizes[:-1], strict=True)]
        return cls(
            np.concatenate([*starts, sizes[-1:]]).astype(np.int64),
            np.concatenate([block.ids for block in blocks]),
            np.concatenate([block.counts for block in blocks]),
            width,
        )

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> Sparse:
        """Pick rows by position or by mask, in the order given."""
        picked = np.flatnonzero(rows) if rows.dtype == np.bool_ else np.asarray(rows, np.int64)
        if not len(self.ids):
            return Sparse.empty(len(picked), self.width)
        lengths = (self.indptr[1:] - self.indptr[:-1])[picked]
        indptr = np.zeros(len(picked) + 1, np.int64)
        np.cumsum(lengths, out=indptr[1:])
        # Position of every kept entry: its row's old start plus its place within the row.
        entries = np.arange(indptr[-1]) + np.repeat(self.indptr[picked] - indptr[:-1], lengths)
        return Sparse(indptr, self.ids[entries], self.counts[entries], self.width)

    def row_of_entry(self) -> IntArray:
        """Row of every entry, (nnz,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    def row_sums(self) -> IntArray:
        """Sum of every row, (n,)."""
        if not len(self.counts):  # 32-bit calls and io_uring: most hosts make none
            return np.zeros(len(self), np.int64)
        total = np.zeros(len(self.counts) + 1, np.int64)
        np.cumsum(self.counts, out=total[1:])
        sums: IntArray = total[self.indptr[1:]] - total[self.indptr[:-1]]
        return sums

    def total(self) -> Sparse:
        """Sum of all rows, as one row."""
        ids, place = np.unique(self.ids, return_inverse=True)
        counts = np.bincount(place, weights=self.counts, minlength=len(ids)).astype(np.int64)
        return Sparse(np.array([0, len(ids)]), ids.astype(np.int64), counts, self.width)

    def row(self, i: int) -> tuple[IntArray, IntArray]:
        """Columns and counts of one row."""
        here = slice(self.indptr[i], self.indptr[i + 1])
        return self.ids[here], self.counts[here]

    def to_dense(self) -> IntArray:
        """Dense (n, width) copy."""
        dense = np.zeros((len(self), self.width), np.int64)
        dense[self.row_of_entry(), self.ids] = self.counts
        return dense
