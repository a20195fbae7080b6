"""Who a process is, from /proc: its executable, its parent, where it runs, when it began."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oddcall.sensor import cgroup

if TYPE_CHECKING:
    from oddcall.models.window import Program

#: /proc counts in these, whatever the kernel's own tick is (``USER_HZ``, part of the ABI).
TICKS_PER_S = 100
_NS_PER_TICK = 1_000_000_000 // TICKS_PER_S

#: Bytes kept of a command line: enough for a person, whatever the process wrote there.
CMDLINE_BYTES = 1024
#: A group's text is a line per hierarchy; paths are bounded by the kernel.
_TEXT_BYTES = 16_384
_DELETED = " (deleted)"


@dataclass(frozen=True, slots=True)
class Process:
    """One process as /proc told it at one moment.

    Attributes
    ----------
    pid, ppid : int
        Thread-group id, and that of the parent (-1 where not told).
    uid : int
        Owner of the process's folder: its effective user, but root for a process that may not
        be dumped. What the kernel side saw is better; ``status`` would cost as much as all else.
    start_ticks : int
        Start on the boot clock in ticks of 10 ms; -1 where not told. See `same_start`.
    comm : str
        Name the process gave itself. For people only.
    exe : str
        Path of the executable, ``/memfd:name`` for one that never was in a file system,
        ``""`` where not told (kernel threads, zombies, no permission).
    deleted : bool
        The executable has no name any more: replaced by an upgrade, removed, or a memfd.
    dev, ino : int
        Device and inode of the executable, 0 where not told.
    group : Group
        Container and unit.
    complete : bool
        The executable, its inode and the group were all told.

    Characters that a terminal would act on are escaped in every text.
    """

    pid: int
    ppid: int
    uid: int
    start_ticks: int
    comm: str
    exe: str
    deleted: bool
    dev: int
    ino: int
    group: cgroup.Group
    complete: bool

    @property
    def program(self) -> Program:
        """What the process's baseline belongs to."""
        # Here, so that reading an identity does not load numpy.
        from oddcall.models.window import Program

        return Program(self.exe, self.dev, self.ino, self.group.unit, self.group.container)


def read(proc: Path, pid: int) -> Process | None:
    """Read a process's identity; None when there is no such process (any more).

    Every read goes through one descriptor of the process's folder, so a pid that is used
    again in between is never mixed in: the reads fail instead, and the identity is incomplete.
    """
    try:
        folder = os.open(f"{proc}/{pid}", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _read(folder, pid)
    finally:
        os.close(folder)


def cmdline(proc: Path, pid: int) -> str:
    """Read the arguments, with spaces between; at most `CMDLINE_BYTES` of them.

    ``""`` when the process is gone, a zombie or out of reach. Identity does not need them, so
    they are read for the few processes that people are told of.
    """
    return _arguments(_text_of(f"{proc}/{pid}/cmdline", None, CMDLINE_BYTES))


def same_start(start_ns: int, start_ticks: int) -> bool:
    """Say whether the kernel's exact start and the one of /proc are the same moment.

    Parameters
    ----------
    start_ns : int
        Nanoseconds on the boot clock.
    start_ticks : int
        Field 22 of ``/proc/PID/stat``, the same rounded down to 10 ms.

    Notes
    -----
    One tick of difference is let pass (clocks that were adjusted between the two roundings);
    a pid cannot come around again within 20 ms.
    """
    return abs(start_ns // _NS_PER_TICK - start_ticks) <= 1


def _read(folder: int, pid: int) -> Process | None:
    stat = _text_of("stat", folder, 4096)
    if not stat:
        return None
    comm, ppid, start_ticks = _parse_stat(stat)
    exe, dev, ino = _executable(folder)
    text = _text_of("cgroup", folder, _TEXT_BYTES)
    return Process(
        pid=pid,
        ppid=ppid,
        uid=os.fstat(folder).st_uid,
        start_ticks=start_ticks,
        comm=_shown(comm),
        exe=_shown(exe.removesuffix(_DELETED.encode())),
        deleted=exe.endswith(_DELETED.encode()),
        dev=dev,
        ino=ino,
        group=cgroup.parse(_shown(text, keep="\n")),
        complete=bool(exe and ino and text),
    )


def _parse_stat(stat: bytes) -> tuple[bytes, int, int]:
    """Give comm, parent and start. The name may hold parentheses: the last one ends it."""
    head, _, tail = stat.rpartition(b")")
    fields = tail.split()
    try:
        return head.partition(b"(")[2], int(fields[1]), int(fields[19])
    except (IndexError, ValueError):
        return b"", -1, -1


def _executable(folder: int) -> tuple[bytes, int, int]:
    """Path, device and inode; a kernel thread or a zombie has none, and root's may be forbidden."""
    exe, dev, ino = b"", 0, 0
    with contextlib.suppress(OSError):
        exe = os.readlink(b"exe", dir_fd=folder)
        # Through the link, not by the path: right for another mount namespace and for
        # an executable that was replaced.
        found = os.stat(b"exe", dir_fd=folder)
        dev, ino = found.st_dev, found.st_ino
    return exe, dev, ino


def _text_of(path: str, folder: int | None, limit: int) -> bytes:
    """Up to `limit` bytes, ``b""`` where the process is gone (ENOENT, ESRCH) or out of reach."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return b""
    try:
        return os.read(file, limit)
    except OSError:
        return b""
    finally:
        os.close(file)


def _arguments(raw: bytes) -> str:
    return _shown(raw[:CMDLINE_BYTES].rstrip(b"\0").replace(b"\0", b" "))


def _shown(raw: bytes, keep: str = "") -> str:
    """Text that any file and any terminal can take: odd bytes and controls become escapes."""
    text = raw.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text
    )
