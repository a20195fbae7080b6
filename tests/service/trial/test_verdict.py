"""Which alerts count for which behaviour."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from oddcall.service.alerts.alert import iso
from oddcall.service.simulate import Outcome
from oddcall.service.simulate.catalogue import named
from oddcall.service.trial.verdict import belongs, caught, names_cause
from oddcall.service.trial.watching import Arrival

OUTCOME = Outcome("port-scan", 100, "/srv/web", "/srv", 1000.0, 1002.0, {"child": 101})


def alert(start: float, end: float, **other: Any) -> dict[str, Any]:
    """As little of an alert as a trial reads."""
    told = {"pid": 100, "ppid": 1, "exe": "/srv/web", "state": "open", "said": "web made 9 calls"}
    told |= other
    return {
        "state": told["state"],
        "program": {"exe": told["exe"]},
        "process": {"pid": told["pid"], "ppid": told["ppid"]},
        "window": {"start": iso(int(start * 1e9)), "end": iso(int(end * 1e9))},
        "score": {"p_value": 1e-9, "threshold": 1e-6},
        "explanation": {"sentence": told["said"]},
    }


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (alert(999, 1001), True),
        (alert(1003, 1004), True),
        (alert(990, 999), False),
        (alert(1004, 1005), False),
        (alert(1000, 1001, pid=7), True),
        (alert(1000, 1001, pid=7, exe="/bin/sh"), False),
        (alert(1000, 1001, pid=7, ppid=100, exe="/bin/sh"), True),
        (alert(1000, 1001, pid=101, exe="/bin/sh"), True),
    ],
)
def test_an_alert_belongs_by_process_or_program_and_by_time(
    told: dict[str, Any], expected: bool
) -> None:
    """The process, its child, its program, while it misbehaved and a tick later; nothing else."""
    assert belongs(told, OUTCOME) is expected


def test_a_process_that_is_not_known_has_no_children() -> None:
    """Where the pid is not known it is the program that counts, not what the kernel started."""
    unknown = replace(OUTCOME, pid=0, detail={})
    assert belongs(alert(1000, 1001, pid=7), unknown)
    assert not belongs(alert(1000, 1001, pid=1, ppid=0, exe="/sbin/init"), unknown)


def test_a_cause_is_a_whole_word() -> None:
    """`connect` is not named by `disconnect`, nor by a call that begins alike."""
    scan = named("port-scan")
    assert names_cause(scan, alert(0, 1, said="web made 2,000 connect calls (all failing)"))
    assert not names_cause(scan, alert(0, 1, said="web made 2 connectx and disconnect calls"))


def test_the_first_alert_says_when_and_one_that_names_the_cause_says_what() -> None:
    """Time to detection is the first line's; closing lines and other processes do not count."""
    arrivals = [
        Arrival(1000.5, alert(1000, 1001, pid=7, exe="/bin/ls")),
        Arrival(1001.5, alert(1000, 1001, said="web made 9 socket calls")),
        Arrival(1002.5, alert(1001, 1002, said="web made 9 connect calls", state="update")),
        Arrival(1020.0, alert(1001, 1002, said="web made 9 connect calls", state="close")),
    ]
    found = caught(named("port-scan"), OUTCOME, arrivals)
    assert (found.seconds, found.caught, found.names_cause) == (1.5, True, True)
    assert found.sentence == "web made 9 connect calls"
    missed = caught(named("port-scan"), OUTCOME, [arrivals[0], arrivals[3]])
    assert (missed.seconds, missed.caught, missed.sentence) == (None, False, "")
    late = caught(named("port-scan"), OUTCOME, [replace(arrivals[1], at_s=1011.0)])
    assert (late.seconds, late.caught) == (11.0, False)
