"""Which program each slot counts for, learned once when its occupant is first seen."""

from __future__ import annotations

import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oddcall.models.sparse import IntArray
from oddcall.models.window import OTHER, Program
from oddcall.sensor import process
from oddcall.sensor.cgroup import Group

#: Executables remembered by inode, for processes that are gone before /proc is read.
_REMEMBERED = 4096
_Binary = tuple[str, int, int]


class Identities:
    """What is known of the occupant of every slot.

    Parameters
    ----------
    slots : int
    proc : Path
        Where the process tree is mounted.
    max_programs : int
        Programs told apart; the ones met later share the row `OTHER`.

    Attributes
    ----------
    program : int64 array (slots,)
        Index into `programs`.
    container : object array (slots,) of str
    complete : bool array (slots,)
    refused : int
        Occupants counted as `OTHER` because the table was full.
    """

    def __init__(self, slots: int, proc: Path, max_programs: int) -> None:
        self.program = np.zeros(slots, np.int64)
        self.container = np.full(slots, "", object)
        self.complete = np.zeros(slots, np.bool_)
        self.refused = 0
        self.programs: tuple[Program, ...] = (OTHER,)
        self._proc = proc
        self._max_programs = max_programs
        self._index = {OTHER: 0}
        self._binaries: OrderedDict[tuple[int, int], _Binary] = OrderedDict()
        self._groups: dict[int, tuple[int, Group]] = {}

    def meet(self, slots: IntArray, heads: NDArray[Any]) -> None:
        """Learn who took each of these slots (m,), told by their heads (m,).

        A loop, because /proc is read a process at a time; each process passes here once.
        Parents come before their children, who may have to inherit from them.
        """
        order = np.lexsort((heads["serial"], heads["start_ns"]))
        for slot, head in zip(slots[order].tolist(), heads[order], strict=True):
            program, container, complete = self._identify(head)
            self.program[slot] = self._row(program)
            self.container[slot] = container
            self.complete[slot] = complete
        if len(self._index) != len(self.programs):
            self.programs = tuple(self._index)

    def forget(self, heads: NDArray[Any]) -> None:
        """Drop what is kept for processes that ended (k,), so that memory follows the living."""
        for pid, start in zip(heads["tgid"].tolist(), heads["start_ns"].tolist(), strict=True):
            known = self._groups.get(pid)
            if known is not None and known[0] == start:
                del self._groups[pid]

    def _identify(self, head: Any) -> tuple[Program, str, bool]:  # noqa: ANN401 - a numpy record
        pid, start = int(head["tgid"]), int(head["start_ns"])
        found = process.read(self._proc, pid)
        if found is not None and not process.same_start(start, found.start_ticks):
            found = None  # another process has taken the pid since
        binary, sure = self._binary(head, found)
        group = found.group if found is not None and found.group.path else self._inherited(head)
        if group is not None:
            self._groups[pid] = (start, group)
        if len(self._groups) > 2 * len(self.program):
            # Of one whose end was not told: it had lost its slot before.
            del self._groups[next(iter(self._groups))]
        known = group or Group()
        program = Program(*binary, known.unit, known.container)
        return program, known.container_id, bool(sure and group)

    def _binary(self, head: Any, found: process.Process | None) -> tuple[_Binary, bool]:  # noqa: ANN401
        """Path, device and inode, and whether they are sure.

        From /proc if the process still runs the same, else as remembered.
        """
        key = (int(head["dev"]), int(head["ino"]))
        if found is not None and found.exe and found.ino == key[1]:
            return self._remember(key, (found.exe, found.dev, found.ino)), bool(found.ino)
        if key in self._binaries:
            return self._remember(key, self._binaries[key]), bool(key[1])
        # What follows the first zero is left from whoever had the slot before.
        path = os.fsdecode(bytes(head["exe"]).partition(b"\0")[0])
        real = _real_path(path, key[1])
        if real is not None:
            return self._remember(key, real), True
        if found is not None and found.exe and not key[1]:
            return (found.exe, found.dev, found.ino), bool(found.ino)
        # Gone before anyone looked, and run by a path that says nothing now.
        return (path if path.isprintable() else ascii(path), _device(key[0]), key[1]), False

    def _remember(self, key: tuple[int, int], binary: _Binary) -> _Binary:
        self._binaries[key] = binary
        self._binaries.move_to_end(key)
        if len(self._binaries) > _REMEMBERED:
            self._binaries.popitem(last=False)
        return binary

    def _inherited(self, head: Any) -> Group | None:  # noqa: ANN401
        """Take the group it had as its last program, or else its parent's, where a child begins."""
        known = self._groups.get(int(head["tgid"]))
        if known is not None and known[0] == int(head["start_ns"]):
            return known[1]
        known = self._groups.get(int(head["ppid"]))
        return known[1] if known is not None else None

    def _row(self, program: Program) -> int:
        row = self._index.get(program)
        if row is None and len(self._index) < self._max_programs:
            row = self._index[program] = len(self._index)
        if row is None:
            self.refused += 1
        return row or 0


def _real_path(path: str, ino: int) -> _Binary | None:
    """Resolve a path given to exec, if it still leads to the same inode."""
    if not path.startswith("/") or not ino:
        return None
    try:
        real = os.path.realpath(path, strict=True)
        found = os.stat(real)  # noqa: PTH116 - a string is all that is needed
    except (OSError, ValueError):
        return None
    return (real, found.st_dev, found.st_ino) if found.st_ino == ino else None


def _device(kernel: int) -> int:
    """Turn the kernel's own device number (MAJOR << 20 | MINOR) into the one that stat gives."""
    return os.makedev(kernel >> 20, kernel & 0xFFFFF)
