"""Programs given as bare instructions, and what the typed hook made of them counts."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest

from oddcall.models import calls
from oddcall.models.errors import KernelError
from oddcall.sensor import bytecode
from oddcall.sensor.probe import Probe, ProbeSettings

pytestmark = pytest.mark.kernel

#: mov r0, 0; exit
NOTHING = bytes.fromhex("b7000000000000009500000000000000")
#: mov r0, 0; and no end
ENDLESS = NOTHING[:8]


def test_an_empty_program_loads_attaches_and_goes_with_its_descriptors():
    """Two instructions are a program; the kernel shows it by its name until it is closed."""
    program = bytecode.load("oddcall_empty", NOTHING)
    link = bytecode.attach(program, "sys_exit")
    shown = Path(f"/proc/self/fdinfo/{program}").read_text()
    os.close(link)
    os.close(program)
    assert "prog_type:\t17" in shown


def test_what_the_kernel_refuses_is_said_in_words():
    """A program that never ends, or a tracepoint that is none, is an error that names it."""
    with pytest.raises(KernelError, match="endless"):
        bytecode.load("endless", ENDLESS)
    program = bytecode.load("oddcall_empty", NOTHING)
    try:
        with pytest.raises(KernelError, match="no_such_tracepoint"):
            bytecode.attach(program, "no_such_tracepoint")
    finally:
        os.close(program)


def test_a_number_with_garbage_above_it_is_counted_as_the_call_it_is(loader):
    """The kernel heeds the lower 32 bits of a call's number, and so do we."""
    number = calls.number("getppid")
    syscall = ctypes.CDLL(None).syscall
    with Probe(ProbeSettings(slots=4096, loader=loader)) as probe:
        for _ in range(1009):
            syscall(ctypes.c_long((5 << 32) | number))
        mine = probe.maps.heads["tgid"] == os.getpid()
        counted = probe.maps.counts[mine][:, [number, 511]].sum(axis=0)
    assert counted.tolist() == [1009, 0]
