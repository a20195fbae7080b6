"""How often the kernel did not run a program where it should have, in its own statistics."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable

from oddcall.sensor.libbpf import libbpf


class _Info(ctypes.Structure):
    # The head of struct bpf_prog_info up to what is asked, include/uapi/linux/bpf.h.
    _fields_ = (("before", ctypes.c_uint64 * 26), ("recursion_misses", ctypes.c_uint64))


def skipped(programs: Iterable[int]) -> int:
    """Sum over programs, by their descriptors, how often each was left out since it was loaded.

    A program is left out when it is to run while it runs on that processor already. That ours
    could be is not known of any kernel; if one does it, it must not pass for quiet.
    """
    return sum(_misses(program) for program in programs)


def may_ask(program: int) -> bool:
    """Whether the kernel answers at all: before 5.19 it wants CAP_BPF for each question."""
    return _ask(program) is not None


def _misses(program: int) -> int:
    info = _ask(program)
    return int(info.recursion_misses) if info else 0


def _ask(program: int) -> _Info | None:
    info, size = _Info(), ctypes.c_uint32(ctypes.sizeof(_Info))
    failed = libbpf().bpf_obj_get_info_by_fd(program, ctypes.byref(info), ctypes.byref(size))
    return None if failed else info
