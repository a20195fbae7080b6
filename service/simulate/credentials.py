"""Looking for secrets: in files that are called like them, in keyrings, in another's memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

from oddcall.service.simulate import child, native
from oddcall.service.simulate.behaviour import Behaviour, Bounds, Facts

_ROUNDS = 200
_NAMES = ("id_rsa", ".env", ".netrc", "credentials", ".pgpass", "token.json", "shadow", "key.pem")
_JOIN_SESSION, _SEARCH = 1, 10
_SESSION = -3
_BYTES = 4096
_PAGES = 5


def _homes(room: Path) -> list[Path]:
    return [room / f"home-{n}" for n in range(_ROUNDS // len(_NAMES))]


def _leave_candidates(room: Path) -> None:
    for home in _homes(room):
        home.mkdir()
        for name in _NAMES:
            (home / name).write_bytes(b"not a secret\n")


def _read_candidates(bounds: Bounds) -> Facts:
    found = [Path(entry) for home in _homes(bounds.room) for entry in os.scandir(home)]
    read = 0
    for turn in bounds.times(len(found)):
        if os.access(found[turn], os.R_OK) and found[turn].stat().st_size:
            read += len(found[turn].read_bytes()) > 0
    return {"files": len(found), "read": read}


def _search_keyring(bounds: Bounds) -> Facts:
    pid = child.fork(lambda: _ask_for_keys(bounds))
    ended = child.wait(pid)
    return {"child": pid, "child_exit": ended, "refused": child.refusal(ended)}


def _ask_for_keys(bounds: Bounds) -> None:
    native.call("keyctl", _JOIN_SESSION, None, 0, 0, 0)
    native.call("add_key", b"user", b"oddcall-simulate", b"not a secret", 12, _SESSION)
    for turn in bounds.times(_ROUNDS):
        # No such key: refused, as nearly every guess of a search is.
        with contextlib.suppress(OSError):
            native.call("request_key", b"user", b"ssh-%d" % turn, None, 0)
        native.call("keyctl", _SEARCH, _SESSION, b"user", b"oddcall-simulate", 0)


class _Part(ctypes.Structure):
    """``struct iovec``."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def _dump_child(bounds: Bounds) -> Facts:
    secret = ctypes.create_string_buffer(b"oddcall!" * (_BYTES // 8))
    here = ctypes.create_string_buffer(_BYTES)
    ours, theirs = (_Part(ctypes.addressof(part), _BYTES) for part in (here, secret))
    pid = child.fork(signal.pause)
    read, refused = 0, ""
    try:
        for _ in bounds.times(_ROUNDS):
            read += native.call(
                "process_vm_readv", pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0
            )
    except OSError as error:
        refused = error.strerror or str(error)
    finally:
        os.kill(pid, signal.SIGKILL)
        ended = child.wait(pid)
    return {"child": pid, "bytes": read, "child_exit": ended, "refused": refused}


def _read_pages(bounds: Bounds) -> Facts:
    pages = sorted(Path(os.__file__).parent.glob("c*.py"))[:_PAGES]
    taken = 0
    with open(os.devnull, "wb", buffering=0) as away:  # noqa: PTH123  the calls of a page served
        for turn in bounds.times(len(pages)):
            with pages[turn].open("rb") as page:
                size = os.fstat(page.fileno()).st_size
                taken += os.sendfile(away.fileno(), page.fileno(), 0, size)
    return {"files": len(pages), "bytes": taken}


CREDENTIAL_FILES = Behaviour(
    name="credential-files",
    technique="T1552.001",
    summary="Looks at 200 files called like keys and passwords, and reads each.",
    expects=("openat", "getdents64", "access", "stat", "read"),
    cause=("access", "stat", "openat", "newfstatat", "getdents64", "read"),
    harmless_because="the files were made for it in a temporary folder, and hold no secret",
    act=_read_candidates,
    prepare=_leave_candidates,
)

KEYRING_SEARCH = Behaviour(
    name="keyring-search",
    technique="T1555",
    summary="A child searches the kernel's keyrings for 200 keys by name.",
    expects=("clone", "keyctl", "add_key", "request_key"),
    cause=("keyctl", "request_key", "add_key"),
    harmless_because="the child has a new keyring of its own, which ends with it",
    act=_search_keyring,
)

PROCESS_MEMORY = Behaviour(
    name="process-memory",
    technique="T1003.007",
    summary="Reads the memory of a child of its own, 200 times, without attaching to it.",
    expects=("clone", "process_vm_readv", "kill", "wait4"),
    cause=("process_vm_readv",),
    harmless_because="the child is its own, does nothing but wait, and is ended",
    act=_dump_child,
)

PAGE_THEFT = Behaviour(
    name="page-theft",
    technique="T1005",
    summary="Takes five files out, each by the calls that serve a page.",
    expects=("openat", "fstat", "sendfile", "close"),
    cause=("openat", "sendfile"),
    harmless_because="the files are those of Python's library, and go to /dev/null",
    act=_read_pages,
    invisible="a page served and a file stolen are the same calls: only the path differs",
)
