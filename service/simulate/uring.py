"""Reads that are no ``read``: a ring shared with the kernel, by its raw system calls.

The layout is that of ``io_uring(7)`` and ``<linux/io_uring.h>``.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from functools import partial

from oddcall.service.simulate import files, native
from oddcall.service.simulate.behaviour import Behaviour, Bounds, Facts

_ENTRIES = 32
_ROUNDS = 50
_BYTES = 512
_OP_READ = 22
_ENTRY_BYTES = 64
_AT_SUBMISSIONS, _AT_COMPLETIONS, _AT_ENTRIES = 0, 0x8000000, 0x10000000


class _Offsets(ctypes.Structure):
    """Where a ring's fields are; the seventh of them differs between the two rings."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("head", "tail", "mask", "entries")),
        *((name, ctypes.c_uint32) for name in ("fifth", "sixth", "seventh", "reserved")),
        ("address", ctypes.c_uint64),
    )


class _Parameters(ctypes.Structure):
    """``struct io_uring_params``."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("sq_entries", "cq_entries", "flags", "cpu", "idle")),
        *((name, ctypes.c_uint32) for name in ("features", "wq_fd", "r0", "r1", "r2")),
        ("submissions", _Offsets),
        ("completions", _Offsets),
    )


def _act(bounds: Bounds) -> Facts:
    parameters = _Parameters()
    try:
        ring = native.io_uring_setup(_ENTRIES, parameters)
    except OSError as error:
        # Many hosts forbid it: kernel.io_uring_disabled, or a seccomp filter.
        return {"submitted": 0, "completed": 0, "refused": error.strerror or str(error)}
    try:
        submitted, completed = _read_through(ring, parameters, bounds)
    finally:
        os.close(ring)
    return {"submitted": submitted, "completed": completed, "refused": ""}


def _read_through(ring: int, parameters: _Parameters, bounds: Bounds) -> tuple[int, int]:
    sq, cq = parameters.submissions, parameters.completions
    buffer = ctypes.create_string_buffer(_BYTES)
    submitted = completed = 0
    with (
        files.paths(bounds.room, 1)[0].open("rb", buffering=0) as file,
        # The array of indices is last in the ring of submissions, that of results in the other's.
        mmap.mmap(ring, sq.seventh + 4 * parameters.sq_entries, offset=_AT_SUBMISSIONS) as queue,
        mmap.mmap(ring, cq.sixth + 16 * parameters.cq_entries, offset=_AT_COMPLETIONS) as results,
        mmap.mmap(ring, _ENTRY_BYTES * parameters.sq_entries, offset=_AT_ENTRIES) as entries,
    ):
        entry = struct.pack(
            "<BBHiQQI", _OP_READ, 0, 0, file.fileno(), 0, ctypes.addressof(buffer), _BYTES
        )
        for slot in range(parameters.sq_entries):
            entries[slot * _ENTRY_BYTES : slot * _ENTRY_BYTES + len(entry)] = entry
            struct.pack_into("<I", queue, sq.seventh + 4 * slot, slot)
        for _ in bounds.times(_ROUNDS):
            submitted += parameters.sq_entries
            struct.pack_into("<I", queue, sq.tail, submitted)
            native.io_uring_enter(ring, parameters.sq_entries, parameters.sq_entries)
            completed = struct.unpack_from("<I", results, cq.tail)[0]
            struct.pack_into("<I", results, cq.head, completed)
    return submitted, completed


URING_READS = Behaviour(
    name="uring-reads",
    technique="T1106",
    summary="Reads a file through io_uring, past every tool that counts only system calls.",
    expects=("io_uring_setup", "mmap", "io_uring_enter"),
    cause=("io_uring_setup", "io_uring_enter", "io_uring read"),
    harmless_because="the file was made for it in a folder of its own, which is removed",
    act=_act,
    prepare=partial(files.make, count=1),
)
