"""What the behaviours of each tactic really did, by what they tell of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oddcall.service.simulate import behaviours
from oddcall.service.simulate.behaviour import TACTICS, Facts

from .conftest import done

#: Behaviour, and what it tells when it had time enough.
DONE: dict[str, Facts] = {
    "discovery-tools": {"ran": 12},
    "cron-job": {"bytes": 29, "mode": "600"},
    "autostart-unit": {"linked": 20},
    "mount-attempts": {"tried": 40, "refused": "No such file or directory"},
    "unpack": {"pages": 200},
    "timestomp": {"files": 200, "set_back": 200, "first": 1_577_836_800},
    "log-cut": {"logs": 40, "cut": 40, "first": 0},
    "credential-files": {"files": 200, "read": 200},
    "host-facts": {"rounds": 300, "release": os.uname().release},
    "ssh-logins": {"answered": 60},
    "archive": {"files": 200, "packed": 200},
    "dns-tunnel": {"bytes": 400 * 68},
    "sendfile-out": {"bytes": 400 * 8192},
    "splice-out": {"bytes": 400 * 8192},
    "fork-flood": {"children": 150},
    "service-stop": {"victims": 20, "stopped": 20},
}
#: What some kernels or containers forbid: refused, or done.
ALLOWED: dict[str, Facts] = {
    "heap-spray": {"messages": 100},
    "capabilities": {"child_exit": 0},
    "keyring-search": {"child_exit": 0},
    "process-memory": {"bytes": 200 * 4096, "child_exit": -9},
}


@pytest.mark.parametrize("name", DONE)
def test_it_does_what_its_summary_says(name: str, tmp_path: Path) -> None:
    """Every count of the summary is really reached, with what the kernel answers."""
    facts = done(name, tmp_path, 30.0)
    assert {key: facts[key] for key in DONE[name]} == DONE[name]


@pytest.mark.parametrize("name", ALLOWED)
def test_it_is_done_or_refused_by_the_kernel(name: str, tmp_path: Path) -> None:
    """What a kernel may forbid is told as refused, and otherwise done in full."""
    facts = done(name, tmp_path, 30.0)
    if not facts.get("refused"):
        assert {key: facts[key] for key in ALLOWED[name]} == ALLOWED[name]


def test_there_are_behaviours_for_every_tactic_that_calls_can_show() -> None:
    """At least 26 that counts can tell, of every tactic from execution to impact."""
    seen = [behaviour for behaviour in behaviours() if not behaviour.invisible]
    assert len(seen) >= 26
    assert {behaviour.tactic for behaviour in seen} == set(TACTICS.values())
    for behaviour in behaviours():
        assert behaviour.cause
