"""Which processes of a recording descend from which: whose alerts are the trial's own doing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from oddcall.training.recording import read_batches


class Ancestry:
    """Parents of every process of a recording; memory goes with the processes.

    Parameters
    ----------
    parents : iterable of (pid, parent's pid)
    """

    def __init__(self, parents: Iterable[tuple[int, int]]) -> None:
        # A pid that comes back in a recording of minutes is rare; the first parent is kept.
        self._parent: dict[int, int] = {}
        for pid, parent in parents:
            self._parent.setdefault(pid, parent)

    @classmethod
    def of(cls, *recordings: Path) -> Ancestry:
        """Read it off recordings."""
        return cls(
            pair
            for recording in recordings
            if recording.is_dir()
            for batch in read_batches(recording)
            for pair in zip(batch.pid.tolist(), batch.ppid.tolist(), strict=True)
        )

    def descends(self, pid: int, parent: int, ancestors: set[int]) -> bool:
        """Whether a process, or its given parent, is one of the ancestors or descends from one."""
        seen: set[int] = set()
        for current in (pid, parent):
            while current > 1 and current not in seen:
                if current in ancestors:
                    return True
                seen.add(current)
                current = self._parent.get(current, 0)  # noqa: PLW2901  walks up
        return False
