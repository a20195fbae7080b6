"""Moving on and carrying off: to the next host, into an archive, out by an open connection."""

from __future__ import annotations

import contextlib
import os
import socket
import tarfile
from collections.abc import Callable, Iterator
from functools import partial

from oddcall.service.simulate import child, files
from oddcall.service.simulate.behaviour import Behaviour, Bounds, Facts

_LOGINS = 60
_BURSTS = 400
_DATAGRAMS = 400
_BYTES = 8192
_BANNER = b"SSH-2.0-oddcall\r\n"


@contextlib.contextmanager
def _sink(kind: socket.SocketKind) -> Iterator[tuple[tuple[str, int], int]]:
    """Let a child take what is sent to a port of loopback; gives its address and the child."""
    with socket.socket(socket.AF_INET, kind) as listening:
        listening.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            listening.listen(128)
        pid = child.fork(lambda: _swallow(listening))
        try:
            yield listening.getsockname(), pid
        finally:
            os.kill(pid, 15)
            child.wait(pid)


def _swallow(listening: socket.socket) -> None:
    while listening.type == socket.SOCK_STREAM:
        connection = listening.accept()[0]
        with contextlib.suppress(OSError):
            connection.send(_BANNER)
            while connection.recv(1 << 16):
                pass
        connection.close()
    while True:
        listening.recv(1 << 16)


def _try_logins(bounds: Bounds) -> Facts:
    heard = 0
    with _sink(socket.SOCK_STREAM) as (address, pid):
        for _ in bounds.times(_LOGINS):
            with socket.create_connection(address, timeout=2) as connection:
                heard += connection.recv(len(_BANNER)) == _BANNER
                connection.sendall(_BANNER)
    return {"child": pid, "answered": heard}


def _archive(bounds: Bounds) -> Facts:
    paths = files.paths(bounds.room)
    out = bounds.room / "collected.tar.gz"
    with tarfile.open(out, "w:gz") as archive:
        for turn in bounds.times(len(paths)):
            archive.add(paths[turn], paths[turn].name)
        packed = len(archive.getmembers())
    size = out.stat().st_size
    return {"files": len(paths), "packed": packed, "bytes": size}


def _send(bounds: Bounds, pump: Callable[[socket.socket, int], int]) -> Facts:
    sent = 0
    with _sink(socket.SOCK_STREAM) as (address, pid):
        descriptor = os.open(files.paths(bounds.room, 1)[0], os.O_RDONLY | os.O_CLOEXEC)
        try:
            with socket.create_connection(address, timeout=2) as connection:
                connection.settimeout(None)
                for _ in bounds.times(_BURSTS):
                    sent += pump(connection, descriptor)
        finally:
            os.close(descriptor)
    return {"child": pid, "bytes": sent}


def _by_sendfile(connection: socket.socket, descriptor: int) -> int:
    return os.sendfile(connection.fileno(), descriptor, 0, _BYTES)


def _by_splice(connection: socket.socket, descriptor: int) -> int:
    out, into = os.pipe()
    try:
        moved = os.splice(descriptor, into, _BYTES, offset_src=0)
        return os.splice(out, connection.fileno(), moved)
    finally:
        os.close(out)
        os.close(into)


def _tunnel(bounds: Bounds) -> Facts:
    sent = 0
    with (
        _sink(socket.SOCK_DGRAM) as (address, pid),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as query,
    ):
        for turn in bounds.times(_DATAGRAMS):
            sent += query.sendto(b"%060d.example" % turn, address)
    return {"child": pid, "bytes": sent}


SSH_LOGINS = Behaviour(
    name="ssh-logins",
    technique="T1021.004",
    summary="Connects 60 times to a port that greets like an SSH server, and greets back.",
    expects=("clone", "socket", "connect", "recvfrom", "sendto"),
    cause=("connect", "socket"),
    harmless_because="the port is on loopback and a child of its own listens there",
    act=_try_logins,
)

ARCHIVE = Behaviour(
    name="archive",
    technique="T1560.001",
    summary="Packs 200 files into one compressed archive.",
    expects=("openat", "lstat", "read", "write"),
    cause=("lstat", "newfstatat", "openat", "read", "lseek", "ioctl", "write"),
    harmless_because="it packs only files made for it in a folder of their own, which is removed",
    act=_archive,
    prepare=files.make,
)

SENDFILE_OUT = Behaviour(
    name="sendfile-out",
    technique="T1041",
    summary="Pushes a file 400 times into a connection of its own making.",
    expects=("clone", "socket", "connect", "sendfile"),
    cause=("sendfile", "connect"),
    harmless_because="the connection ends on loopback, at a child that throws all away",
    act=lambda bounds: _send(bounds, _by_sendfile),
    prepare=partial(files.make, count=1),
)

SPLICE_OUT = Behaviour(
    name="splice-out",
    technique="T1048",
    summary="Moves a file 400 times through a pipe into a connection, unseen by its own memory.",
    expects=("clone", "socket", "connect", "pipe2", "splice"),
    cause=("splice", "pipe2"),
    harmless_because="the connection ends on loopback, at a child that throws all away",
    act=lambda bounds: _send(bounds, _by_splice),
    prepare=partial(files.make, count=1),
)

DNS_TUNNEL = Behaviour(
    name="dns-tunnel",
    technique="T1071.004",
    summary="Sends 400 datagrams as long as a name may be, as data does that leaves by DNS.",
    expects=("clone", "socket", "sendto"),
    cause=("sendto",),
    harmless_because="they go to a port of loopback, where a child of its own throws them away",
    act=_tunnel,
)
