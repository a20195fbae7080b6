"""System calls that Python does not offer, through the C library."""

from __future__ import annotations

import ctypes
import errno
import os
import platform

from oddcall.models import calls

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)

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
    call("finit_module", descriptor, b"", 0)


def io_uring_setup(entries: int, parameters: ctypes.Structure) -> int:
    """``io_uring_setup(2)``: descriptor of a new ring."""
    return call("io_uring_setup", entries, ctypes.byref(parameters))


def io_uring_enter(ring: int, submit: int, complete: int) -> int:
    """``io_uring_enter(2)``, waiting for completions."""
    wait_for_events = 1
    return call("io_uring_enter", ring, submit, complete, wait_for_events, None, 0)


def call(name: str, *arguments: object) -> int:
    """Make a system call by its name, as ``syscall(2)`` does by its number.

    Raises
    ------
    OSError
        What the kernel answered; ``ENOSYS`` where the architecture has no such call.
    """
    try:
        number = calls.number(name, platform.machine())
    except KeyError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    ctypes.set_errno(0)
    # Variadic: a Python int would be passed as a 32-bit int, and leave the upper half to chance.
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = int(_libc.syscall(ctypes.c_long(number), *wide))
    _check(result)
    return result


def _check(result: int) -> None:
    if result == -1 and (error := ctypes.get_errno()):
        raise OSError(error, os.strerror(error))
