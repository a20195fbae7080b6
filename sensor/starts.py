"""Counters as they stood when windows began, for processes that outlived one."""

from __future__ import annotations

import mmap
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from oddcall.models.sparse import IntArray
from oddcall.sensor.layout import COUNT_COLUMNS, COUNT_WIDTH
from oddcall.sensor.maps import Counters

#: Columns of the last page of a row: 32-bit calls and io_uring submissions.
_RARE = slice(COUNT_COLUMNS["compat"].start, COUNT_WIDTH)


class Starts:
    """Rows of counters by slot, zero until kept, that take memory only while they are kept.

    Parameters
    ----------
    slots : int
    """

    def __init__(self, slots: int) -> None:
        width = np.dtype(np.uint32).itemsize
        # A whole number of pages each, so that a row's memory can go back by itself.
        self._stride = -(-COUNT_WIDTH * width // mmap.PAGESIZE) * mmap.PAGESIZE
        # Private: what is let go of shared memory stays where it is.
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self._memory = mmap.mmap(-1, slots * self._stride, flags=flags)
        # A huge page is two hundred rows: one process would take the memory of all of them.
        with suppress(OSError):  # a kernel without huge pages
            self._memory.madvise(mmap.MADV_NOHUGEPAGE)
        rows = np.frombuffer(self._memory, np.uint32).reshape(slots, self._stride // width)
        self._rows: Counters = rows[:, :COUNT_WIDTH]
        self._kept = np.zeros(slots, np.bool_)
        #: Slots whose 32-bit calls and io_uring submissions have been kept.
        self._wide = np.zeros(slots, np.bool_)

    def of(self, slots: IntArray) -> Counters:
        """Copy the rows of some slots: (n, COUNT_WIDTH)."""
        kept = self._kept[slots]
        if kept.all():
            return self._rows[slots]
        found: Counters = np.zeros((len(slots), COUNT_WIDTH), np.uint32)
        found[kept] = self._rows[slots[kept]]
        return found

    def keep(self, slots: IntArray, counts: NDArray[np.uint32]) -> None:
        """Keep these rows for these slots."""
        # Few processes make these, and zeros need no memory: theirs is a third of a row's.
        wide = self._wide[slots] | counts[:, _RARE].any(axis=1)
        self._rows[slots, : _RARE.start] = counts[:, : _RARE.start]
        self._rows[slots[wide], _RARE] = counts[wide, _RARE]
        self._kept[slots], self._wide[slots] = True, wide

    def drop(self, slots: IntArray) -> None:
        """Let go of what was kept for these slots: they are zero again."""
        for slot in slots[self._kept[slots]].tolist():
            self._memory.madvise(mmap.MADV_DONTNEED, slot * self._stride, self._stride)
        self._kept[slots] = self._wide[slots] = False
