"""Knocking at the kernel's doors: modules, namespaces, users, 32-bit calls, busy waiting."""

from __future__ import annotations

import ctypes
import hashlib
import mmap
import os
import platform
import resource
import signal

from oddcall.service.simulate import child, native
from oddcall.service.simulate.behaviour import Behaviour, Bounds, Facts

_YIELDS = 20_000
#: mov eax, 20 (getpid by its 32-bit number); int 0x80; ret.
_GETPID_32 = bytes.fromhex("b814000000cd80c3")
_CALLS_32 = 2000


def _load_module(bounds: Bounds) -> Facts:
    tried, refused = 0, ""
    for _ in bounds.times(20):
        tried += 1
        try:
            native.finit_module(-1)
        except OSError as error:
            refused = error.strerror or str(error)
    return {"tried": tried, "refused": refused}


def _hop_namespaces(bounds: Bounds) -> Facts:
    pid = child.fork(lambda: _hop(bounds))
    ended = child.wait(pid)
    return {"child": pid, "child_exit": ended, "refused": child.refusal(ended)}


def _hop(bounds: Bounds) -> None:
    home = os.open("/proc/self/ns/uts", os.O_RDONLY | os.O_CLOEXEC)
    for _ in bounds.times(50):
        native.unshare(native.CLONE_NEWUTS)
        native.setns(home, native.CLONE_NEWUTS)


def _change_user(bounds: Bounds) -> Facts:
    pid = child.fork(lambda: _become_who_we_are(bounds))
    return {"child": pid, "child_exit": child.wait(pid)}


def _become_who_we_are(bounds: Bounds) -> None:
    user, group = os.getuid(), os.getgid()
    for _ in bounds.times(50):
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
        os.setreuid(user, user)
        os.setuid(user)


def _call_32_bit(bounds: Bounds) -> Facts:
    if platform.machine() != "x86_64":
        return {"calls": 0, "refused": "only x86-64 has this door"}
    pid = child.fork(lambda: _int_80(bounds))
    ended = child.wait(pid)
    return {"child": pid, "child_exit": ended, "refused": child.refusal(ended)}


def _int_80(bounds: Bounds) -> None:
    # A kernel without 32-bit emulation ends the child here: quietly, and without a core.
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
        page.write(_GETPID_32)
        getpid = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        for _ in bounds.times(_CALLS_32):
            if getpid() != os.getpid():
                os._exit(254)
        os._exit(0)


def _yield_loop(bounds: Bounds) -> Facts:
    digest = b"oddcall"
    rounds = 0
    for _ in bounds.times(_YIELDS):
        rounds += 1
        digest = hashlib.sha256(digest).digest()
        os.sched_yield()
    return {"rounds": rounds, "digest": digest.hex()[:16]}


MODULE_LOAD = Behaviour(
    name="module-load",
    technique="T1547.006",
    summary="Asks the kernel to load a module, and is refused.",
    expects=("finit_module",),
    cause=("finit_module",),
    harmless_because="the module is descriptor -1: there is nothing that could be loaded",
    act=_load_module,
)

NAMESPACE_HOP = Behaviour(
    name="namespace-hop",
    technique="T1611",
    summary="A child leaves its host-name namespace for a new one and comes back, repeatedly.",
    expects=("clone", "unshare", "setns"),
    cause=("setns", "unshare"),
    harmless_because="only a short-lived child moves, and only among host-name namespaces",
    act=_hop_namespaces,
)

SETUID_CALLS = Behaviour(
    name="setuid-calls",
    technique="T1548.001",
    summary="A child changes its user and group ids, repeatedly, to those it has.",
    expects=("clone", "setresgid", "setresuid", "setreuid", "setuid"),
    cause=("setresgid", "setresuid", "setreuid", "setuid"),
    harmless_because="the ids asked for are those the child has already",
    act=_change_user,
)

COMPAT_CALLS = Behaviour(
    name="compat-calls",
    technique="T1106",
    summary="A child makes 32-bit system calls, as code does that hides from 64-bit filters.",
    expects=("clone", "mmap", "32-bit getpid"),
    cause=("32-bit getpid",),
    harmless_because="the call is getpid, from a page of the child's own",
    act=_call_32_bit,
)

YIELD_LOOP = Behaviour(
    name="yield-loop",
    technique="T1496",
    summary="Hashes and yields the processor in a tight loop, as a miner does.",
    expects=("sched_yield",),
    cause=("sched_yield",),
    harmless_because="it gives the processor away at every turn and ends with its time",
    act=_yield_loop,
)
