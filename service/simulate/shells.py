"""A shell whose input and output are a socket: what a remote exploit leaves behind."""

from __future__ import annotations

import contextlib
import os
import socket

from oddcall.service.simulate import child
from oddcall.service.simulate.behaviour import Behaviour, Bounds, Facts

_COMMANDS = b"id; exit\n"
#: The answer to the two commands is one line; more than this is not ours.
_MOST_BYTES = 4096


def _act(bounds: Bounds) -> Facts:  # noqa: ARG001  one shell, bounded by its own alarm
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            pid = child.fork(lambda: _become_shell(theirs.fileno()))
        # Past the shell's alarm: only something it started could still hold the other end.
        ours.settimeout(child.LONGEST_S + 1)
        said = _talk(ours)
    return {"child": pid, "shell_exit": child.wait(pid), "said": said}


def _become_shell(descriptor: int) -> None:
    for standard in (0, 1, 2):
        os.dup2(descriptor, standard)
    os.execve("/bin/sh", ["sh"], {"PATH": "/usr/bin:/bin"})  # noqa: S606  a fixed path, no words


def _talk(connection: socket.socket) -> str:
    heard = b""
    with contextlib.suppress(OSError):
        connection.sendall(_COMMANDS)
        while len(heard) < _MOST_BYTES and (part := connection.recv(_MOST_BYTES)):
            heard += part
    return heard.decode("utf-8", "replace").strip()


SHELL_ON_SOCKET = Behaviour(
    name="shell-on-socket",
    technique="T1059.004",
    summary="Forks a child whose descriptors 0 to 2 are a socket, and makes it a shell.",
    expects=("socketpair", "clone", "dup2", "execve", "sendto", "recvfrom", "wait4"),
    cause=("execve", "dup2", "socketpair", "clone", "wait4"),
    harmless_because="the socket is a pair within the process; the shell is told `id; exit` only",
    act=_act,
)
