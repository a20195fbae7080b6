"""Begin exactly N connections without waiting, have exactly M refused, and K other calls begun.

After those by connect, as many are begun by each of the calls that send, with MSG_FASTOPEN: no
server has given a cookie, so that is a connection in progress as well. The others are ``fchdir``,
to which a filter answers what a connection in progress does.
"""

import ctypes
import errno
import os
import platform
import socket
import struct
import sys

begun, refused, others = map(int, sys.argv[1:4])
with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
    closed.bind(("127.0.0.1", 0))  # taken, and nobody listens
    for _ in range(begun):
        with socket.socket() as client:
            client.setblocking(False)
            assert client.connect_ex(server.getsockname()) == errno.EINPROGRESS
            server.accept()[0].close()
    for _ in range(refused):
        with socket.socket() as client:
            assert client.connect_ex(closed.getsockname()) == errno.ECONNREFUSED


class Piece(ctypes.Structure):
    """An iovec."""

    _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]


class Message(ctypes.Structure):
    """A mmsghdr: a msghdr, and how much of it was sent."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("name_length", ctypes.c_uint32),
        ("pieces", ctypes.POINTER(Piece)),
        ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("sent", ctypes.c_uint),
    ]


FASTOPEN = 0x20000000
libc = ctypes.CDLL(None, use_errno=True)
with socket.create_server(("127.0.0.1", 0)) as server:
    host, port = server.getsockname()
    address = struct.pack("=H", socket.AF_INET) + struct.pack(">H", port)
    address += socket.inet_aton(host) + bytes(8)
    piece = Piece(b"odd", 3)
    message = Message(address, len(address), ctypes.pointer(piece), 1)
    sending = (
        lambda fd: libc.sendto(fd, b"odd", 3, FASTOPEN, address, len(address)),
        lambda fd: libc.sendmsg(fd, ctypes.byref(message), FASTOPEN),
        lambda fd: libc.sendmmsg(fd, ctypes.byref(message), 1, FASTOPEN),
    )
    for send in sending:
        for _ in range(begun):
            with socket.socket() as client:
                client.setblocking(False)
                assert send(client.fileno()) == -1
                assert ctypes.get_errno() == errno.EINPROGRESS
                server.accept()[0].close()

# Load the number of the call; is it fchdir's: answer with the error; else let it pass.
filtered = b"".join(
    struct.pack("=HBBI", *step)
    for step in (
        (0x20, 0, 0, 0),
        (0x15, 0, 1, 81 if platform.machine() == "x86_64" else 50),
        (0x06, 0, 0, 0x00050000 | errno.EINPROGRESS),
        (0x06, 0, 0, 0x7FFF0000),
    )
)
steps = ctypes.create_string_buffer(filtered)
program = ctypes.create_string_buffer(struct.pack("@HP", 4, ctypes.addressof(steps)))
assert libc.prctl(38, 1, 0, 0, 0) == 0, "no new privileges"
assert libc.prctl(22, 2, program, 0, 0) == 0, os.strerror(ctypes.get_errno())
for _ in range(others):
    libc.fchdir(0)
    assert ctypes.get_errno() == errno.EINPROGRESS
print(os.getpid())
