"""Begin exactly N connections without waiting, have exactly M refused, and K other calls begun.

The others are ``fchdir``, to which a filter answers what a connection in progress does.
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
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0, "no new privileges"
assert libc.prctl(22, 2, program, 0, 0) == 0, os.strerror(ctypes.get_errno())
for _ in range(others):
    libc.fchdir(0)
    assert ctypes.get_errno() == errno.EINPROGRESS
print(os.getpid())
