"""Alerts of each state as the service makes them, and a notice."""

from __future__ import annotations

from typing import Any

import pytest

from oddcall.service.alerts import notice
from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.context import Context
from oddcall.service.alerts.episode import Episodes

READ, PTRACE = 0, 101
CONTAINER = "c0ffee" * 10 + "abcd"
T0 = 1_700_000_000_000_000_000


@pytest.fixture
def lines(odd_calls: Any, host: dict[str, str], batch: Any, row: Any) -> dict[str, Alert]:
    """An episode's open, update and close, of a process in a container; and a notice."""
    names = {"name": "web", "image": "nginx:1.27", "pod": "web-0", "namespace": "shop", "why": None}
    told = Context('nginx -g "daemon off;" \n\x1b[31m', "systemd", names)
    episodes = Episodes(odd_calls, type(odd_calls).explain, host, describe=lambda *_: told)
    made: list[Alert] = []
    for at, odd in ((1, 1), (2, 9), (40, 0)):
        windows = batch(row(at_s=at, calls={READ: 90, PTRACE: odd}, container=CONTAINER))
        made += episodes.step(windows, odd_calls.judge(windows)).sent
    dropped = notice.build("dropped", "3 alerts had to be dropped.", host, T0, {"full": 3})
    return {**{line["state"]: line for line in made}, "notice": dropped}


@pytest.fixture
def bare(lines: dict[str, Alert]) -> Alert:
    """An alert of which as little is known as can be."""
    alert = {**lines["open"], "attack_hints": []}
    alert["program"] = {"exe": "", "comm": "", "container": None, "unit": None}
    alert["process"] = {**alert["process"], "parent": None, "cmdline": None}
    alert["workload"] = None
    alert["host"] = dict.fromkeys(alert["host"], "")
    alert["baseline"] = {
        **alert["baseline"],
        "level": "unknown",
        "windows": 0,
        "trained_span": None,
    }
    alert["explanation"] = {**alert["explanation"], "top": [], "nearest_windows": []}
    alert["score"] = {**alert["score"], "detectors": {}}
    return alert
