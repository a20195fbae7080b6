"""A small web server to learn from, whose own process can then be made to misbehave.

It listens on loopback only, and ``POST /simulate/NAME`` runs a behaviour in the server's own
process, in a room that whoever asks has made in the folder told by ``GET /simulate``. A web page
cannot send these requests: they need a header of ours, and a name of loopback.
"""

from __future__ import annotations

import json
import os
import signal
import socketserver
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from oddcall.models.errors import SettingError
from oddcall.service.simulate import registry
from oddcall.service.simulate.behaviour import clear, room_in
from oddcall.service.simulate.outcome import Outcome, broke, perform
from oddcall.service.simulate.site import Site

#: The header without which nothing is simulated.
HEADER = "X-Oddcall-Simulate"
_LOOPBACK = "127.0.0.1"
_LOCAL_NAMES = {_LOOPBACK, "localhost"}
_BODY_BYTES = 2_000_000


class Server(ThreadingHTTPServer):
    """Serves a site on loopback, a thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, folder: Path) -> None:
        self.folder = folder
        clear(folder)  # of a server that was killed
        self.site = Site(folder)
        self._busy = threading.Lock()
        super().__init__((_LOOPBACK, port), _Pages)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{_LOOPBACK}:{self.server_address[1]}"

    def simulate(self, name: str, room: str, seconds: float, pause_s: float) -> Outcome | None:
        """Run a behaviour in this process, in a room of its folder; None while another one runs."""
        place = room_in(self.folder, room)
        if place is None:
            raise SettingError("that is no room of a behaviour", got=repr(room))
        if not self._busy.acquire(blocking=False):
            return None
        try:
            return perform(name, seconds, place, pause_s)
        finally:
            self._busy.release()

    def server_bind(self) -> None:
        """Bind, without asking the resolver for this host's name as the parent class does."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _LOOPBACK, int(self.server_address[1])

    def server_close(self) -> None:
        """Stop listening and close the log."""
        super().server_close()
        self.site.close()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002  socketserver's signature
        """Say in one line what went wrong with a connection; a client that left is no error."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            sys.stderr.write(f"demo server: {type(error).__name__}: {error}\n")


class _Pages(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "oddcall-demo"
    #: Seconds a connection may be idle.
    timeout = 15

    def do_GET(self) -> None:
        """Answer a page, a document, or 404."""
        where = urlsplit(self.path)
        path = "/static/index.html" if where.path == "/" else where.path
        page = self.server.site.page(path.removeprefix("/static/"))
        if path == "/api/items":
            self._send(self.server.site.items(int(_number(where.query, "n", 20))))
        elif path == "/api/files":
            self._send(self.server.site.listing())
        elif path == "/simulate":
            if self._may_simulate():
                self._send(json.dumps({"folder": str(self.server.folder)}).encode())
        elif page and path.startswith("/static/"):
            self._send_file(page)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")

    def do_HEAD(self) -> None:
        """Answer as to GET, without the content."""
        self.do_GET()

    def do_POST(self) -> None:
        """Take an upload, echo, or run a behaviour."""
        content = self._content()
        where = urlsplit(self.path)
        if content is None:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "a length of at most 2 MB is needed")
        elif where.path == "/api/echo":
            self._send(content, "application/octet-stream")
        elif where.path == "/upload":
            self._send(self.server.site.upload(content))
        elif where.path.startswith("/simulate/"):
            self._simulate(where.path.removeprefix("/simulate/"), where.query)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "no such page")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
        """Write to the access log instead of the terminal."""
        self.server.site.log(f"{self.log_date_time_string()} {format % args}")

    def _simulate(self, name: str, query: str) -> None:
        if not self._may_simulate():
            return
        try:
            # Answered after the next may begin: a client that asks at once is not turned away.
            seconds, pause_s = _number(query, "seconds", 2.0), _number(query, "pause", 0.0)
            outcome = self.server.simulate(name, _word(query, "room"), seconds, pause_s)
            told = json.dumps(outcome.as_dict()) if outcome else ""
        except SettingError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except Exception as error:  # whatever a behaviour of somebody's does wrong
            why = f"{name} did not end well: {broke(name, error)}"
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, why)
        else:
            if told:
                self._send(told.encode())
            else:
                self._refuse(HTTPStatus.CONFLICT, "a simulation is under way")

    def _may_simulate(self) -> bool:
        """Whether our own command asks; anybody else is refused."""
        host = self.headers.get("Host", "").partition(":")[0]
        if HEADER in self.headers and host in _LOCAL_NAMES:
            return True
        self._refuse(HTTPStatus.FORBIDDEN, f"the header {HEADER} is needed, on loopback")
        return False

    def _content(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _BODY_BYTES:
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._send(json.dumps({"error": why}).encode(), status=status)

    def _send(
        self, content: bytes, kind: str = "application/json", status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        self._head(status, kind, len(content))
        if self.command != "HEAD":
            self.wfile.write(content)

    def _send_file(self, path: Path) -> None:
        with path.open("rb") as file:
            self._head(HTTPStatus.OK, "application/octet-stream", os.fstat(file.fileno()).st_size)
            if self.command != "HEAD":
                self.connection.sendfile(file)

    def _head(self, status: HTTPStatus, kind: str, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()


def _word(query: str, name: str) -> str:
    return parse_qs(query).get(name, [""])[0]


def _number(query: str, name: str, default: float) -> float:
    try:
        return float(_word(query, name))
    except ValueError:
        return default


def main(port: int, folder: Path) -> int:
    """Serve until interrupted (SIGTERM interrupts as SIGINT does)."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _listening(port, folder) as server, registry.entered(folder, server.url):
        program = Path("/proc/self/exe").readlink()
        sys.stdout.write(f"{server.url}  (process {os.getpid()}, program {program})\n")
        sys.stdout.flush()
        server.serve_forever()
    return 0


def _listening(port: int, folder: Path) -> Server:
    try:
        return Server(port, folder)
    except (OSError, OverflowError) as error:
        raise SettingError(
            f"the demo server cannot listen on port {port}",
            expected="a free port from 0 to 65535",
            got=str(error),
            fix="Use --port 0 to let the kernel choose one.",
        ) from error
