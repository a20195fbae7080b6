"""Which capabilities this process has, which it needs, and giving up the rest once it counts.

What is needed was tried, on Linux 6.18 as a user without any other right: CAP_BPF and CAP_PERFMON
load, attach and count. CAP_SYS_PTRACE is what shows the executables of other users' processes
(``ptrace(2)``, access mode checks): without it nearly all identities stay incomplete.
CAP_DAC_READ_SEARCH leads to executables below folders that are closed to others, of processes
that are gone before /proc is read. CAP_SYS_RESOURCE is of no use since 5.11, when the memory of
maps became that of a cgroup. Numbers and calls: ``include/uapi/linux/capability.h``,
``capabilities(7)``.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from oddcall.models.errors import PrivilegeError

#: By their bits.
NAMES = (
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
    "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
    "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
    "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)  # fmt: skip
#: What the kernel asks of who loads and attaches our program.
LOADING = ("CAP_BPF", "CAP_PERFMON")
#: What shows whose a count is, for as long as it counts.
READING = ("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
#: What lists the programs that others loaded.
LOOKING = ("CAP_SYS_ADMIN",)
#: What lets root write where another user owns the folder.
WRITING = "CAP_DAC_OVERRIDE"

_PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 23, 24, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_VERSION_3 = 0x20080522


def held(kind: str = "CapEff", status: Path = Path("/proc/self/status")) -> frozenset[str]:
    """Names of the capabilities in a set of a thread: CapEff, CapPrm, CapBnd and so on."""
    found = re.search(rf"^{kind}:\s*([0-9a-f]+)", status.read_text(), flags=re.MULTILINE)
    bits = int(found.group(1), 16) if found else 0
    return frozenset(name for bit, name in enumerate(NAMES) if bits >> bit & 1)


def missing(wanted: Iterable[str], have: frozenset[str] | None = None) -> list[str]:
    """Those wanted that this process has not; CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON."""
    have = held() if have is None else have
    stands = frozenset(LOADING) if "CAP_SYS_ADMIN" in have else frozenset()
    return [name for name in wanted if name not in have | stands]


def require_privilege() -> None:
    """Say at once if this process may not load programs, and which capabilities it lacks.

    Raises
    ------
    PrivilegeError
    """
    lacking = missing(LOADING)
    if not lacking:
        return
    raise PrivilegeError(
        "this process may not load programs into the kernel",
        expected=f"root, or the capabilities {' and '.join(LOADING)}",
        got=f"user id {os.geteuid()} without {' and '.join(lacking)}",
        fix="Run the command again with sudo.",
    )


def shed(may_still_read: Callable[[], bool], places: Sequence[Path] = ()) -> str:
    """Give up for good what is not needed any more once the program counts.

    Held on to are, of those there are, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH; CAP_BPF where the
    kernel asks for it at each look at a map (before 5.19); and CAP_DAC_OVERRIDE where a place to
    write to belongs to another user. Gone are all others, from every set, and any way to get
    them back (no_new_privs, the bounding set). A capability belongs to a thread: call this
    before there are others.

    Parameters
    ----------
    may_still_read : callable
        Tries what is done at every look, and says whether it was allowed.
    places : sequence of Path
        What will be written to.

    Returns
    -------
    str
        What was given up and kept, in one line.
    """
    before = held("CapPrm")
    kept = before & frozenset(READING)
    _set(effective=kept, permitted=before)
    for name, suffices in (
        ("CAP_BPF", may_still_read),
        (WRITING, lambda: all(_writable(place) for place in places)),
    ):
        if name in before and not suffices():
            kept |= {name}
            _set(effective=kept, permitted=before)
    bounded = _shrink_bounding_set(kept, before)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _set(effective=kept, permitted=kept)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    return _told(before, kept, bounded=bounded)


def _told(before: frozenset[str], kept: frozenset[str], *, bounded: bool) -> str:
    gone = len(before - kept)
    names = ", ".join(name for name in NAMES if name in kept) or "none"
    rest = "and no program it starts can get any" if bounded else "its bounding set is as it was"
    others = len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208 - names are enough
    if others:
        rest += f"; {others} of its threads, begun before, keep theirs"
    number = f"{gone} capabilit{'y' if gone == 1 else 'ies'}"
    return f"privileges: gave up {number}, keeps {names}; no_new_privs, {rest}"


def _writable(place: Path) -> bool:
    """Whether a place, or the nearest folder above that exists, can be written right now."""
    while not os.access(place, os.F_OK, effective_ids=True) and place != place.parent:
        place = place.parent
    return os.access(place, os.W_OK, effective_ids=True)


def _shrink_bounding_set(kept: frozenset[str], before: frozenset[str]) -> bool:
    """Take all but `kept` out of it; False where that is not allowed (CAP_SETPCAP)."""
    if "CAP_SETPCAP" not in before:
        return False
    _set(effective=kept | {"CAP_SETPCAP"}, permitted=before)
    for bit in range(64):
        known = NAMES[bit] if bit < len(NAMES) else ""
        # Bits past the kernel's last one are refused; newer ones than we know are dropped too.
        if known not in kept and _prctl(_PR_CAPBSET_READ, bit) == 1:
            _prctl(_PR_CAPBSET_DROP, bit)
    return True


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _set(*, effective: frozenset[str], permitted: frozenset[str]) -> None:
    """Set this thread's capabilities; nothing is inheritable."""
    sets = (_Sets * 2)()
    for bit, name in enumerate(NAMES):
        word, mask = sets[bit // 32], 1 << bit % 32
        word.effective |= mask if name in effective else 0
        word.permitted |= mask if name in permitted else 0
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(ctypes.byref(_Header(_VERSION_3, 0)), ctypes.byref(sets)):
        raise PrivilegeError(
            "the capabilities of this process cannot be changed",
            got=os.strerror(ctypes.get_errno()),
        )


def _prctl(*arguments: int) -> int:
    padded = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:5]]
    return int(ctypes.CDLL(None, use_errno=True).prctl(*padded))
