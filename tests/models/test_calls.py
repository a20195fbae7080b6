"""Names of calls: right where the kernel says so, and never a lost number."""

from __future__ import annotations

import os
import platform

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models import calls
from oddcall.models.transitions import COMPAT, START
from oddcall.models.window import CALLS, URING

ARCHES = ["x86_64", "aarch64", "riscv64"]


@pytest.mark.parametrize(
    ("number", "arch", "expected"),
    [
        (0, "x86_64", "read"),
        (59, "x86_64", "execve"),
        (110, "x86_64", "getppid"),
        (435, "x86_64", "clone3"),
        (462, "x86_64", "mseal"),
        (63, "aarch64", "read"),
        (221, "aarch64", "execve"),
        (462, "aarch64", "mseal"),
    ],
)
def test_known_numbers_have_the_kernels_names(number: int, arch: str, expected: str) -> None:
    """A call's name is the one in the kernel's own table, newest calls included."""
    assert calls.name(number, arch) == expected
    assert calls.number(expected, arch) == number


@given(st.integers(0, CALLS - 1), st.sampled_from(ARCHES))
def test_every_column_has_a_name_that_leads_back(number: int, arch: str) -> None:
    """Names are one to one with columns, on every architecture, known to us or not."""
    assert calls.number(calls.name(number, arch), arch) == number


def test_unknown_numbers_keep_their_number() -> None:
    """A call newer than the table shows as its number; past the last column, as past it."""
    assert calls.name(499) == "syscall_499"
    assert calls.name(511) == calls.name(4_000) == "syscalls past 510"
    assert calls.name(3, "riscv64") == "syscall_3"
    *known, last = calls.uring_names()
    assert last == "opcodes past 126"
    assert last not in known


def test_unknown_names_are_refused() -> None:
    """A name that is no call of the architecture is an error, not a guess."""
    with pytest.raises(KeyError):
        calls.number("open", "aarch64")
    with pytest.raises(KeyError):
        calls.number("no_such_call")


def test_uring_opcodes_have_the_kernels_names() -> None:
    """io_uring opcodes are numbered as in the kernel's enumeration."""
    assert [calls.uring_names()[op] for op in (0, 18, 22, 46)] == [
        "nop",
        "openat",
        "read",
        "uring_cmd",
    ]


def test_32_bit_calls_are_named_by_their_own_numbers() -> None:
    """The same number is another call in the 32-bit table, and a symbol says which."""
    assert calls.compat_name(5) == "open"
    assert calls.compat_name(5, "aarch64") == "open"
    assert calls.name(5) == "fstat"
    assert calls.symbol_name(5) == "fstat"
    assert calls.symbol_name(COMPAT + 5) == "32-bit open"
    assert calls.symbol_name(START) == "start"
    assert calls.symbol_name(COMPAT - 1) == "syscalls past 510"


def test_tables_fit_the_batch() -> None:
    """There is exactly one name for each column of a window."""
    for arch in ARCHES:
        assert len(set(calls.names(arch))) == len(set(calls.compat_names(arch))) == CALLS
    assert len(set(calls.uring_names())) == URING


@pytest.mark.skipif(platform.machine() != "x86_64", reason="reads x86-64 call numbers")
def test_the_running_kernel_agrees() -> None:
    """The number we give for a call is the one this kernel answers to."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.syscall(calls.number("getppid")) == os.getppid()
    assert libc.syscall(calls.number("getpid")) == os.getpid()
