"""Promises about NATS JetStream, against a real server that is of the distribution's package."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oddcall.service.sinks.jetstream import JetStream, Server
from oddcall.service.sinks.transport import DeliveryError, Record, RefusedError

Records = Callable[[range], Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, nats_server: Any) -> Iterator[Any]:
    served = nats_server(tmp_path_factory.mktemp("nats"))
    yield served
    served.kill()


def numbers(messages: list[Any]) -> list[int]:
    return [json.loads(message.data)["process"]["pid"] - 100 for message in messages]


def test_alerts_are_stored(server: Any, records: Records) -> None:
    """A stream is made where there is none; what was sent is stored, in order, with its id."""
    sink = JetStream(Server(server.url, subject="stored.alerts", stream="STORED"))
    sink.reach()
    sink.send(records(range(20)))
    found = server.stored("stored.alerts")
    assert numbers(found) == list(range(20))
    assert found[3].headers["Nats-Msg-Id"] == records(range(3, 4))[0].id


def test_a_second_delivery_is_told(server: Any, records: Records) -> None:
    """The stream keeps one of two alerts with the same id."""
    sink = JetStream(Server(server.url, subject="twice.alerts", stream="TWICE"))
    sink.send(records(range(5)))
    sink.send(records(range(3, 8)))
    assert numbers(server.stored("twice.alerts")) == list(range(8))


def test_too_large_is_refused(server: Any, alert_of: Any) -> None:
    """More than the server takes in a message is the alert's fault."""
    alert = alert_of(1)
    alert["process"]["cmdline"] = "x" * 2_000_000
    with pytest.raises(RefusedError, match="does not take it"):
        JetStream(Server(server.url)).send([Record(alert, alert)])


def test_a_token_is_asked_for(tmp_path: Path, nats_server: Any, records: Records) -> None:
    """A server that wants a token gets it; without it nothing is delivered, nor told."""
    served = nats_server(tmp_path, "--auth", "s3cret")
    try:
        # The server answers and hangs up: either may be met first.
        with pytest.raises(DeliveryError, match=r"(?i)authorization|reset"):
            JetStream(Server(served.url, timeout_s=20)).send(records(range(1)))
        JetStream(Server(served.url, token="s3cret")).send(records(range(1)))
        assert numbers(served.stored(token="s3cret")) == [0]
    finally:
        served.kill()


def test_tls_is_verified(
    tmp_path: Path, nats_server: Any, hook_context: Any, records: Records
) -> None:
    """With its authority named a server is trusted; else nothing is delivered."""
    flags = ("--tls", "--tlscert", str(hook_context.ca), "--tlskey", str(hook_context.key))
    served = nats_server(tmp_path, *flags)
    url = f"tls://localhost:{served.port}"
    try:
        JetStream(Server(url, ca=hook_context.ca)).send(records(range(3)))
        with pytest.raises(DeliveryError, match="certificate verify failed"):
            JetStream(Server(url, timeout_s=20)).send(records(range(3, 6)))
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


def test_without_jetstream_it_is_a_failure(
    tmp_path: Path, nats_server: Any, records: Records
) -> None:
    """A server that stores nothing takes no alerts."""
    served = nats_server(tmp_path, storing=False)
    try:
        sink = JetStream(Server(served.url, timeout_s=20))
        for attempt in (sink.reach, lambda: sink.send(records(range(1)))):
            with pytest.raises(DeliveryError, match="cannot be reached"):
                attempt()
    finally:
        served.kill()
