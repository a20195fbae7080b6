"""Load a program from its instructions alone, and run it at a tracepoint.

For what libbpf's objects and BCC cannot do: the hook that runs at every call is compiled by
BCC but loaded here, as a typed raw tracepoint, which BCC does not know; and the benchmark's
empty hook is two instructions that no compiler need write.
"""

from __future__ import annotations

import ctypes
import os

from oddcall.models.errors import KernelError
from oddcall.sensor.libbpf import libbpf

#: ``enum bpf_prog_type`` and ``enum bpf_attach_type``, include/uapi/linux/bpf.h.
_RAW_TRACEPOINT, _TRACING, _TRACE_RAW_TP = 17, 26, 23
#: Bytes of one instruction.
_INSTRUCTION = 8


class _Options(ctypes.Structure):
    # The head of struct bpf_prog_load_opts (bpf/bpf.h); libbpf takes what is missing as zero.
    _fields_ = (
        ("sz", ctypes.c_size_t),
        ("attempts", ctypes.c_int),
        ("expected_attach_type", ctypes.c_int),
        ("prog_btf_fd", ctypes.c_uint32),
        ("prog_flags", ctypes.c_uint32),
        ("prog_ifindex", ctypes.c_uint32),
        ("kern_version", ctypes.c_uint32),
        ("attach_btf_id", ctypes.c_uint32),
        ("attach_prog_fd", ctypes.c_uint32),
    )


def load(name: str, code: bytes, tracepoint_type: int = 0) -> int:
    """Have the kernel accept a program for a raw tracepoint.

    Parameters
    ----------
    name : str
        As ``bpftool prog`` will show it.
    code : bytes
        Instructions, with their maps in place. The program is under the GPL.
    tracepoint_type : int, default 0
        Type of the tracepoint in the kernel's BTF: the program may then follow the kernel's
        own pointers without a call to read each field. 0 loads it untyped.

    Returns
    -------
    int
        Descriptor of the program.

    Raises
    ------
    KernelError
        If the kernel refuses it.
    """
    options = _Options(sz=ctypes.sizeof(_Options), attach_btf_id=tracepoint_type)
    kind = _RAW_TRACEPOINT
    if tracepoint_type:
        kind, options.expected_attach_type = _TRACING, _TRACE_RAW_TP
    instructions = len(code) // _INSTRUCTION
    ctypes.set_errno(0)
    fd = libbpf().bpf_prog_load(
        kind, name.encode(), b"GPL", code, instructions, ctypes.byref(options)
    )
    return _checked(fd, f"load the program {name}")


def attach(program: int, tracepoint: str = "") -> int:
    """Run a program from now on; closing the descriptor that is returned ends it.

    Parameters
    ----------
    program : int
        Descriptor of the program.
    tracepoint : str, default ""
        Where to run it; a typed program knows.

    Raises
    ------
    KernelError
        If the kernel has no such tracepoint, or refuses.
    """
    ctypes.set_errno(0)
    link = libbpf().bpf_raw_tracepoint_open(tracepoint.encode() or None, program)
    return _checked(link, f"attach to {tracepoint or 'its tracepoint'}")


def _checked(fd: int, what: str) -> int:
    if fd < 0:
        raise KernelError(
            f"the kernel does not let us {what}",
            expected="Linux 5.11 or later with BTF",
            got=os.strerror(ctypes.get_errno() or -fd),
        )
    return fd
