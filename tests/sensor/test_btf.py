"""The running kernel's own description of its types."""

from __future__ import annotations

import os
import platform

import pytest

from oddcall.models.errors import KernelError
from oddcall.sensor.btf import Btf, kernel_layout


def test_fields_are_found_through_unnamed_members():
    """A field is found however deep in unnamed structs the kernel keeps it."""
    btf = Btf()
    try:
        assert btf.offset("task_struct.start_boottime") > 0
        assert btf.offset("iov_iter.count") == btf.offset("iov_iter.__ubuf_iovec.iov_len")
        assert btf.offset("task_struct.no_such_member") is None
        assert btf.offset("no_such_struct.at_all") is None
    finally:
        btf.close()


def test_tracepoints_are_told_apart_from_names_that_are_none():
    """A hook is only promised where the kernel has it."""
    btf = Btf()
    try:
        assert btf.tracepoint("sys_exit") > 0
        assert btf.tracepoint("sys_exit_of_another_kernel") == 0
    finally:
        btf.close()


def test_every_field_the_program_reads_is_there():
    """The layout is whole, or loading fails with the field's name."""
    layout = kernel_layout(platform.machine())
    assert all(0 <= offset < 65536 for offset in layout.offsets.values())
    assert os.uname().machine in {"x86_64", "aarch64"}


def test_an_unknown_architecture_is_refused_by_name():
    """What cannot be supported is said, with what can."""
    with pytest.raises(KernelError, match="expected x86_64 or aarch64; got mips"):
        kernel_layout("mips")
