"""Reaching into memory: another process's, one's own, and a program that is only memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
from pathlib import Path

from oddcall.service.simulate import child, native
from oddcall.service.simulate.behaviour import Behaviour, Bounds, Facts

_WORDS = 256
_REGIONS = 500
_PART_BYTES = 65536


def _trace_child(bounds: Bounds) -> Facts:
    secret = ctypes.create_string_buffer(b"oddcall!" * _WORDS)
    word = int.from_bytes(b"oddcall!", "little", signed=True)
    pid = child.fork(signal.pause)
    read, refused = 0, ""
    try:
        native.ptrace(native.PTRACE_ATTACH, pid)
        os.waitpid(pid, 0)
        # The child is a copy: what is at this address here is at the same address there.
        start = ctypes.addressof(secret)
        for turn in bounds.times(_WORDS):
            read += native.ptrace(native.PTRACE_PEEKDATA, pid, start + 8 * turn) == word
        native.ptrace(native.PTRACE_DETACH, pid)
    except OSError as error:
        refused = error.strerror or str(error)
    finally:
        os.kill(pid, signal.SIGKILL)
        ended = child.wait(pid)
    return {"child": pid, "words_read": read, "child_exit": ended, "refused": refused}


def _exec_memory(bounds: Bounds) -> Facts:  # noqa: ARG001  one child, bounded by its own alarm
    program = shutil.which("true", path="/usr/bin:/bin") or "/bin/true"
    memory = os.memfd_create("oddcall-simulate", os.MFD_CLOEXEC)
    try:
        with contextlib.closing(os.fdopen(os.dup(memory), "wb")) as file:
            size = file.write(Path(program).read_bytes())
        pid = child.fork(lambda: os.execve(memory, ["true"], {}))  # noqa: S606  a copy of `true`
        ended = child.wait(pid)
    finally:
        os.close(memory)
    return {"child": pid, "bytes": size, "child_exit": ended, "refused": child.refusal(ended)}


def _scan_own_memory(bounds: Bounds) -> Facts:
    with Path("/proc/self/maps").open() as maps:
        regions = [line.split("-", 1)[0] for line in maps if " rw" in line]
    read, bytes_read = 0, 0
    memory = os.open("/proc/self/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for turn in bounds.times(min(len(regions), _REGIONS)):
            with contextlib.suppress(OSError):
                bytes_read += len(os.pread(memory, _PART_BYTES, int(regions[turn], 16)))
                read += 1
    finally:
        os.close(memory)
    return {"regions": len(regions), "read": read, "bytes": bytes_read}


PTRACE_CHILD = Behaviour(
    name="ptrace-child",
    technique="T1055.008",
    summary="Forks a child, attaches to it as a debugger, reads its memory and lets it go.",
    expects=("clone", "ptrace", "wait4", "kill"),
    cause=("ptrace",),
    harmless_because="the child is its own, does nothing but wait, and is ended",
    act=_trace_child,
)

MEMFD_EXEC = Behaviour(
    name="memfd-exec",
    technique="T1620",
    summary="Writes a program to a file that exists in memory only, and runs it from there.",
    expects=("memfd_create", "write", "clone", "execveat", "wait4"),
    cause=("memfd_create", "execveat"),
    harmless_because="the program is a copy of `true`",
    act=_exec_memory,
)

MEMORY_SCAN = Behaviour(
    name="memory-scan",
    technique="T1003.007",
    summary="Reads through its own memory by way of /proc/self/maps and /proc/self/mem.",
    expects=("openat", "read", "pread64"),
    cause=("pread64",),
    harmless_because="it reads only itself, and keeps nothing",
    act=_scan_own_memory,
)
