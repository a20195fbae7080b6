"""The other side of a sink: reads one protocol, and keeps what comes so that a kill shows in it.

Arguments: the protocol, an address (a port, a path, or the descriptor of a bound socket) and the
file to keep lines in. What comes is looked at, kept, and only then taken out of the socket (or
answered): whatever moment this process is killed at, nothing is both taken and not kept.
"""

import os
import re
import socket
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

protocol, address, kept = sys.argv[1:]
file = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def keep(message: bytes) -> None:
    os.write(file, message.replace(b"\n", b" ") + b"\n")


def ready(port: int = 0) -> None:
    print(port, flush=True)


def read_datagrams(ours: socket.socket) -> None:
    """Keep datagrams, and sealed files in their place."""
    while True:
        message, beside, *_ = ours.recvmsg(1 << 20, socket.CMSG_LEN(4), socket.MSG_PEEK)
        for *_, number in beside:
            sealed = int.from_bytes(number, sys.byteorder)
            message = os.pread(sealed, 1 << 30, 0)
            os.close(sealed)
        keep(message)
        ours.recv(1)


def read_streams(listener: socket.socket) -> None:
    """Keep what comes over connections, framed by a count of octets or by ends of lines."""
    while True:
        connection, _ = listener.accept()
        rest = b""
        while chunk := connection.recv(3000, socket.MSG_PEEK):
            rest = keep_whole(rest + chunk)
            connection.recv(len(chunk))
        connection.close()


def keep_whole(text: bytes) -> bytes:
    """Keep the messages that are whole; gives what is left."""
    while text:
        if counted := re.match(rb"([1-9]\d*) ", text):
            begin, end = counted.end(), counted.end() + int(counted[1])
            after = end
        elif text[:1] == b"<" and b"\n" in text:
            begin, end = 0, text.index(b"\n")
            after = end + 1
        else:
            break
        if len(text) < after:
            break
        keep(text[begin:end])
        text = text[after:]
    return text


class Hook(BaseHTTPRequestHandler):
    """Keeps what is POSTed, then says so."""

    def do_POST(self) -> None:
        keep(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


if protocol == "http":
    server = HTTPServer(("127.0.0.1", int(address)), Hook)
    ready(server.server_port)
    server.serve_forever()
elif protocol == "tcp":
    listener = socket.create_server(("127.0.0.1", int(address)))
    ready(listener.getsockname()[1])
    read_streams(listener)
elif protocol == "udp":
    ready()
    read_datagrams(socket.socket(fileno=int(address)))
else:
    Path(address).unlink(missing_ok=True)
    kind = socket.SOCK_STREAM if protocol == "stream" else socket.SOCK_DGRAM
    ours = socket.socket(socket.AF_UNIX, kind)
    ours.bind(address)
    if protocol == "stream":
        ours.listen()
    ready()
    (read_streams if protocol == "stream" else read_datagrams)(ours)
