"""Promises about NATS JetStream, against a real server that is killed and begun anew."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest

from oddcall.service.sinks.jetstream import JetStream, Server
from oddcall.service.sinks.memory import Memory
from oddcall.service.sinks.queued import Queued, QueuedSettings
from oddcall.service.sinks.transport import DeliveryError, Record, RefusedError

Records = Callable[[range], Any]
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
PROGRAM = shutil.which("nats-server", path=PATH)


class Nats:
    """A server on loopback with its store in a folder."""

    def __init__(self, folder: Path, *flags: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        assert PROGRAM, "nats-server is not installed: type make setup-test"
        self.command = [PROGRAM, "-a", "127.0.0.1", "-p", str(self.port), "-js"]
        self.command += ["-sd", str(folder), "-l", str(folder / "log"), *flags]
        self.start()

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(self.command)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.01)
            else:
                return
        raise AssertionError("nats-server did not start")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stored(self, subject: str = "oddcall.alerts", **options: Any) -> list[Any]:
        """Every message that the stream holds."""

        async def read() -> list[Any]:
            way = await nats.connect(self.url, **options)
            stream = way.jetstream()
            name = await stream.find_stream_name_by_subject(subject)
            info = await stream.stream_info(name)
            first, last = info.state.first_seq, info.state.last_seq
            found = [await stream.get_msg(name, seq) for seq in range(first, last + 1)]
            await way.close()
            return found

        return asyncio.run(read())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    served = Nats(tmp_path_factory.mktemp("nats"))
    yield served
    served.kill()


def numbers(messages: list[Any]) -> list[int]:
    return [json.loads(message.data)["process"]["pid"] - 100 for message in messages]


def test_alerts_are_stored(server: Nats, records: Records) -> None:
    """A stream is made where there is none; what was sent is stored, in order, with its id."""
    sink = JetStream(Server(server.url, subject="stored.alerts", stream="STORED"))
    sink.reach()
    sink.send(records(range(20)))
    found = server.stored("stored.alerts")
    assert numbers(found) == list(range(20))
    assert found[3].headers["Nats-Msg-Id"] == records(range(3, 4))[0].id


def test_a_second_delivery_is_told(server: Nats, records: Records) -> None:
    """The stream keeps one of two alerts with the same id."""
    sink = JetStream(Server(server.url, subject="twice.alerts", stream="TWICE"))
    sink.send(records(range(5)))
    sink.send(records(range(3, 8)))
    assert numbers(server.stored("twice.alerts")) == list(range(8))


def test_too_large_is_refused(server: Nats, alert_of: Any) -> None:
    """More than the server takes in a message is the alert's fault."""
    alert = alert_of(1)
    alert["process"]["cmdline"] = "x" * 2_000_000
    with pytest.raises(RefusedError, match="does not take it"):
        JetStream(Server(server.url)).send([Record(alert, alert)])


def test_a_token_is_asked_for(tmp_path: Path, records: Records) -> None:
    """A server that wants a token gets it; without it nothing is delivered, nor told."""
    served = Nats(tmp_path, "--auth", "s3cret")
    try:
        # The server answers and hangs up: either may be met first.
        with pytest.raises(DeliveryError, match=r"(?i)authorization|reset"):
            JetStream(Server(served.url, timeout_s=2)).send(records(range(1)))
        JetStream(Server(served.url, token="s3cret")).send(records(range(1)))
        assert numbers(served.stored(token="s3cret")) == [0]
    finally:
        served.kill()


def test_tls_is_verified(tmp_path: Path, hook_context: Any, records: Records) -> None:
    """With its authority named a server is trusted; else nothing is delivered."""
    flags = ("--tls", "--tlscert", str(hook_context.ca), "--tlskey", str(hook_context.key))
    served = Nats(tmp_path, *flags)
    url = f"tls://localhost:{served.port}"
    try:
        JetStream(Server(url, ca=hook_context.ca)).send(records(range(3)))
        with pytest.raises(DeliveryError, match="certificate verify failed"):
            JetStream(Server(url, timeout_s=2)).send(records(range(3, 6)))
        context = ssl.create_default_context(cafile=hook_context.ca)
        assert numbers(served.stored(tls=context, tls_hostname="localhost")) == [0, 1, 2]
    finally:
        served.kill()


def test_secrets_are_not_told(records: Records) -> None:
    """The password of a URL is in no error."""
    sink = JetStream(Server("nats://user:s3cret@127.0.0.1:1", timeout_s=1))
    for attempt in (sink.reach, lambda: sink.send(records(range(1)))):
        with pytest.raises(DeliveryError, match=r"nats://127\.0\.0\.1:1 cannot be") as caught:
            attempt()
        assert "s3cret" not in str(caught.value)


def test_without_jetstream_it_is_a_failure(tmp_path: Path, records: Records) -> None:
    """A server that stores nothing takes no alerts."""
    served = Nats.__new__(Nats)
    with socket.create_server(("127.0.0.1", 0)) as free:
        served.port = free.getsockname()[1]
    served.command = [str(PROGRAM), "-a", "127.0.0.1", "-p", str(served.port)]
    served.command += ["-l", str(tmp_path / "log")]
    served.start()
    try:
        sink = JetStream(Server(served.url, timeout_s=2))
        for attempt in (sink.reach, lambda: sink.send(records(range(1)))):
            with pytest.raises(DeliveryError, match="cannot be reached"):
                attempt()
    finally:
        served.kill()


def test_nothing_is_lost_when_it_is_killed(
    tmp_path: Path, alert_of: Any, host: Any, screen: Any, hasty: Any
) -> None:
    """Killed with -9 and begun anew under load, every alert is stored in the end, once."""
    served = Nats(tmp_path)
    way = JetStream(Server(served.url, timeout_s=2))
    settings = QueuedSettings(backoff=hasty, drain_s=15.0)
    sink = Queued("nats", way, Memory(10_000), host, screen.say, settings)
    try:
        for i in range(300):
            sink.send(alert_of(i))
            if i % 100 == 50:
                served.kill()
                time.sleep(0.05)
                served.start()
            time.sleep(0.001)
        sink.close()
        assert sorted(numbers(served.stored())) == list(range(300))
        assert not sink.state.dropped
    finally:
        served.kill()
