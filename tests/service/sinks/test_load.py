"""Promises about sinks under load: every one killed and revived amid thousands of alerts."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oddcall.service.sinks.address import Address
from oddcall.service.sinks.http import Endpoint
from oddcall.service.sinks.jetstream import JetStream, Server
from oddcall.service.sinks.journald import Journald
from oddcall.service.sinks.queued import Queued, QueuedSettings
from oddcall.service.sinks.rotating import RotatingFile
from oddcall.service.sinks.slack import Slack
from oddcall.service.sinks.spool import Spool
from oddcall.service.sinks.syslog import Syslog
from oddcall.service.sinks.transport import Transport
from oddcall.service.sinks.webhook import Webhook

#: Alerts offered while the other side is killed, while it hangs, and while it is dead.
KILLED, HUNG, DEAD = 800, 600, 1_000
#: Alerts that may wait: enough for the first two, not for the last.
ROOM = 900
NUMBER = re.compile(rb"00000000-0000-5000-8000-(\d{12})")
MISSING = re.compile(rb"([\d,]+) when its queue was full")
#: As asm-generic/socket.h has it: past the limit of the host, for root.
_RCVBUFFORCE = 33


class Reader:
    """A process that reads one protocol (see ``reader.py``)."""

    protocol = ""

    def __init__(self, folder: Path) -> None:
        self.address, self.file = str(folder / "socket"), folder / "kept"
        if self.protocol in {"tcp", "http"}:
            self.address = "0"
        self.start()

    def start(self, **options: Any) -> None:
        script = str(Path(__file__).with_name("reader.py"))
        command = [sys.executable, "-I", script, self.protocol, self.address, str(self.file)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
        assert self.process.stdout is not None
        port = self.process.stdout.readline().strip()
        assert port.isdigit(), "the reader did not start"
        if self.protocol in {"tcp", "http"}:
            self.address = port

    def hang(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def end(self) -> None:
        self.kill()

    def kept(self) -> list[bytes]:
        """What it was given, in order."""
        return self.file.read_bytes().splitlines()

    #: What came to a server that died before it was read, where nobody can know of it.
    unread: tuple[bytes, ...] | list[bytes] = ()


class Tcp(Reader):
    protocol = "tcp"

    def transport(self) -> Transport:
        return Syslog(Address("tcp", "127.0.0.1", int(self.address)))


class Local(Reader):
    protocol = "datagram"

    def transport(self) -> Transport:
        return Syslog(Address("unix", path=Path(self.address)))


class LocalStream(Local):
    protocol = "stream"


class Journal(Local):
    def transport(self) -> Transport:
        return Journald(Path(self.address))


class Hook(Reader):
    protocol = "http"

    def transport(self) -> Transport:
        return Webhook(Endpoint(f"http://127.0.0.1:{self.address}/"), 50)


class Chat(Hook):
    def transport(self) -> Transport:
        return Slack(Endpoint(f"http://127.0.0.1:{self.address}/"))


class Udp(Reader):
    """What is in its socket when it dies is lost unseen: it is looked at here."""

    protocol = "udp"

    def __init__(self, folder: Path) -> None:
        self.port = 0
        self.unread = []
        super().__init__(folder)

    def start(self, **_: Any) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # Room for all: what a full socket drops is lost on the way as well.
        self.socket.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 64 << 20)
        self.socket.bind(("127.0.0.1", self.port))
        self.port = self.socket.getsockname()[1]
        self.address = str(self.socket.fileno())
        super().start(pass_fds=[self.socket.fileno()])

    def kill(self) -> None:
        super().kill()
        # A socket that listens to one sender alone is closed to every other.
        self.socket.connect(("127.0.0.1", 9))
        self.socket.setblocking(False)
        try:
            while True:
                self.unread.append(self.socket.recv(1 << 16))
        except BlockingIOError:
            self.socket.close()

    def transport(self) -> Transport:
        return Syslog(Address("udp", "127.0.0.1", self.port))


class Disk:
    """A small disk: it is filled, has something in the way of its folder, and is read-only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "disk"
        self.folder.mkdir()
        mount("-t", "tmpfs", "-o", "size=16m", "none", str(self.folder))
        self.logs, self.filler = self.folder / "logs", self.folder / "filler"
        self.hung = False

    def start(self) -> None:
        self.filler.unlink(missing_ok=True)
        if self.hung:
            self.logs.unlink()
            self.hung = False

    def hang(self) -> None:
        self.logs.rename(self.folder / "away")
        self.logs.write_text("in the way")
        self.hung = True

    def kill(self) -> None:
        if self.hung:
            return
        with self.filler.open("wb", 0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                return

    def end(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], check=True)

    def transport(self) -> Transport:
        return RotatingFile(self.logs / "alerts.jsonl", 1_000_000, 30)

    unread = ()

    def kept(self) -> list[bytes]:
        files = [*_oldest_first(self.folder / "away"), *_oldest_first(self.logs)]
        return [line for file in files for line in file.read_bytes().splitlines()]


def _oldest_first(folder: Path) -> list[Path]:
    newest = folder / "alerts.jsonl"
    older = sorted(folder.glob("alerts.jsonl.*"), key=lambda file: -int(file.suffix[1:]))
    return [*older, newest]


def mount(*words: str) -> None:
    if subprocess.run(["mount", *words], check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")


class Stream:
    """NATS JetStream on its store."""

    unread = ()

    def __init__(self, folder: Path, nats_server: Any) -> None:
        self.server = nats_server(folder)

    def transport(self) -> Transport:
        return JetStream(Server(self.server.url, timeout_s=2))

    def start(self) -> None:
        self.server.start()

    def hang(self) -> None:
        self.server.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self.server.kill()

    end = kill

    def kept(self) -> list[bytes]:
        return [message.data for message in self.server.stored()]


@pytest.fixture(params=[Tcp, Local, LocalStream, Udp, Hook, Chat, Stream, Journal, Disk])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    more = [request.getfixturevalue("nats_server")] if request.param is Stream else []
    opened = request.param(tmp_path, *more)
    yield opened
    opened.end()


def test_nothing_is_lost_but_what_is_counted(
    place: Any, alert_of: Any, host: Any, screen: Any, hasty: Any, until: Any, tmp_path: Path
) -> None:
    """Killed, hanging or dead, it holds nobody up; each alert arrives, in order, or is counted."""
    queue = Spool(tmp_path / "queue", ROOM, screen.say)
    settings = QueuedSettings(backoff=hasty, drain_s=0.0)
    sink = Queued("place", place.transport(), queue, host, screen.say, settings)
    offered = 0

    def offer(more: int) -> None:
        """Offer alerts; only what happens after that revives the other side."""
        nonlocal offered
        numbers = range(offered, offered + more)
        offered += more
        offering = threading.Thread(target=lambda: [sink.send(alert_of(i)) for i in numbers])
        offering.daemon = True
        offering.start()
        until(lambda: not offering.is_alive())

    def delivered() -> None:
        until(lambda: not sink.state.waiting and not sink.state.failing)

    def kill_while_busy() -> None:
        begun = sink.state.sent
        until(lambda: sink.state.sent > begun + 100)
        place.kill()

    killer = threading.Thread(target=kill_while_busy)
    killer.start()
    offer(KILLED)
    killer.join()
    place.start()
    delivered()
    place.hang()
    offer(HUNG)
    place.kill()
    place.start()
    delivered()
    assert not sink.state.dropped

    place.kill()
    offer(DEAD)
    place.start()
    delivered()
    until(lambda: not queue.toll.untold)
    dropped = sink.state.dropped
    sink.close()
    lines = place.kept()
    arrived = list(dict.fromkeys(numbers_in(lines)))
    unseen = set(numbers_in(place.unread)) - set(arrived)
    assert arrived == sorted(arrived)
    assert len(arrived) + len(unseen) + dropped.full == offered
    assert dropped.full
    assert not dropped.refused
    told = [int(found[1].replace(b",", b"")) for found in map(MISSING.search, lines) if found]
    assert sum(told) == dropped.full


def numbers_in(lines: Any) -> list[int]:
    return [int(number) for line in lines for number in NUMBER.findall(line)]
