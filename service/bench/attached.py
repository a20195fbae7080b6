"""What is attached already: figures taken beside another program are not those of an idle host."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator

from oddcall.sensor.libbpf import libbpf

#: Kinds of program that run at tracepoints and functions (``enum bpf_prog_type``).
_TRACING = {2, 5, 17, 26}  # kprobe, tracepoint, raw tracepoint, tracing


class _Info(ctypes.Structure):
    # The head of struct bpf_prog_info, include/uapi/linux/bpf.h.
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("between", ctypes.c_uint8 * 56),
        ("name", ctypes.c_char * 16),
    )


def others() -> list[str]:
    """Names of tracing programs that the kernel holds, sorted."""
    return sorted(info.name.decode() for info in _programs() if info.type in _TRACING)


def _programs() -> Iterator[_Info]:
    lib, following = libbpf(), ctypes.c_uint32()
    while lib.bpf_prog_get_next_id(following.value, ctypes.byref(following)) == 0:
        fd = lib.bpf_prog_get_fd_by_id(following)
        if fd < 0:  # gone since
            continue
        info, size = _Info(), ctypes.c_uint32(ctypes.sizeof(_Info))
        failed = lib.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size))
        os.close(fd)
        if not failed:
            yield info
