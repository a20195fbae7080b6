"""Promises about which alerts a sink gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from oddcall.service.alerts import notice
from oddcall.service.sinks.filter import Filter

Alerts = Callable[..., dict[str, Any]]


def test_everything_passes_by_default(alert_of: Alerts) -> None:
    """A sink that says nothing gets every line."""
    wanted = Filter()
    for severity in ("low", "critical"):
        assert all(wanted(alert_of(1, severity, state)) for state in ("open", "update", "close"))


def test_severity_is_a_floor(alert_of: Alerts) -> None:
    """What is as grave as asked, or graver, passes."""
    levels = ("low", "medium", "high", "critical")
    passed = [severity for severity in levels if Filter("high")(alert_of(1, severity))]
    assert passed == ["high", "critical"]


def test_states_are_chosen(alert_of: Alerts) -> None:
    """Only the lines of an episode that were asked for pass."""
    wanted = Filter(states=("open", "close"))
    states = [s for s in ("open", "update", "close") if wanted(alert_of(1, state=s))]
    assert states == ["open", "close"]


def test_who_hears_of_alerts_hears_of_what_is_new_in_one(alert_of: Alerts) -> None:
    """An update of another kind, or graver, passes where opens do, and no other one."""
    update = alert_of(1, state="update")
    loud = [update | {"news": ["bpf"]}, update | {"severity_before": "low"}]
    quiet = update | {"news": [], "severity_before": None}
    assert [Filter(states=("open",))(line) for line in (*loud, quiet)] == [True, True, False]
    assert not any(map(Filter(states=("close",)), loud))
    assert not any(map(Filter("critical", states=("open",)), loud))


@pytest.mark.parametrize(
    ("globs", "passes"),
    [
        (("nginx",), True),
        (("ng*",), True),
        (("/usr/sbin/*",), True),
        (("sshd", "nginx"), True),
        (("sbin",), False),
        (("/usr/bin/*",), False),
        (("NGINX",), False),
        (("*/nginx",), True),
    ],
)
def test_programs_by_path_or_name(alert_of: Alerts, globs: tuple[str, ...], passes: bool) -> None:
    """A glob with a slash is held against the path, another against its last part."""
    assert Filter(programs=globs)(alert_of(1)) is passes


def test_a_program_without_a_path_has_its_name(alert_of: Alerts) -> None:
    """Where the path could not be read the name it gave itself is all there is."""
    assert Filter(programs=("evil",))(alert_of(1, exe="", comm="evil"))


def test_notices_pass(host: dict[str, str]) -> None:
    """That alerts are missing reaches even who wants the gravest of one program."""
    wanted = Filter("critical", ("close",), ("nobody",))
    assert wanted(notice.build("dropped", "2 alerts.", host, 1, {"full": 2}))
