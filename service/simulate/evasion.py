"""Covering tracks: times set back, logs cut, code unpacked in memory, the kernel's own machine."""

from __future__ import annotations

import ctypes
import mmap
import os

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
    room = bounds.room()
    paths = files.make(room)
    back = 0
    for turn in bounds.times(len(paths)):
        os.utime(paths[turn], _LONG_AGO)
        back += 1
    oldest = min(int(path.stat().st_mtime) for path in paths)
    return {"files": len(paths), "set_back": back, "oldest": oldest}


def _cut_logs(bounds: Bounds) -> Facts:
    room = bounds.room()
    logs = files.make(room, _LOGS)
    for turn in bounds.times(len(logs)):
        os.truncate(logs[turn], 0)
    empty = sum(log.stat().st_size == 0 for log in logs)
    return {"logs": len(logs), "cut": empty}


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
    summary="Makes 200 files and sets the time of each back to years ago.",
    expects=("openat", "write", "utimensat"),
    cause=("utimensat",),
    harmless_because="it touches only files it made in a folder of their own, which is removed",
    act=_set_times,
)

LOG_CUT = Behaviour(
    name="log-cut",
    technique="T1070.002",
    summary="Makes 40 logs and cuts each to nothing.",
    expects=("openat", "write", "truncate"),
    cause=("truncate",),
    harmless_because="the logs are its own, in a folder of their own, which is removed",
    act=_cut_logs,
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
