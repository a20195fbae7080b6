"""How long the kernel side has run, by the kernel's own statistics."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

from oddcall.models.errors import KernelError
from oddcall.sensor.libbpf import libbpf

#: ``BPF_STATS_RUN_TIME`` of ``enum bpf_stats_type``.
_RUN_TIME = 0


class _Info(ctypes.Structure):
    # The head of struct bpf_prog_info up to what is asked, include/uapi/linux/bpf.h.
    _fields_ = (("before", ctypes.c_uint64 * 24), ("run_time_ns", ctypes.c_uint64))


class RunTime:
    """Has the kernel time every run of every program, ours and others', until closed.

    The two readings of the clock cost more than a short program does: on request only.

    Parameters
    ----------
    programs : sequence of int
        Descriptors of the programs whose time is wanted.

    Raises
    ------
    KernelError
        If the kernel keeps no such statistics (before 5.8, or without CAP_SYS_ADMIN).
    """

    def __init__(self, programs: Sequence[int]) -> None:
        self._programs = programs
        ctypes.set_errno(0)
        self._fd: int = libbpf().bpf_enable_stats(_RUN_TIME)
        if self._fd < 0:
            raise KernelError(
                "the kernel does not let us time its programs",
                expected="Linux 5.8 or later, and CAP_SYS_ADMIN",
                got=os.strerror(ctypes.get_errno()),
                fix="Leave out the setting sensor.time_kernel_side.",
            )

    def seconds(self) -> float:
        """Seconds that the programs have run since, on all processors together."""
        return sum(_run_time_ns(program) for program in self._programs) / 1e9

    def close(self) -> None:
        """Have the kernel stop, unless somebody else wants it too. Safe to call twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _run_time_ns(program: int) -> int:
    info, size = _Info(), ctypes.c_uint32(ctypes.sizeof(_Info))
    failed = libbpf().bpf_obj_get_info_by_fd(program, ctypes.byref(info), ctypes.byref(size))
    return 0 if failed else int(info.run_time_ns)
