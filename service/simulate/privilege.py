"""Rising: pressure on the kernel's memory, capabilities, mounts."""

from __future__ import annotations

import ctypes

from oddcall.service.simulate import child, native
from oddcall.service.simulate.behaviour import Behaviour, Bounds, Facts

_MESSAGES = 100
_ATTEMPTS = 40
_PRIVATE, _CREATE, _REMOVE = 0, 0o1600, 0
_NO_WAIT = 0o4000
_CAP_VERSION_3 = 0x20080522


def _spray(bounds: Bounds) -> Facts:
    """Fill a message queue, as exploits do to place their words in the kernel's memory."""
    try:
        queue = native.call("msgget", _PRIVATE, _CREATE)
    except OSError as error:
        return {"messages": 0, "refused": error.strerror or str(error)}
    sent = 0
    message = ctypes.create_string_buffer((1).to_bytes(8, "little") + b"oddcall!" * 8)
    try:
        for _ in bounds.times(_MESSAGES):
            native.call("msgsnd", queue, ctypes.addressof(message), 64, _NO_WAIT)
            sent += 1
    finally:
        native.call("msgctl", queue, _REMOVE, None)
    return {"messages": sent, "refused": ""}


def _raise_capabilities(bounds: Bounds) -> Facts:
    pid = child.fork(lambda: _set_capabilities(bounds))
    ended = child.wait(pid)
    return {"child": pid, "child_exit": ended, "refused": child.refusal(ended)}


def _set_capabilities(bounds: Bounds) -> None:
    header = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0)
    held = (ctypes.c_uint32 * 6)()
    for _ in bounds.times(_ATTEMPTS):
        native.call("capget", ctypes.byref(header), ctypes.byref(held))
        native.call("capset", ctypes.byref(header), ctypes.byref(held))


def _mount(bounds: Bounds) -> Facts:
    tried, refused = 0, ""
    place = f"{bounds.room}/nowhere".encode()
    for _ in bounds.times(_ATTEMPTS):
        tried += 1
        try:
            native.call("mount", b"none", place, b"tmpfs", 0, None)
        except OSError as error:
            refused = error.strerror or str(error)
    return {"tried": tried, "refused": refused}


HEAP_SPRAY = Behaviour(
    name="heap-spray",
    technique="T1068",
    summary="Fills a message queue with 100 words of its choice, as exploits of the kernel do.",
    expects=("msgget", "msgsnd", "msgctl"),
    cause=("msgsnd", "msgget", "msgctl"),
    harmless_because="the queue is a private one of a few kilobytes, and removed",
    act=_spray,
)

CAPABILITIES = Behaviour(
    name="capabilities",
    technique="T1548",
    summary="A child asks for its capabilities and sets them again, 40 times.",
    expects=("clone", "capget", "capset"),
    cause=("capget", "capset"),
    harmless_because="the capabilities asked for are those the child has already",
    act=_raise_capabilities,
)

MOUNT_ATTEMPTS = Behaviour(
    name="mount-attempts",
    technique="T1611",
    summary="Tries 40 times to mount a file system, and is refused.",
    expects=("mount",),
    cause=("mount",),
    harmless_because="the place it names does not exist, so that nothing can be mounted",
    act=_mount,
)
