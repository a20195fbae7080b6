"""System calls that Python does not offer, through the C library."""

from __future__ import annotations

import ctypes
import os
import platform

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)

#: Numbers that differ; from 424 on every architecture has the same.
_FINIT_MODULE = {"x86_64": 313, "aarch64": 273}
_IO_URING_SETUP, _IO_URING_ENTER = 425, 426

PTRACE_PEEKDATA, PTRACE_ATTACH, PTRACE_DETACH = 2, 16, 17
CLONE_NEWUTS, CLONE_NEWIPC = 0x04000000, 0x08000000


def ptrace(request: int, pid: int, address: int = 0) -> int:
    """``ptrace(2)``; a peek gives the word."""
    ctypes.set_errno(0)
    word = int(_libc.ptrace(request, pid, address, None))
    _check(word)
    return word


def unshare(flags: int) -> None:
    """``unshare(2)``, which Python offers from 3.12 on."""
    ctypes.set_errno(0)
    _check(_libc.unshare(flags))


def setns(descriptor: int, kind: int) -> None:
    """``setns(2)``, which Python offers from 3.12 on."""
    ctypes.set_errno(0)
    _check(_libc.setns(descriptor, kind))


def finit_module(descriptor: int) -> None:
    """``finit_module(2)`` without parameters or flags."""
    number = _FINIT_MODULE.get(platform.machine())
    if number is None:
        raise OSError(38, os.strerror(38))
    _syscall(number, descriptor, b"", 0)


def io_uring_setup(entries: int, parameters: ctypes.Structure) -> int:
    """``io_uring_setup(2)``: descriptor of a new ring."""
    return _syscall(_IO_URING_SETUP, entries, ctypes.byref(parameters))


def io_uring_enter(ring: int, submit: int, complete: int) -> int:
    """``io_uring_enter(2)``, waiting for completions."""
    wait_for_events = 1
    return _syscall(_IO_URING_ENTER, ring, submit, complete, wait_for_events, None, 0)


def _syscall(number: int, *arguments: object) -> int:
    ctypes.set_errno(0)
    # Variadic: a Python int would be passed as a 32-bit int, and leave the upper half to chance.
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(_libc.syscall(ctypes.c_long(number), *wide))
    _check(result)
    return result


def _check(result: int) -> None:
    if result == -1 and (error := ctypes.get_errno()):
        raise OSError(error, os.strerror(error))
