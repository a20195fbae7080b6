"""Looking around: who runs here, what host this is, what it is connected to."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from functools import partial
from pathlib import Path

from oddcall.service.simulate import child
from oddcall.service.simulate.behaviour import Behaviour, Bounds, Facts

_PROCESSES = 300
_ROUNDS = 300
_TOOLS = (("/bin/uname", "-a"), ("/usr/bin/id",), ("/bin/hostname",), ("/bin/ls", "/"))
#: struct sysinfo has less; what it says is not used.
_SYSINFO_BYTES = 256
_libc = ctypes.CDLL(None, use_errno=True)


def _walk_processes(bounds: Bounds) -> Facts:
    places = [place for place in Path("/proc").iterdir() if place.name.isdecimal()]
    read = 0
    for turn in bounds.times(min(len(places), _PROCESSES)):
        with contextlib.suppress(OSError):
            (places[turn] / "status").read_bytes()
            (places[turn] / "exe").readlink()
            read += 1
    return {"processes": len(places), "read": read}


def _ask_about_host(bounds: Bounds) -> Facts:
    room = ctypes.create_string_buffer(_SYSINFO_BYTES)
    rounds = 0
    for _ in bounds.times(_ROUNDS):
        os.uname()
        os.getresuid()
        os.getgroups()
        os.sched_getaffinity(0)
        _libc.sysinfo(room)
        rounds += 1
    return {"rounds": rounds, "release": os.uname().release}


def _ask_about_network(bounds: Bounds) -> Facts:
    names: set[str] = set()
    rounds = 0
    for _ in bounds.times(_ROUNDS // 10):
        names |= {name for _, name in socket.if_nameindex()}
        rounds += 1
    return {"rounds": rounds, "interfaces": len(names)}


def _run_tools(bounds: Bounds) -> Facts:
    ran = 0
    for turn in bounds.times(3 * len(_TOOLS)):
        words = _TOOLS[turn % len(_TOOLS)]
        if Path(words[0]).exists():
            ran += child.wait(child.fork(partial(_become, words))) == 0
    return {"ran": ran}


def _become(words: tuple[str, ...]) -> None:
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.execve(words[0], list(words), {"PATH": "/usr/bin:/bin"})  # noqa: S606  a fixed list


PROCESS_WALK = Behaviour(
    name="process-walk",
    technique="T1057",
    summary="Reads in /proc what each process of the host is and which program it runs.",
    expects=("openat", "getdents64", "read", "readlink"),
    cause=("readlink", "getdents64", "openat", "read"),
    harmless_because="it reads what every user may read, and keeps nothing",
    act=_walk_processes,
)

HOST_FACTS = Behaviour(
    name="host-facts",
    technique="T1082",
    summary="Asks the kernel 300 times for its release, its memory, its processors, its user.",
    expects=("uname", "getresuid", "getgroups", "sched_getaffinity", "sysinfo"),
    cause=("uname", "getresuid", "getgroups", "sched_getaffinity", "sysinfo"),
    harmless_because="the calls only answer",
    act=_ask_about_host,
)

INTERFACES = Behaviour(
    name="interfaces",
    technique="T1016",
    summary="Lists the host's network interfaces, 30 times.",
    expects=("socket", "bind", "sendto", "recvmsg"),
    cause=("socket", "bind", "recvmsg", "getsockname", "ioctl"),
    harmless_because="the kernel is asked by netlink, and nothing is sent to the network",
    act=_ask_about_network,
)

DISCOVERY_TOOLS = Behaviour(
    name="discovery-tools",
    technique="T1059.004",
    summary="Runs uname, id, hostname and ls as children, three times each.",
    expects=("clone", "dup2", "execve", "wait4"),
    cause=("execve", "dup2", "clone", "wait4"),
    harmless_because="the tools only print, and what they print is thrown away",
    act=_run_tools,
)
