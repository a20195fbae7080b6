"""The batch that every stage passes on: one row a window of one process, in columns.

A window is tumbling: it begins where the process's last one ended, and it may
span several ticks, until it holds enough events or reaches its maximum age.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from oddcall.models.sparse import IntArray, Sparse

#: Native calls by number; the last column gathers every number at or past it.
CALLS = 512
#: Buckets of the hashed table of call-to-call transitions.
TRANSITIONS = 1024
#: io_uring opcodes; the last column gathers every opcode at or past it.
URING = 128

#: Width of each count block. ``compat`` holds 32-bit calls by their own numbers.
BLOCKS: dict[str, int] = {
    "syscalls": CALLS,
    "errors": CALLS,
    "transitions": TRANSITIONS,
    "uring": URING,
    "compat": CALLS,
}


#: Bits of a device's major number as ``stat`` gives it (glibc ``gnu_dev_major``).
_MAJOR = 0xFFFFF00000000000 | 0xFFF00


@dataclass(frozen=True, slots=True)
class Program:
    """What a baseline belongs to. ``comm`` is set by the process itself, so it is not in here.

    Attributes
    ----------
    exe : str
        Path of the executable as the host sees it; ``""`` when it could not be learned.
    dev, ino : int
        Device and inode of the executable: another inode is another binary. The device is 0
        where its major number is: the kernel numbers such file systems (overlayfs, btrfs, tmpfs,
        NFS) anew at every mount, so that a container made again would be another program. Their
        inodes stay: overlayfs gives those of the layer that holds the file. So images that share
        a layer share its binaries.
    unit : str
        systemd unit without its instance numbers, or ``""``.
    container : str
        ``"container"`` kind such as ``"docker"``, or ``""`` on the host. Not the container's
        own id: a restart makes a new id of the same program.
    """

    exe: str
    dev: int = 0
    ino: int = 0
    unit: str = ""
    container: str = ""

    def __post_init__(self) -> None:
        if not self.dev & _MAJOR:
            object.__setattr__(self, "dev", 0)

    @property
    def place(self) -> tuple[str, str, str]:
        """The program whichever its binary: what an upgrade leaves as it was."""
        return (self.exe, self.unit, self.container)

    @property
    def name(self) -> str:
        """Short name for people: the last part of the path."""
        return self.exe.rsplit("/", 1)[-1] or "unknown program"


#: Row of the table that stands for every program past the cap on tracked programs.
OTHER = Program(exe="")


@dataclass(frozen=True, slots=True, eq=False)
class WindowBatch:
    """Windows that closed at one tick, or many of them stacked, as columns of length n.

    Attributes
    ----------
    t_start_ns, t_end_ns : int64 (n,)
        Span of the window, nanoseconds UTC.
    pid, ppid : int64 (n,)
        Thread-group ids as the host's first pid namespace counts them.
    start_time_ns : int64 (n,)
        Start of the process on the boot clock. With ``pid`` it is the process's identity.
    uid : int64 (n,)
    comm : str array (n,)
        Name the process gave itself. For people only, never an identity.
    container : str array (n,)
        Container id, or ``""``.
    program : int64 (n,)
        Index into ``programs``.
    programs : tuple of Program
        The table the column ``program`` points into.
    syscalls, errors, transitions, uring, compat : Sparse
        Counts by call number, by number of the failed call, by hashed transition,
        by io_uring opcode, and 32-bit calls by their own number.
    forks, execs, exits : int64 (n,)
        Processes begun by this one, programs it went on to become, whether it ended (0 or 1). One
        that did nothing countable after its last window ends in none.
    observed_s : float64 (n,)
        Seconds of the window in which the sensor was counting (monotonic).
    late_s : float64 (n,)
        How late the tick that closed the window was.
    lost : int64 (n,)
        Updates lost on the whole host during the window (they may or may not be this process's).
    lost_keys : int64 (n,)
        Processes that could not be tracked during the window.
    identity_complete : bool (n,)
        False where the process was gone before its executable and group could be read.
    """

    t_start_ns: IntArray
    t_end_ns: IntArray
    pid: IntArray
    start_time_ns: IntArray
    ppid: IntArray
    uid: IntArray
    comm: NDArray[np.str_]
    container: NDArray[np.str_]
    program: IntArray
    programs: tuple[Program, ...]
    syscalls: Sparse
    errors: Sparse
    transitions: Sparse
    uring: Sparse
    compat: Sparse
    forks: IntArray
    execs: IntArray
    exits: IntArray
    observed_s: NDArray[np.float64]
    late_s: NDArray[np.float64]
    lost: IntArray
    lost_keys: IntArray
    identity_complete: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.pid)

    @property
    def n_events(self) -> IntArray:
        """Evidence of each window, (n,): native calls, 32-bit calls and io_uring submissions."""
        return self.syscalls.row_sums() + self.compat.row_sums() + self.uring.row_sums()

    @classmethod
    def empty(cls, programs: tuple[Program, ...] = ()) -> WindowBatch:
        """Build a batch of no rows."""
        return cls.of(programs=programs, pid=np.zeros(0, np.int64))

    @classmethod
    def of(cls, *, programs: tuple[Program, ...], pid: IntArray, **columns: object) -> WindowBatch:
        """Build a batch from the columns named; the others hold their neutral value.

        Neutral is zero, ``""``, an empty block, and True for ``identity_complete``.
        """
        n = len(pid)
        neutral: dict[str, object] = {
            name: Sparse.empty(n, width) for name, width in BLOCKS.items()
        }
        neutral |= {name: np.zeros(n, np.int64) for name in _INT_COLUMNS}
        neutral |= {name: np.zeros(n, np.float64) for name in ("observed_s", "late_s")}
        neutral |= {name: np.zeros(n, "U1") for name in ("comm", "container")}
        neutral["identity_complete"] = np.ones(n, np.bool_)
        return cls(**{**neutral, **columns, "pid": pid, "programs": programs})  # type: ignore[arg-type]

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> WindowBatch:
        """Pick rows by position or by mask; the table of programs stays whole."""
        picked: dict[str, object] = {}
        for field in fields(self):
            column = getattr(self, field.name)
            if field.name == "programs":
                picked[field.name] = column
            elif isinstance(column, Sparse):
                picked[field.name] = column.take(rows)
            else:
                picked[field.name] = column[rows]
        return WindowBatch(**picked)  # type: ignore[arg-type]

    @classmethod
    def concat(cls, batches: Sequence[WindowBatch]) -> WindowBatch:
        """Stack batches whose tables of programs may differ; equal programs become one."""
        if not batches:
            return cls.empty()
        table: dict[Program, int] = {}
        aligned = []
        for batch in batches:
            place = np.array(
                [table.setdefault(p, len(table)) for p in batch.programs], dtype=np.int64
            )
            program = place[batch.program] if len(batch) else batch.program
            aligned.append(replace(batch, program=program))
        columns: dict[str, object] = {"programs": tuple(table)}
        for field in fields(cls):
            if field.name == "programs":
                continue
            parts = [getattr(batch, field.name) for batch in aligned]
            columns[field.name] = (
                Sparse.concat(parts, BLOCKS[field.name])
                if field.name in BLOCKS
                else np.concatenate(parts)
            )
        return cls(**columns)  # type: ignore[arg-type]

    def as_one(self) -> WindowBatch:
        """Add all rows up into one window, as if the last row's had lasted that long.

        Shares of the whole then stand for the shares of every part.
        """
        last = self.take(np.array([len(self) - 1]))
        added: dict[str, object] = {
            name: getattr(self, name).total() for name in BLOCKS if len(self) > 1
        }
        added |= {
            name: np.array([getattr(self, name).sum()])
            for name in ("forks", "execs", "exits", "observed_s", "lost", "lost_keys")
        }
        span = {
            "t_start_ns": np.array([self.t_start_ns.min()]),
            "t_end_ns": np.array([self.t_end_ns.max()]),
        }
        return replace(last, **added, **span)  # type: ignore[arg-type]


_INT_COLUMNS = (
    "t_start_ns",
    "t_end_ns",
    "start_time_ns",
    "ppid",
    "uid",
    "program",
    "forks",
    "execs",
    "exits",
    "lost",
    "lost_keys",
)
