"""Promises about sinks under load: thousands of alerts at once, the other side killed within."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from oddcall.service.notice import is_notice
from oddcall.service.sinks.http import Endpoint
from oddcall.service.sinks.queued import Queued, QueuedSettings
from oddcall.service.sinks.spool import Spool
from oddcall.service.sinks.webhook import Webhook

#: Ten thousand were tried as well; that takes a minute.
MANY = 3_000


@pytest.mark.parametrize("room", [5_000, 600])
def test_thousands_with_a_kill_in_the_middle(
    hook: Any,
    alert_of: Any,
    host: Any,
    screen: Any,
    hasty: Any,
    until: Any,
    tmp_path: Path,
    room: int,
) -> None:
    """With room nothing is lost; without, each alert has arrived or is in the count told there."""
    way = Webhook(Endpoint(hook.url, timeout_s=5), 200)
    settings = QueuedSettings(backoff=hasty, drain_s=60.0)
    sink = Queued("hook", way, Spool(tmp_path / "q", room, screen.say), host, screen.say, settings)
    killed = threading.Event()

    def kill() -> None:
        until(lambda: len(hook.requests) > 2, 60)
        hook.kill()
        killed.set()

    killer = threading.Thread(target=kill)
    killer.start()
    for i in range(MANY):
        sink.send(alert_of(i))
    killer.join()
    assert killed.is_set()
    hook.start()
    until(lambda: not sink.state.waiting and not sink.state.failing, 60)
    dropped = sink.state.dropped
    sink.close()
    bodies = [line for _, body in hook.requests for line in body]
    arrived = {line["id"] for line in bodies if not is_notice(line)}
    assert len(arrived) + dropped.full == MANY
    assert dropped.refused == 0
    told = [line for line in bodies if is_notice(line)]
    assert sum(line["counts"]["full"] for line in told) == dropped.full
    assert (dropped.full == 0) is (room > MANY)
