"""Where the running kernel keeps the fields our program reads, from its own BTF.

libbpf does the reading, so neither kernel headers nor a compiler are asked.
"""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass

from oddcall.models.errors import KernelError
from oddcall.sensor.libbpf import libbpf

_KIND_STRUCT, _KIND_UNION, _KIND_TYPEDEF = 4, 5, 8


class _Type(ctypes.Structure):
    # struct btf_type, include/uapi/linux/btf.h; members of a struct follow it in memory.
    _fields_ = (("name", ctypes.c_uint32), ("info", ctypes.c_uint32), ("size", ctypes.c_uint32))


class _Member(ctypes.Structure):
    _fields_ = (("name", ctypes.c_uint32), ("type", ctypes.c_uint32), ("offset", ctypes.c_uint32))


#: ``struct.member.member``: members that are structs themselves add their own offset.
FIELDS = {
    "OFF_TASK_GROUP_LEADER": "task_struct.group_leader",
    "OFF_TASK_START": "task_struct.start_boottime",
    "OFF_TASK_REAL_PARENT": "task_struct.real_parent",
    "OFF_TASK_PID": "task_struct.pid",
    "OFF_TASK_TGID": "task_struct.tgid",
    "OFF_TASK_FLAGS": "task_struct.flags",
    "OFF_TASK_COMM": "task_struct.comm",
    "OFF_TASK_MM": "task_struct.mm",
    "OFF_TASK_SIGNAL": "task_struct.signal",
    "OFF_SIGNAL_THREADS": "signal_struct.nr_threads",
    "OFF_SIGNAL_LIVE": "signal_struct.live",
    "OFF_MM_EXE_FILE": "mm_struct.exe_file",
    "OFF_FILE_INODE": "file.f_inode",
    "OFF_INODE_INO": "inode.i_ino",
    "OFF_INODE_SB": "inode.i_sb",
    "OFF_SB_DEV": "super_block.s_dev",
    "OFF_BPRM_INTERP": "linux_binprm.interp",
    "OFF_BPRM_FDPATH": "linux_binprm.fdpath",
}
ARCH_FIELDS = {
    "x86_64": {
        "OFF_REGS_NR": "pt_regs.orig_ax",
        "OFF_TASK_COMPAT": "task_struct.thread_info.status",
    },
    "aarch64": {
        "OFF_REGS_NR": "pt_regs.syscallno",
        "OFF_TASK_COMPAT": "task_struct.thread_info.flags",
    },
}
#: Kernels without io_uring have no such field; the program then has no hook for it either.
URING_FIELDS = {"OFF_URING_OPCODE": "io_kiocb.opcode"}


class Btf:
    """The kernel's own type information, read once.

    Raises
    ------
    KernelError
        If libbpf is missing, or the kernel was built without BTF.
    """

    def __init__(self) -> None:
        lib = libbpf()
        self._lib = lib
        self._btf = lib.btf__load_vmlinux_btf()
        if not self._btf or self._btf > 2**64 - 4096:
            raise KernelError(
                "the kernel says nothing about its types",
                expected="BTF at /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)",
                got="none",
                fix="Mount /sys, or run a distribution kernel of 2021 or later.",
            )

    def close(self) -> None:
        """Give the memory back (a few megabytes)."""
        self._lib.btf__free(self._btf)

    def tracepoint(self, name: str) -> int:
        """Type of the raw tracepoint of that name, or 0 if the kernel has none."""
        wanted = f"btf_trace_{name}".encode()
        return max(0, int(self._lib.btf__find_by_name_kind(self._btf, wanted, _KIND_TYPEDEF)))

    def offset(self, path: str) -> int | None:
        """Byte offset of ``struct.member[.member]``, or None if the kernel has no such field."""
        struct, *members = path.split(".")
        kind = self._lib.btf__find_by_name_kind(self._btf, struct.encode(), _KIND_STRUCT)
        if kind <= 0:
            return None
        total = 0
        for member in members:
            found = self._member(kind, member)
            if found is None:
                return None
            bits, kind = found
            total += bits
        return total // 8

    def _member(self, kind: int, wanted: str) -> tuple[int, int] | None:
        """Bit offset and type of a member, looking through unnamed structs and unions."""
        at = self._lib.btf__type_by_id(self._btf, kind)
        info = _Type.from_address(at).info
        is_bitfield_form = info >> 31
        for i in range(info & 0xFFFF):
            m = _Member.from_address(at + ctypes.sizeof(_Type) + i * ctypes.sizeof(_Member))
            bits = m.offset & 0xFFFFFF if is_bitfield_form else m.offset
            name = self._lib.btf__name_by_offset(self._btf, m.name) or b""
            if name.decode() == wanted:
                return bits, m.type
            if not name and self._is_compound(m.type):
                inner = self._member(m.type, wanted)
                if inner is not None:
                    return bits + inner[0], inner[1]
        return None

    def _is_compound(self, kind: int) -> bool:
        info = _Type.from_address(self._lib.btf__type_by_id(self._btf, kind)).info
        return (info >> 24) & 0x1F in (_KIND_STRUCT, _KIND_UNION)


@dataclass(frozen=True, slots=True)
class KernelLayout:
    """What the program must be told of the running kernel.

    Attributes
    ----------
    offsets : dict of str to int
        Value of each ``OFF_*`` macro, bytes.
    uring_tracepoint : str
        Raw tracepoint that sees io_uring submissions, or ``""`` if the kernel has none we know.
    sys_exit_type : int
        Type of the raw tracepoint at which calls are counted.
    """

    offsets: dict[str, int]
    uring_tracepoint: str
    sys_exit_type: int


@functools.cache
def kernel_layout(arch: str) -> KernelLayout:
    """Look up every field once a process.

    Raises
    ------
    KernelError
        If the architecture is not supported, or the kernel lacks a field.
    """
    if arch not in ARCH_FIELDS:
        raise KernelError(
            "this architecture is not supported", expected=" or ".join(ARCH_FIELDS), got=arch
        )
    btf = Btf()
    try:
        uring = _uring_tracepoint(btf)
        wanted = FIELDS | ARCH_FIELDS[arch] | (URING_FIELDS if uring else {})
        offsets = {macro: _place(btf, path) for macro, path in wanted.items()}
        return KernelLayout(offsets, uring, btf.tracepoint("sys_exit"))
    finally:
        btf.close()


def _place(btf: Btf, path: str) -> int:
    offset = btf.offset(path)
    if offset is None:
        raise KernelError(
            "the kernel lacks a field that oddcall reads",
            expected=path,
            got="no such field in its BTF",
            fix="Please report the kernel's version (uname -r).",
        )
    return offset


def _uring_tracepoint(btf: Btf) -> str:
    # Named io_uring_submit_req since 6.3. From 6.0 on, when it learned to print the opcode's
    # name, io_uring_submit_sqe has the same first argument; older ones do not.
    if btf.tracepoint("io_uring_submit_req"):
        return "io_uring_submit_req"
    named = btf.offset("trace_event_raw_io_uring_submit_sqe.__data_loc_op_str")
    return "io_uring_submit_sqe" if named is not None else ""
