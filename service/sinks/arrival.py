"""Knowing whether what was sent has been read, where the protocol itself never says.

A socket takes what is sent long before anybody reads it, and what is unread is lost when
the reader dies. The kernel knows more than the protocol tells:

- a datagram to a socket of this host is charged to the sender until it is read. Once
  nothing is charged any more and the same reader is still there, all of it was read;
- a connection that is closed by its reader with something unread is reset, not ended, over TCP
  and on this host. Once our end is acknowledged and the other end came in order, all of it was
  read.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
import termios
import time
from collections.abc import Iterable
from pathlib import Path

from oddcall.service.sinks.transport import DeliveryError, RefusedError, undelivered

_LOOK_S = 0.002


def send_local(
    path: Path, messages: Iterable[bytes], timeout_s: float, *, sealed: bool = False
) -> None:
    """Send messages to the socket at ``path``; returns once they were read.

    Each is a datagram, or a line where the reader takes connections.

    Parameters
    ----------
    path : Path
    messages : iterable of bytes
    timeout_s : float
        Longest wait for the reader.
    sealed : bool, default False
        Whether the reader takes a sealed file in memory for a datagram that is too large, as
        systemd's native protocol has it.

    Raises
    ------
    DeliveryError
        When nobody listens, or they were not read in time.
    RefusedError
        When one is too large.
    """
    with reach_local(path, timeout_s) as way:
        try:
            if way.type == socket.SOCK_STREAM:
                way.sendall(b"".join(message + b"\n" for message in messages))
                end_stream(way, timeout_s)
                return
            listener = _identity(path)
            for message in messages:
                _send_one(way, message, sealed=sealed)
            wait_until_acknowledged(way, timeout_s)
            # A reader that died takes what it has not read along: is it the same one?
            with reach_local(path, timeout_s):
                changed = _identity(path) != listener
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise RefusedError(f"{path} does not take a message so large") from error
            raise undelivered(str(path), error) from error
    if changed:
        raise DeliveryError(f"{path} was begun anew by its reader")


def reach_local(path: Path, timeout_s: float) -> socket.socket:
    """Give a socket, for datagrams or else a stream, to ``path``; raises DeliveryError."""
    try:
        try:
            return _connected(path, socket.SOCK_DGRAM, timeout_s)
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:
                raise
        return _connected(path, socket.SOCK_STREAM, timeout_s)
    except OSError as error:
        raise undelivered(str(path), error) from error


def end_stream(way: socket.socket, timeout_s: float) -> None:
    """End a connection; returns once the other side has read all, and ended as well.

    Raises
    ------
    OSError
        When it ended without reading all, or did not end in time.
    """
    way.shutdown(socket.SHUT_WR)
    while way.recv(4096):
        pass
    # Its end may have been sent before our data came there: then a reset follows.
    wait_until_acknowledged(way, timeout_s)


def wait_until_acknowledged(way: socket.socket, timeout_s: float) -> None:
    """Wait until nothing waits in the socket, and it is whole; raises OSError."""
    end_s = time.monotonic() + timeout_s
    while _unread(way):
        if time.monotonic() > end_s:
            raise TimeoutError("nobody reads it")
        time.sleep(_LOOK_S)
    if wrong := way.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(wrong, os.strerror(wrong))


def _connected(path: Path, kind: socket.SocketKind, timeout_s: float) -> socket.socket:
    way = socket.socket(socket.AF_UNIX, kind)
    try:
        way.settimeout(timeout_s)
        way.connect(str(path))
    except OSError:
        way.close()
        raise
    return way


def _identity(path: Path) -> tuple[int, int]:
    """Tell one socket at a path from the next, which may get the same inode again."""
    found = path.stat()
    return found.st_ino, found.st_ctime_ns


def _send_one(way: socket.socket, datagram: bytes, *, sealed: bool) -> None:
    try:
        way.sendall(datagram)
    except OSError as error:
        if error.errno != errno.EMSGSIZE or not sealed:
            raise
        _send_sealed(way, datagram)


def _send_sealed(way: socket.socket, content: bytes) -> None:
    with os.fdopen(os.memfd_create("oddcall", os.MFD_ALLOW_SEALING), "wb", 0) as file:
        file.write(content)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
        socket.send_fds(way, [b""], [file.fileno()])


def _unread(way: socket.socket) -> int:
    """Bytes charged to the sender; for datagrams with what the kernel adds to each."""
    answer = fcntl.ioctl(way, termios.TIOCOUTQ, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])
