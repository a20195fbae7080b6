"""The kernel's maps as numpy arrays: memory the kernel writes and we only look at."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oddcall.sensor.layout import COUNT_WIDTH, HEAD, HEADER

Counters = NDArray[np.uint32]


@dataclass(slots=True)
class Maps:
    """Views of the mapped arrays. They stay true as the kernel counts on.

    Attributes
    ----------
    heads : HEAD array (slots,)
        Who each slot counts for. Read only.
    counts : uint32 array (slots, COUNT_WIDTH)
        Counters; they only grow, and wrap at 2**32. Read only.
    touched : uint64 array (slots,)
        Epoch in which the slot last counted. Read only.
    epoch : uint64 array (1,)
        Written by the sweep.
    tally : uint64 array (OC_TALLIES,)
        Slots taken, and every kind of loss. Read only.
    free : callable
        Give a slot back to the kernel.
    """

    heads: NDArray[Any]
    counts: Counters
    touched: NDArray[np.uint64]
    epoch: NDArray[np.uint64]
    tally: NDArray[np.uint64]
    free: Callable[[int], None]

    @classmethod
    def in_memory(cls, slots: int, free: Callable[[int], None]) -> Maps:
        """Build maps that no kernel writes, for tests of what reads them."""
        return cls(
            np.zeros(slots, HEAD),
            np.zeros((slots, COUNT_WIDTH), np.uint32),
            np.zeros(slots, np.uint64),
            np.full(1, 2, np.uint64),
            np.zeros(HEADER["OC_TALLIES"], np.uint64),
            free,
        )


def view(fd: int, slots: int, dtype: np.dtype[Any], *, writable: bool = False) -> NDArray[Any]:
    """Map an array map (``BPF_F_MMAPABLE``, kernel 5.5) into this process.

    The kernel rounds each value up to eight bytes; our values are multiples of eight.
    The mapping lives as long as the array does.
    """
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    pages = -(-slots * dtype.itemsize // mmap.PAGESIZE) * mmap.PAGESIZE
    mapped = mmap.mmap(fd, pages, mmap.MAP_SHARED, protection)
    return np.frombuffer(mapped, dtype, count=slots)
