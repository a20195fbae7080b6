"""Promises about several sinks at once: from settings to servers that come and go."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from oddcall.models.errors import SettingError
from oddcall.service import session
from oddcall.service.alerts.context import Context
from oddcall.service.config.loading import load
from oddcall.service.sinks import opening
from oddcall.service.sinks.base import Delivery
from oddcall.service.sinks.fanout import FanOut
from oddcall.service.sinks.memory import Memory
from oddcall.service.sinks.queued import QueuedSettings
from oddcall.service.sinks.spool import InUseError, Spool

Alerts = Callable[..., dict[str, Any]]


def sections(*tables: dict[str, Any]) -> Any:
    return load(environ={"ODDCALL_SINKS": json.dumps(tables)}).settings.sinks


@pytest.fixture
def files(tmp_path: Path) -> list[dict[str, Any]]:
    """Two sinks that are files."""
    return [
        {"type": "file", "name": "all", "path": str(tmp_path / "all.jsonl")},
        {
            "type": "file",
            "name": "grave",
            "path": str(tmp_path / "grave.jsonl"),
            "format": "falco",
            "min_severity": "high",
            "states": ["open"],
            "programs": ["nginx"],
        },
    ]


def test_each_sink_has_its_filter_and_format(
    tmp_path: Path, host: Any, screen: Any, alert_of: Alerts, files: Any
) -> None:
    """Several sinks at once get what each asked for, shaped as it asked."""
    fan = FanOut(opening.open_queued(sections(*files), tmp_path, host, screen.say))
    fan.send(alert_of(1, "low"))
    fan.send(alert_of(2, "critical"))
    fan.send(alert_of(3, "critical", "close"))
    fan.send(alert_of(4, "critical", exe="/bin/sh"))
    fan.close()
    every, grave = (
        [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        for name in ("all.jsonl", "grave.jsonl")
    )
    assert [alert["id"] for alert in every] == [alert_of(i)["id"] for i in (1, 2, 3, 4)]
    assert [event["uuid"] for event in grave] == [alert_of(2)["id"]]
    assert grave[0]["priority"] == "Critical"


def test_a_killed_agent_goes_on(
    tmp_path: Path, host: Any, screen: Any, hook: Any, alert_of: Alerts
) -> None:
    """What an agent that was killed with -9 had queued is delivered by the next one."""
    port = hook.port
    hook.kill()
    sinks = json.dumps([{"type": "webhook", "url": f"http://localhost:{port}/"}])
    code = (
        "import json, os, signal, sys\n"
        "from pathlib import Path\n"
        "from oddcall.service.config.loading import load\n"
        "from oddcall.service.sinks.opening import open_queued\n"
        "[sink] = open_queued(load().settings.sinks, Path(sys.argv[1]), {}, print)\n"
        "for line in sys.stdin:\n"
        "    sink.send(json.loads(line))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    lines = "\n".join(json.dumps(alert_of(i)) for i in range(30))
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "ODDCALL_SINKS": sinks},
        input=lines.encode(),
        capture_output=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    hook.start()
    again = load(environ={"ODDCALL_SINKS": sinks}).settings.sinks
    [sink] = opening.open_queued(again, tmp_path, host, screen.say)
    sink.close()
    assert hook.ids == [alert_of(i)["id"] for i in range(30)]


def test_a_second_agent_is_refused(
    tmp_path: Path, host: Any, screen: Any, alert_of: Alerts, files: Any
) -> None:
    """Two agents would send each other's alerts; the first one is not disturbed."""
    fan = FanOut(opening.open_queued(sections(*files), tmp_path, host, screen.say))
    with pytest.raises(InUseError, match=r"all\.sqlite is in use"):
        opening.open_queued(sections(*files), tmp_path, host, screen.say)
    fan.send(alert_of(1))
    fan.close()
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 1


def test_a_state_directory_that_cannot_be_used(
    tmp_path: Path, host: Any, screen: Any, alert_of: Alerts, files: Any
) -> None:
    """Alerts go out all the same; that they do not outlive a restart is said."""
    (tmp_path / "state").write_text("in the way")
    fan = FanOut(opening.open_queued(sections(*files[:1]), tmp_path / "state", host, screen.say))
    fan.send(alert_of(1))
    fan.close()
    assert len((tmp_path / "all.jsonl").read_text().splitlines()) == 1
    assert "Alerts wait in memory" in screen.text


def test_a_missing_library_is_told(
    tmp_path: Path, host: Any, screen: Any, files: Any, monkeypatch: Any
) -> None:
    """Before anything is watched, with what to type; the other sinks are given back."""
    monkeypatch.setitem(sys.modules, "nats", None)
    wanted = sections(*files, {"type": "nats", "url": "nats://localhost"})
    with pytest.raises(SettingError, match=r"needs nats-py\. Type: pip install 'oddcall\[nats\]'"):
        opening.open_queued(wanted, tmp_path, host, screen.say)
    FanOut(opening.open_queued(sections(*files), tmp_path, host, screen.say)).close()


def test_what_cannot_be_reached_is_told(tmp_path: Path, hook: Any) -> None:
    """`unreachable` says why, and nothing for what can be; it sends nothing."""
    free = socket.create_server(("127.0.0.1", 0))
    closed = free.getsockname()[1]
    free.close()
    good = sections(
        {"type": "webhook", "url": hook.url},
        {"type": "file", "path": str(tmp_path / "a.jsonl")},
        {"type": "stdout"},
    )
    assert [opening.unreachable(section) for section in good] == ["", "", ""]
    assert hook.requests == []
    bad = sections(
        {"type": "webhook", "url": f"http://127.0.0.1:{closed}"},
        {"type": "syslog", "address": f"tcp://127.0.0.1:{closed}"},
        {"type": "nats", "url": f"nats://127.0.0.1:{closed}", "timeout": "1s"},
        {"type": "slack", "url": f"http://127.0.0.1:{closed}/s3cret"},
        {"type": "file", "path": str(tmp_path / "a.jsonl" / "b")},
    )
    said = [opening.unreachable(section) for section in bad]
    assert all(f"127.0.0.1:{closed} cannot be reached" in sentence for sentence in said[:4])
    assert "cannot write" in said[4]


def test_a_watch_sends_to_what_is_configured(
    tmp_path: Path,
    odd_calls: Any,
    fake_sensor: Any,
    screen: Any,
    batch: Any,
    row: Any,
    hook: Any,
    monkeypatch: Any,
    files: Any,
) -> None:
    """A whole watch delivers the lines of an episode to every sink by the time it has ended."""
    monkeypatch.setattr(session, "explain", lambda model, *rest: model.explain(*rest))
    tables = [*files[:1], {"type": "webhook", "url": hook.url, "format": "ocsf"}]
    settings = load(
        {"state_dir": str(tmp_path / "state")},
        environ={"ODDCALL_SINKS": json.dumps(tables)},
    ).settings
    ticks = [batch(row(at_s=at, calls={0: 90, 101: 2 * (at == 3)})) for at in range(1, 9)]
    host = {"id": "5d", "boot_id": "0b"}
    here = session.Here(fake_sensor(ticks), {}, host, lambda *_: Context())
    session.run(session.Request(settings), odd_calls, here, screen)
    states = [json.loads(x)["state"] for x in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert states == ["open", "close"]
    assert [body["type_uid"] for _, body in hook.requests] == [200401, 200403]
    assert "alerts go to all, webhook" in screen.lines
    assert "nginx made a call it never made before." in screen.text


def test_slow_and_dead_sinks_do_not_slow_the_others(
    tmp_path: Path,
    host: Any,
    screen: Any,
    alert_of: Alerts,
    hook: Any,
    files: Any,
    until: Any,
    monkeypatch: Any,
) -> None:
    """With one server that hangs and one that is gone, alerts are queued and delivered as ever.

    Nothing waits for the server that hangs, which would take the ten seconds it is given.
    """
    hurried = partial(QueuedSettings, drain_s=0.5)
    monkeypatch.setattr(opening, "QueuedSettings", hurried)
    hook.status = lambda _body: time.sleep(30) or 200
    tables = [
        files[0],
        {"type": "webhook", "url": hook.url},
        {"type": "syslog", "address": "tcp://127.0.0.1:1"},
    ]
    fan = FanOut(opening.open_queued(sections(*tables), tmp_path, host, screen.say))
    slowest = 0.0
    for i in range(100):
        began = time.monotonic()
        fan.send(alert_of(i))
        slowest = max(slowest, time.monotonic() - began)
    assert slowest < 8
    until(lambda: fan.states[0].waiting == 0)
    assert [state.waiting for state in fan.states] == [0, 100, 100]
    assert "Connection refused" in fan.states[2].failing
    began = time.monotonic()
    fan.close()
    assert time.monotonic() - began < 8
    for name in ("webhook", "syslog"):
        queue = Spool(tmp_path / "queues" / f"{name}.sqlite", 200, print)
        assert len(queue) == 100
        queue.close()


def test_a_reader_that_left_does_not_cost_the_others(
    tmp_path: Path, host: Any, screen: Any, alert_of: Alerts, files: Any, until: Any
) -> None:
    """`watch --json | head -1` ends the watch, and what others were to get arrives."""

    class Left:
        name = "standard output"

        def send(self, _alert: dict[str, Any]) -> None:
            raise BrokenPipeError

        def close(self) -> None:
            pass

    queued = opening.open_queued(sections(*files[:1]), tmp_path, host, screen.say)
    queued.append(opening.open_named(Left(), host, screen.say))
    delivery = Delivery([FanOut(queued)], screen.say)
    sent: list[int] = []

    def ended() -> bool:
        try:
            delivery.send(alert_of(len(sent)))
        except BrokenPipeError:
            return True
        sent.append(1)
        return False

    until(ended)
    with pytest.raises(BrokenPipeError):
        delivery.close()
    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    assert {json.loads(line)["id"] for line in lines} >= {
        alert_of(i)["id"] for i in range(len(sent))
    }


def test_flags_need_no_disk(tmp_path: Path, host: Any, screen: Any) -> None:
    """What a flag names has a queue that ends with the process."""
    from oddcall.service.sinks.jsonl import JsonLines

    sink = opening.open_named(JsonLines(tmp_path / "a.jsonl"), host, screen.say)
    assert isinstance(sink._queue, Memory)
    sink.close()
    assert not (tmp_path / "queues").exists()
