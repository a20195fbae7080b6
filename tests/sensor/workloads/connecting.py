"""Begin exactly N connections without waiting, and have exactly M refused."""

import errno
import os
import socket
import sys

begun, refused = int(sys.argv[1]), int(sys.argv[2])
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
print(os.getpid())
