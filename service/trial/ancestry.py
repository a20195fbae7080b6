"""Which processes of a recording descend from which: whose alerts are the trial's own doing."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path

from oddcall.training.recording import read_batches

#: What is known of one process that had a pid: when it began, and its parent's pid.
_Life = tuple[int, int]


class Ancestry:
    """Parents of every process of a recording; memory goes with the processes.

    A busy host gives a pid away again within minutes. A parent began before its child, so of
    those that had its pid it is the one that began last before it.

    Parameters
    ----------
    processes : iterable of (pid, start time, parent's pid)
    """

    def __init__(self, processes: Iterable[tuple[int, int, int]]) -> None:
        lives: dict[int, dict[int, int]] = {}
        for pid, began, parent in processes:
            # The first parent: one that outlives it hands the process on to another.
            lives.setdefault(pid, {}).setdefault(began, parent)
        self._lives: dict[int, list[_Life]] = {
            pid: sorted(known.items()) for pid, known in lives.items()
        }

    @classmethod
    def of(cls, *recordings: Path) -> Ancestry:
        """Read it off recordings."""
        return cls(
            process
            for recording in recordings
            if recording.is_dir()
            for batch in read_batches(recording)
            for process in zip(
                batch.pid.tolist(), batch.start_time_ns.tolist(), batch.ppid.tolist(), strict=True
            )
        )

    def descends(self, pid: int, began: int, parent: int, ancestors: set[int]) -> bool:
        """Whether a process, or its given parent, is one of the ancestors or descends from one."""
        return self._leads(pid, began, ancestors) or self._leads(parent, began, ancestors)

    def _leads(self, pid: int, began: int, ancestors: set[int]) -> bool:
        # Every step goes to one that began no later, and of the same moment only to another pid.
        seen: set[tuple[int, int]] = set()
        while pid > 1 and (pid, began) not in seen:
            if pid in ancestors:
                return True
            seen.add((pid, began))
            lives = self._lives.get(pid, [])
            place = bisect_right(lives, (began, 1 << 62)) - 1
            if place < 0:
                return False
            began, pid = lives[place]
        return False
