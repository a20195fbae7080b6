"""The kernel's maps as numpy arrays: memory the kernel writes and we only look at."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from oddcall.models.sparse import IntArray
from oddcall.sensor.layout import COUNT_WIDTH, HEAD, HEADER

Counters = NDArray[np.uint32]

#: Slots mapped at a time: a whole number of pages, 11 MB.
_STRETCH = 1024
#: Reads after which a stretch that none of them touched is let go.
_IDLE_READS = 128


class Rows(Protocol):
    """Rows of counters that are copied when asked for; a numpy array is one too."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Slots, and counters of each."""

    def __getitem__(self, where: NDArray[Any] | tuple[NDArray[Any], slice], /) -> Counters:
        """Copy the rows at these positions, or under this mask, or some columns of them."""

    def __setitem__(self, rows: NDArray[Any], value: int, /) -> None:
        """Set every counter of these rows."""


@dataclass(slots=True)
class Maps:
    """Views of the mapped arrays. They stay true as the kernel counts on.

    Attributes
    ----------
    heads : HEAD array (slots,)
        Who each slot counts for. Read only.
    counts : Rows (slots, COUNT_WIDTH)
        Counters; they only grow while a process holds the slot, and wrap at 2**32. Cleared by
        the sweep before it gives the slot back.
    touched : uint64 array (slots,)
        Epoch in which the slot last counted. Read only.
    control : uint64 array (OC_CONTROLS,)
        What the program is told; written by the sweep.
    tally : uint64 array (OC_TALLIES,)
        Slots taken, and every kind of loss. Read only.
    free : callable
        Give a slot back to the kernel, and say whether it took it.
    skipped : callable
        How often the kernel did not run the program where it should have.
    """

    heads: NDArray[Any]
    counts: Rows
    touched: NDArray[np.uint64]
    control: NDArray[np.uint64]
    tally: NDArray[np.uint64]
    free: Callable[[int], bool]
    skipped: Callable[[], int]

    @classmethod
    def in_memory(cls, slots: int, free: Callable[[int], bool]) -> Maps:
        """Build maps that no kernel writes, for tests of what reads them."""
        return cls(
            np.zeros(slots, HEAD),
            np.zeros((slots, COUNT_WIDTH), np.uint32),
            np.zeros(slots, np.uint64),
            first_control(),
            np.zeros(HEADER["OC_TALLIES"], np.uint64),
            free,
            lambda: 0,
        )


def first_control() -> NDArray[np.uint64]:
    """Build what the program is told before the first look."""
    control = np.zeros(HEADER["OC_CONTROLS"], np.uint64)
    # Two behind zero, so that a slot never touched looks old.
    control[HEADER["OC_EPOCH"]] = 2
    control[HEADER["OC_ROOM"]] = 1
    return control


class MappedRows:
    """Counters in the kernel, mapped a stretch at a time for as long as its slots are in use.

    What is mapped counts as this process's memory, whether or not it was ever looked at. Low
    slots are taken first, so most of a large table stays unmapped.

    Parameters
    ----------
    fd : int
        Descriptor of the map; open for as long as rows are read.
    slots : int
    """

    def __init__(self, fd: int, slots: int) -> None:
        self.shape = (slots, COUNT_WIDTH)
        self._fd = fd
        self._stretches: dict[int, Counters] = {}
        self._idle: set[int] = set()
        self._reads = 0

    def __getitem__(self, where: NDArray[Any] | tuple[NDArray[Any], slice], /) -> Counters:
        """See `Rows`."""
        rows, columns = where if isinstance(where, tuple) else (where, slice(0, COUNT_WIDTH))
        wanted = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        parts = list(self._divided(wanted))
        if len(parts) == 1:  # as long as few processes are alive: one copy is enough
            copied = parts[0][0][parts[0][1], columns]
        else:
            copied = np.empty((len(wanted), columns.stop - columns.start), np.uint32)
            for stretch, place, here in parts:
                copied[here] = stretch[place, columns]
        self._reads += 1
        if self._reads % _IDLE_READS == 0:
            for number in self._idle:
                del self._stretches[number]
            self._idle = set(self._stretches)
        return copied

    def __setitem__(self, rows: NDArray[Any], value: int, /) -> None:
        """See `Rows`."""
        for stretch, place, _ in self._divided(rows):
            stretch[place] = value

    def _divided(self, rows: IntArray) -> Iterator[tuple[Counters, IntArray, NDArray[np.bool_]]]:
        """Give each stretch that has some of these rows, their places in it, and which they are."""
        numbers, places = np.divmod(rows, _STRETCH)
        for number in np.unique(numbers).tolist():
            here = numbers == number
            yield self._mapped(number), places[here], here

    def _mapped(self, number: int) -> Counters:
        self._idle.discard(number)
        if number not in self._stretches:
            first = number * _STRETCH
            slots = min(_STRETCH, self.shape[0] - first)
            row = np.dtype((np.uint32, (COUNT_WIDTH,)))
            self._stretches[number] = view(self._fd, slots, row, first=first, writable=True)
        return self._stretches[number]


def view(
    fd: int, slots: int, dtype: np.dtype[Any], *, first: int = 0, writable: bool = False
) -> NDArray[Any]:
    """Map an array map (``BPF_F_MMAPABLE``, kernel 5.5) into this process, from `first` on.

    The kernel rounds each value up to eight bytes; our values are multiples of eight, and
    what lies before `first` is a multiple of a page. The mapping lives as long as the array.
    """
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    pages = -(-slots * dtype.itemsize // mmap.PAGESIZE) * mmap.PAGESIZE
    begin = first * dtype.itemsize
    mapped = mmap.mmap(fd, pages, mmap.MAP_SHARED, protection, offset=begin)
    return np.frombuffer(mapped, dtype, count=slots)
