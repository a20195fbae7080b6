"""Names of system calls and io_uring opcodes, by number.

The tables are the kernel's own, written by ``scripts/calls.py``; the first line of each says
which release. A number that its table does not hold keeps its number as its name, so a newer
kernel's calls are shown, not lost. ``arch`` is what ``uname -m`` says (``"x86_64"``,
``"aarch64"``); on an architecture without a table every call shows as its number.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from oddcall.models.transitions import COMPAT, START
from oddcall.models.window import CALLS, URING

#: Architecture -> tables of its native and of its 32-bit calls.
TABLES = {"x86_64": ("x86_64", "x86_32"), "aarch64": ("aarch64", "arm_32")}


@cache
def _table(table: str, width: int, unknown: str, past: str) -> tuple[str, ...]:
    """Names of a table, one for each of ``width`` columns; the last gathers what is past it."""
    names = [f"{unknown}_{number}" for number in range(width - 1)]
    for number, name in _rows(table):
        if number < width - 1:
            names[number] = name
    return (*names, f"{past} past {width - 2}")


def _rows(table: str) -> list[tuple[int, str]]:
    if not table:
        return []
    lines = (files(__name__) / f"{table}.tsv").read_text("utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if not line.startswith("#"))
    return [(int(number), name) for number, name in pairs]


def names(arch: str = "x86_64") -> tuple[str, ...]:
    """Name of every column of ``WindowBatch.syscalls`` and ``errors``, (CALLS,)."""
    return _table(TABLES.get(arch, ("", ""))[0], CALLS, "syscall", "syscalls")


def compat_names(arch: str = "x86_64") -> tuple[str, ...]:
    """Name of every column of ``WindowBatch.compat``, (CALLS,), without a mark for 32-bit."""
    return _table(TABLES.get(arch, ("", ""))[1], CALLS, "syscall", "syscalls")


def uring_names() -> tuple[str, ...]:
    """Name of every column of ``WindowBatch.uring``, (URING,): 0 is ``"nop"``, 22 is ``"read"``.

    The same on every architecture.
    """
    return _table("io_uring", URING, "opcode", "opcodes")


def name(number: int, arch: str = "x86_64") -> str:
    """Name of a native call: ``"openat"``, ``"syscall_499"``, or ``"syscalls past 510"``."""
    return names(arch)[min(number, CALLS - 1)]


def compat_name(number: int, arch: str = "x86_64") -> str:
    """Name of a 32-bit call by its own numbering: 5 is ``"open"`` on x86_64."""
    return compat_names(arch)[min(number, CALLS - 1)]


def symbol_name(symbol: int, arch: str = "x86_64") -> str:
    """Name of a transition symbol: ``"start"``, ``"openat"``, ``"32-bit open"``."""
    if symbol >= START:
        return "start"
    if symbol >= COMPAT:
        return f"32-bit {compat_name(symbol - COMPAT, arch)}"
    return name(symbol, arch)


@cache
def _numbers(arch: str) -> dict[str, int]:
    return {name: number for number, name in enumerate(names(arch))}


def number(name: str, arch: str = "x86_64") -> int:
    """Column of a native call, by any name that :func:`name` gives.

    Raises
    ------
    KeyError
        The architecture has no call of that name.
    """
    return _numbers(arch)[name]
