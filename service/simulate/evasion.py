"""Covering tracks: times set back, logs cut, code unpacked in memory, the kernel's own machine."""

from __future__ import annotations

import ctypes
import mmap
import os
from functools import partial

from oddcall.service.simulate import files, native
from oddcall.service.simulate.behaviour import Behaviour, Bounds, Facts

_LOGS = 40
_PAGES = 200
_ATTEMPTS = 100
#: 1 January 2020: long before whatever was dropped.
_LONG_AGO = (1_577_836_800, 1_577_836_800)
#: No command of bpf(2) has this number, so that it is refused before anything is looked at.
_NO_COMMAND = 0x7FFF


def _set_times(bounds: Bounds) -> Facts:
    back, paths = 0, files.paths(bounds.room)
    for turn in bounds.times(len(paths)):
        os.utime(paths[turn], _LONG_AGO)
        back += 1
    return {"files": len(paths), "set_back": back, "first": int(paths[0].stat().st_mtime)}


def _cut_logs(bounds: Bounds) -> Facts:
    cut, logs = 0, files.paths(bounds.room, _LOGS)
    for turn in bounds.times(len(logs)):
        os.truncate(logs[turn], 0)
        cut += 1
    return {"logs": len(logs), "cut": cut, "first": logs[0].stat().st_size}


def _unpack(bounds: Bounds) -> Facts:
    turned = 0
    with mmap.mmap(-1, _PAGES * mmap.PAGESIZE) as memory:
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        for turn in bounds.times(_PAGES):
            memory[turn * mmap.PAGESIZE] = 0xC3
            page = start + turn * mmap.PAGESIZE
            native.call("mprotect", page, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC)
            turned += 1
    return {"pages": turned}


def _ask_for_bpf(bounds: Bounds) -> Facts:
    tried, refused = 0, ""
    for _ in bounds.times(_ATTEMPTS):
        tried += 1
        try:
            native.call("bpf", _NO_COMMAND, None, 0)
        except OSError as error:
            refused = error.strerror or str(error)
    return {"tried": tried, "refused": refused}


TIMESTOMP = Behaviour(
    name="timestomp",
    technique="T1070.006",
    summary="Sets the times of 200 files back to years ago.",
    expects=("utimensat",),
    cause=("utimensat",),
    harmless_because="it touches only files made for it in a folder of their own, which is removed",
    act=_set_times,
    prepare=files.make,
)

LOG_CUT = Behaviour(
    name="log-cut",
    technique="T1070.002",
    summary="Cuts 40 logs to nothing.",
    expects=("truncate",),
    cause=("truncate",),
    harmless_because="the logs were made for it in a folder of their own, which is removed",
    act=_cut_logs,
    prepare=partial(files.make, count=_LOGS),
    faint=True,
)

UNPACK = Behaviour(
    name="unpack",
    technique="T1027.002",
    summary="Writes to 200 pages of memory and makes each of them executable, as a packer does.",
    expects=("mmap", "mprotect", "munmap"),
    cause=("mprotect",),
    harmless_because="each page holds one return instruction that nothing jumps to",
    act=_unpack,
    faint=True,
)

BPF_CALLS = Behaviour(
    name="bpf-calls",
    technique="T1014",
    summary="Knocks at bpf(2), by which rootkits hide in the kernel, and is refused.",
    expects=("bpf",),
    cause=("bpf",),
    harmless_because="there is no command of that number, so that nothing could be loaded",
    act=_ask_for_bpf,
)
