"""Read what changed since the last look, and close the windows that hold enough.

The counters of a process only grow, so a window needs no accumulator of its own: it is the
difference between them now and as they stood when the window began. They are cleared only when
their process has ended and they have been read for the last time.

Most windows stay open at a look. Whether one closes is told by how many events it holds, so that
is read of every slot that counted, and the whole row only of those that close.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oddcall.models.sparse import IntArray, Sparse
from oddcall.sensor.entries import Entries
from oddcall.sensor.layout import COUNT_ORDER, EVENT_COLUMNS, HEADER, TALLIES
from oddcall.sensor.maps import Counters, Maps
from oddcall.sensor.starts import Starts

_ENDED = HEADER["OC_ENDED"]
_UNTRACKED = HEADER["OC_UNTRACKED"]
_EPOCH, _ROOM = HEADER["OC_EPOCH"], HEADER["OC_ROOM"]
#: Slots read in one go: bounds the copies to a few megabytes whatever the churn.
_CHUNK = 256
#: Slots taken since the last look that are worth another one.
_MANY = 256


@dataclass(frozen=True, slots=True)
class WindowRule:
    """When a window holds enough to be judged.

    Parameters
    ----------
    min_events : int, default 256
        It closes as soon as it holds this many events,
    max_age_s : float, default 5.0
        or is this old and holds any at all,
    or when its process ended or went on as another program.
    """

    min_events: int = 256
    max_age_s: float = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """Slots that counted since the last look, each with the window it closed, if it did.

    Attributes
    ----------
    seen : int64 array (m,)
        Slots that hold an occupant not met before; ``seen_heads`` tells who.
    slots : int64 array (n,)
        Slots whose window closed; ``heads`` tells who.
    opened_s, closed_s : float64 arrays (n,)
        Span of the window on the monotonic clock.
    blocks : dict of Sparse
        The window's counts, n rows each.
    forks, execs : int64 arrays (n,)
    ended : bool array (n,)
        The window is its occupant's last; the slot has been given back.
    gone : HEAD array (k,)
        Occupants whose process ended, whether or not they had a window to close.
    lost, lost_keys : int64 arrays (n,)
        Events, and processes, that had no slot while the window was open.
    """

    seen: IntArray
    seen_heads: NDArray[Any]
    slots: IntArray
    heads: NDArray[Any]
    opened_s: NDArray[np.float64]
    closed_s: NDArray[np.float64]
    blocks: dict[str, Sparse]
    forks: IntArray
    execs: IntArray
    ended: NDArray[np.bool_]
    gone: NDArray[Any]
    lost: IntArray
    lost_keys: IntArray

    def __len__(self) -> int:
        return len(self.slots)


def join(parts: list[Snapshot]) -> Snapshot:
    """Stack snapshots of one tick on top of each other; there must be one at least."""
    if len(parts) == 1:
        return parts[0]

    def stacked(name: str) -> Any:  # noqa: ANN401 - as many dtypes as columns
        return np.concatenate([getattr(part, name) for part in parts])

    columns = {name: stacked(name) for name in Snapshot.__slots__ if name != "blocks"}
    blocks = {
        name: Sparse.concat([part.blocks[name] for part in parts], parts[0].blocks[name].width)
        for name in COUNT_ORDER
    }
    return Snapshot(**columns, blocks=blocks)


class Sweep:
    """The user-space half of the counters: what was last read of each slot.

    Parameters
    ----------
    maps : Maps
    rule : WindowRule
    now_s : float
        Monotonic time at which counting began.
    """

    def __init__(self, maps: Maps, rule: WindowRule, now_s: float) -> None:
        slots = len(maps.heads)
        self._maps = maps
        self._rule = rule
        self._looked_s = now_s
        self._starts = Starts(slots)
        #: Events that had been counted when the window began, modulo 2**32.
        self._start_events = np.zeros(slots, np.uint32)
        self._start_life = np.zeros((slots, 2), np.int64)
        self._serial = np.zeros(slots, np.uint32)
        self._open = np.zeros(slots, np.bool_)
        self._opened_s = np.zeros(slots)
        self._start_lost = np.zeros((slots, 2), np.int64)
        self._looked_lost = np.zeros(2, np.int64)
        self._untracked: Counters = np.zeros((1, maps.counts.shape[1]), np.uint32)
        self._untracked_events = self._skipped = 0
        #: Serial of the last occupant whose slot went back: nothing more is owed for it.
        self._given_back = np.zeros(slots, np.uint32)
        self._waiting: list[int] = []
        self._returned = 0
        self._left = 0

    @property
    def tracked(self) -> int:
        """Slots in use."""
        taken = int(self._maps.tally[HEADER["OC_SLOTS_TAKEN"]])
        return taken - self._returned

    @property
    def crowded(self) -> bool:
        """Slots fill up: what ended should be read before the tick.

        More than half are in use, or many more than the last look left; then a burst of short
        processes neither runs out of slots nor spreads over ever more memory.
        """
        return self.tracked > min(len(self._maps.heads) // 2, self._left + _MANY)

    def lost(self) -> dict[str, int]:
        """Count what was lost by the last look, since the program was attached, by kind."""
        tally = {name: int(self._maps.tally[row]) for name, row in TALLIES.items()}
        del tally["slots taken"]
        return {
            "events without a slot": self._untracked_events,
            **tally,
            "hook runs skipped": self._skipped,
        }

    def look(self, now_s: float, *, close_all: bool = False, ended_only: bool = False) -> Snapshot:
        """Read every slot that counted since the last look, and close windows by the rule.

        Parameters
        ----------
        now_s : float
            Monotonic time of this look.
        close_all : bool, default False
            Close every open window, however little it holds: the last look does.
        ended_only : bool, default False
            Read only the slots whose occupant is gone, between ticks, to give them back.
        """
        rows = self._ended() if ended_only else self._due(now_s, close_all)
        lost = self._count_lost()
        parts = [
            self._read(rows[at : at + _CHUNK], now_s, lost, close_all)
            for at in range(0, max(len(rows), 1), _CHUNK)
        ]
        if not ended_only:
            self._looked_s, self._looked_lost = now_s, lost
        self._left = self.tracked
        # Processes that found no slot may ask again, when there is one.
        self._maps.control[_ROOM] = self.tracked < len(self._maps.heads) - 1
        return join(parts)

    def _count_lost(self) -> IntArray:
        """Events and processes lost so far."""
        now = self._maps.counts[np.array([_UNTRACKED])]
        more = now - self._untracked
        # Added up here: what all the untracked do together may wrap its counters.
        self._untracked_events += sum(int(more[:, columns].sum()) for columns in EVENT_COLUMNS)
        self._untracked = now
        self._skipped = self._maps.skipped()
        tally = self._maps.tally
        processes = int(tally[HEADER["OC_LOST_PROCESS"]] + tally[HEADER["OC_LOST_INDEX"]])
        return np.array([self._untracked_events + self._skipped, processes], np.int64)

    def _ended(self) -> IntArray:
        heads = self._maps.heads
        return np.flatnonzero((heads["state"] == _ENDED) & (heads["serial"] != self._given_back))

    def _due(self, now_s: float, close_all: bool) -> IntArray:
        """Find slots that counted since the last look, or whose open window is old."""
        maps = self._maps
        current = maps.control[_EPOCH]
        maps.control[_EPOCH] = current + np.uint64(1)
        # One epoch further back: a processor may still have been storing the one before
        # when the last look had passed its slot.
        due = maps.touched >= current - np.uint64(1)
        opened = np.flatnonzero(self._open)
        old = now_s - self._opened_s[opened] >= self._rule.max_age_s
        due[opened if close_all else opened[old]] = True
        due[_UNTRACKED] = False
        return np.flatnonzero(due)

    def _read(self, rows: IntArray, now_s: float, lost: IntArray, close_all: bool) -> Snapshot:
        maps, rule = self._maps, self._rule
        # Heads before counts: a head that says "ended" is followed by counts that are final.
        heads = maps.heads[rows]
        owed = heads["serial"] != self._given_back[rows]
        rows, heads = rows[owed], heads[owed]
        events = self._events(rows) - self._start_events[rows]
        new = heads["serial"] != self._serial[rows]
        self._serial[rows] = heads["serial"]
        self._start_life[rows[new]] = 0

        life = np.stack([heads["forks"], heads["execs"]], axis=1).astype(np.int64)
        grown = life - self._start_life[rows]
        alive = (events > 0) | grown.any(axis=1)
        begun = alive & ~self._open[rows]
        self._opened_s[rows[begun]] = self._looked_s
        self._start_lost[rows[begun]] = self._looked_lost
        self._open[rows[begun]] = True

        ended = heads["state"] == _ENDED
        old = now_s - self._opened_s[rows] >= rule.max_age_s
        closes = alive & ((events >= rule.min_events) | old | ended | close_all)
        shut = rows[closes]
        lost_here = lost - self._start_lost[shut]
        counts, start = maps.counts[shut], self._starts.of(shut)
        entries = Entries.of(np.subtract(counts, start, out=start))
        goes_on = ~ended[closes]
        self._starts.keep(shut[goes_on], counts[goes_on])
        self._start_events[shut] = _sums(counts[:, columns] for columns in EVENT_COLUMNS)
        self._start_life[shut] = life[closes]
        self._open[shut] = False
        self._give_back(rows[ended], heads["serial"][ended])
        return Snapshot(
            seen=rows[new],
            seen_heads=heads[new],
            slots=shut,
            heads=heads[closes],
            opened_s=self._opened_s[shut],
            closed_s=np.full(len(shut), now_s),
            blocks=entries.blocks(),
            forks=grown[closes, 0],
            execs=grown[closes, 1],
            ended=ended[closes],
            # A slot that ended by an exec leaves a process that goes on in another slot.
            gone=heads[ended & (heads["execs"] == 0)],
            lost=lost_here[:, 0],
            lost_keys=lost_here[:, 1],
        )

    def _events(self, rows: IntArray) -> NDArray[np.uint32]:
        """Events that each slot has counted, modulo 2**32: no window holds so many."""
        return _sums(self._maps.counts[rows, columns] for columns in EVENT_COLUMNS)

    def _give_back(self, slots: IntArray, serials: NDArray[np.uint32]) -> None:
        if not len(slots) and not self._waiting:
            return
        self._given_back[slots] = serials
        self._starts.drop(slots)
        self._start_events[slots] = 0
        self._maps.counts[slots] = 0
        # Low ones last, to be taken first: what is in use stays together, and memory small.
        waiting = sorted(self._waiting + slots.tolist(), reverse=True)
        # One short system call each; the kernel has no batch for it. What it is too busy to
        # take is offered again at the next look.
        self._waiting = [slot for slot in waiting if not self._maps.free(slot)]
        self._returned += len(waiting) - len(self._waiting)


def _sums(parts: Iterable[Counters]) -> NDArray[np.uint32]:
    """Sum of every row over some parts of it, modulo 2**32 as the counters are."""
    first, *others = (part.sum(axis=1, dtype=np.uint32) for part in parts)
    total: NDArray[np.uint32] = sum(others, start=first)
    return total
