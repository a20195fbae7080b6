"""Promises about syslog, against servers that are killed and begun anew."""

from __future__ import annotations

import fcntl
import json
import re
import socket
import ssl
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.service.alerts import notice
from oddcall.service.formats import FORMATS
from oddcall.service.sinks.address import Address
from oddcall.service.sinks.syslog import Syslog, message
from oddcall.service.sinks.transport import DeliveryError, Record, RefusedError

Records = Callable[[range], Any]
#: RFC 5424, section 6: the header, structured data of one element, and the message.
RFC5424 = re.compile(
    rb"<(?P<pri>\d{1,3})>1 (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z) "
    rb"(?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) (?P<id>[!-~]{1,32}) "
    rb'\[(?P<element>[!-~]{1,32}?)( [!-~]{1,32}?="[^"\\\]]*")*\] (?P<text>.*)'
)


class Server:
    """A syslog server on TCP or TLS that can be killed with what it has not read."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.texts: list[bytes] = []
        self.reading = threading.Event()
        self.reading.set()
        self.port, self.context = 0, context
        self._turn = threading.Lock()
        self._connections: set[socket.socket] = set()
        self.start()

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def kill(self) -> None:
        """Die: between two messages, never in the middle of one."""
        with self._turn:
            if self._listener.fileno() >= 0:
                self._listener.shutdown(socket.SHUT_RDWR)
                self._listener.close()
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            with self._turn:
                self._connections.add(connection)
            buffer = b""
            while self.reading.wait(120):
                connection.settimeout(0.01)
                try:
                    # Reading and keeping are one step, so that a kill comes before or after.
                    with self._turn:
                        chunk = connection.recv(3000)
                        buffer = self._keep(buffer + chunk)
                except TimeoutError:
                    continue
                if not chunk:
                    break
            connection.close()
        except OSError:
            return

    def _keep(self, buffer: bytes) -> bytes:
        while found := re.match(rb"([1-9]\d*) ", buffer):
            size = int(found[1])
            if len(buffer) < found.end() + size:
                break
            self.texts.append(buffer[found.end() : found.end() + size])
            buffer = buffer[found.end() + size :]
        return buffer


def numbers(texts: list[bytes]) -> list[int]:
    return [json.loads(RFC5424.fullmatch(text)["text"])["process"]["pid"] - 100 for text in texts]


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    yield served
    served.kill()


def over(server: Server, scheme: str = "tcp", **options: Any) -> Syslog:
    address = Address.parse(f"{scheme}://localhost:{server.port}")
    return Syslog(address, **{"timeout_s": 60.0, **options})


def test_messages_are_rfc_5424(records: Records) -> None:
    """Priority, time, host, name, kind and origin are in the header; the JSON is the text."""
    [record] = records(range(1))
    found = RFC5424.fullmatch(message(record, 3))
    assert found
    assert int(found["pri"]) == 3 * 8 + 4
    assert (found["host"], found["app"], found["id"]) == (b"web1", b"oddcall", b"open")
    assert found["element"] == b"origin"
    assert json.loads(found["text"]) == record.alert


def test_severities_of_syslog(alert_of: Any, host: Any) -> None:
    """Graver alerts have smaller numbers; a quiet episode and a notice have theirs."""
    levels = ("low", "medium", "high", "critical")
    lines = [alert_of(1, severity) for severity in levels]
    lines += [alert_of(1, "critical", "close"), notice.build("dropped", "2.", host, 1, {"full": 2})]
    found = [RFC5424.fullmatch(message(Record(line, line), 16)) for line in lines]
    assert [int(f["pri"]) - 16 * 8 for f in found] == [5, 4, 3, 2, 6, 4]
    assert found[-1]["id"] == b"notice-dropped"


@given(name=st.text(max_size=300), exe=st.text(max_size=40))
def test_names_cannot_break_a_message(name: str, exe: str) -> None:
    """Whatever a host or a program is called, the message keeps its form and is one line."""
    alert = {
        "state": "open",
        "severity": "low",
        "time": "2023-11-14T22:13:20.000000Z",
        "host": {"name": name},
        "program": {"exe": exe},
    }
    text = message(Record(alert, alert), 3)
    assert b"\n" not in text
    found = RFC5424.fullmatch(text)
    assert found
    assert json.loads(found["text"])["program"]["exe"] == exe


def test_octets_are_counted(server: Server, records: Records) -> None:
    """Over TCP a batch arrives whole, in order, framed by length."""
    over(server).send(records(range(50)))
    assert numbers(server.texts) == list(range(50))


def test_sent_means_read(server: Server, records: Records) -> None:
    """A server that holds data unread and dies has not got it: the batch fails."""
    server.reading.clear()
    outcome: list[Exception] = []

    def send() -> None:
        try:
            over(server).send(records(range(50)))
        except DeliveryError as error:
            outcome.append(error)

    sending = threading.Thread(target=send)
    sending.start()
    time.sleep(0.2)
    assert sending.is_alive()
    server.kill()
    sending.join(120)
    server.reading.set()
    assert outcome
    assert "cannot be reached" in str(outcome[0])


def test_a_server_that_hangs_is_a_failure(server: Server, records: Records) -> None:
    """It is not waited for longer than allowed."""
    server.reading.clear()
    with pytest.raises(DeliveryError, match="timed out"):
        over(server, timeout_s=0.2).send(records(range(1)))
    server.reading.set()


def test_a_server_that_is_not_there(server: Server, records: Records) -> None:
    """The address is in the sentence."""
    server.kill()
    sink = over(server)
    for attempt in (sink.reach, lambda: sink.send(records(range(1)))):
        with pytest.raises(DeliveryError, match=rf"tcp://localhost:{server.port} cannot be reach"):
            attempt()
    server.start()
    sink.reach()


def test_tls_is_verified(hook_context: Any, records: Records) -> None:
    """With its authority named a server is trusted, and has read what was sent; else it is not."""
    server = Server(hook_context.server)
    over(server, "tls", ca=hook_context.ca).send(records(range(30)))
    assert numbers(server.texts) == list(range(30))
    with pytest.raises(DeliveryError, match="certificate verify failed"):
        over(server, "tls").send(records(range(1)))
    server.kill()


def test_tls_that_dies_unread_is_a_failure(hook_context: Any, records: Records) -> None:
    """Encrypted, sent means read as well."""
    server = Server(hook_context.server)
    outcome: list[bool] = []

    def send() -> None:
        try:
            over(server, "tls", ca=hook_context.ca).send(records(range(50)))
            outcome.append(True)
        except DeliveryError:
            outcome.append(False)

    server.reading.clear()
    sending = threading.Thread(target=send)
    sending.start()
    time.sleep(0.3)
    server.kill()
    sending.join(120)
    server.reading.set()
    assert outcome == [False]


def test_udp_arrives(records: Records) -> None:
    """Each datagram is one message."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(60)
        Syslog(Address("udp", "127.0.0.1", receiver.getsockname()[1])).send(records(range(5)))
        assert numbers([receiver.recv(65535) for _ in range(5)]) == list(range(5))


def test_a_closed_udp_port_is_noticed(records: Records) -> None:
    """Where the host says that nobody listens, the alert is tried again."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
    with pytest.raises(DeliveryError, match=r"(?i)refused"):
        Syslog(Address("udp", "127.0.0.1", port)).send(records(range(1)))


@pytest.mark.parametrize("scheme", ["tcp", "udp"])
def test_a_socket_that_met_itself_is_no_server(
    monkeypatch: pytest.MonkeyPatch, records: Records, scheme: str
) -> None:
    """A port that nobody listens on may be given to the sender: it must not read itself."""
    kind = socket.SOCK_STREAM if scheme == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as itself:
        itself.bind(("127.0.0.1", 0))
        port = itself.getsockname()[1]
        if scheme == "tcp":
            itself.connect(("127.0.0.1", port))
            monkeypatch.setattr(socket, "create_connection", lambda *_: itself)
        else:
            monkeypatch.setattr(socket, "socket", lambda *_: itself)
        sink = Syslog(Address(scheme, "127.0.0.1", port), timeout_s=2)
        with pytest.raises(DeliveryError, match=r"(?i)refused"):
            sink.send(records(range(1)))


class Here:
    """A socket of this host, read in a thread."""

    def __init__(self, path: Path) -> None:
        self.path, self.texts = path, []
        self.reading = threading.Event()
        self.reading.set()
        self._turn = threading.Lock()
        self.start()

    def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(0.01)
        threading.Thread(target=self._serve, args=(self._socket,), daemon=True).start()

    def kill(self) -> None:
        with self._turn:
            self._socket.close()

    def hang(self) -> None:
        """Read nothing from now on."""
        with self._turn:
            self.reading.clear()

    def unread(self) -> bool:
        """Whether something waits that was not read."""
        size = fcntl.ioctl(self._socket, termios.FIONREAD, bytes(4))
        return any(size)

    def _serve(self, ours: socket.socket) -> None:
        while self.reading.wait(120):
            try:
                with self._turn:
                    if self.reading.is_set():
                        self.texts.append(ours.recv(1 << 20))
            except TimeoutError:
                continue
            except OSError:
                return


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    served = Here(tmp_path / "log")
    yield served
    served.kill()


def test_a_socket_of_this_host(here: Here, records: Records) -> None:
    """It has read what was sent when `send` returns."""
    sink = Syslog(Address("unix", path=here.path), timeout_s=60)
    sink.reach()
    sink.send(records(range(30)))
    assert numbers(here.texts) == list(range(30))


def test_a_local_reader_that_dies_unread(here: Here, records: Records, until: Any) -> None:
    """What it had not read is not delivered, whether or not another one begins at once."""
    for again in (False, True):
        here.hang()
        outcome: list[str] = []

        def send(outcome: list[str] = outcome) -> None:
            try:
                Syslog(Address("unix", path=here.path), timeout_s=60).send(records(range(3)))
            except DeliveryError as error:
                outcome.append(str(error))

        sending = threading.Thread(target=send)
        sending.start()
        until(here.unread)
        here.kill()
        here.reading.set()
        if again:
            here.start()
        sending.join(120)
        assert len(outcome) == 1
        if not again:
            here.start()
    assert here.texts == []


def test_too_large_for_a_socket_is_refused(here: Here, alert_of: Any) -> None:
    """A message no retry will make smaller is refused, not failed."""
    alert = alert_of(1)
    alert["process"]["cmdline"] = "x" * 4_000_000
    with pytest.raises(RefusedError, match="does not take a message so large"):
        Syslog(Address("unix", path=here.path), timeout_s=60).send([Record(alert, alert)])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("udp://siem", "udp://siem:514"),
        ("tls://siem", "tls://siem:6514"),
        ("tcp://[::1]:99", "tcp://[::1]:99"),
        ("unix:///dev/log", "unix:///dev/log"),
    ],
)
def test_addresses(text: str, told: str) -> None:
    """What is not said is the usual; written again it is the same address."""
    assert str(Address.parse(text)) == told
    assert Address.parse(told) == Address.parse(text)


@pytest.mark.parametrize(
    "text", ["", "siem:514", "http://siem", "unix://dev/log", "tcp://", "tcp://siem:x", "udp://a/b"]
)
def test_what_is_no_address(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r"not an address|[Pp]ort"):
        Address.parse(text)


def test_every_format_goes_out(server: Server, alert_of: Any) -> None:
    """The text is the alert in the sink's format."""
    for name, shape in FORMATS.items():
        over(server).send([Record(alert_of(1), shape(alert_of(1)))])
        assert json.loads(RFC5424.fullmatch(server.texts[-1])["text"]) == shape(alert_of(1)), name
