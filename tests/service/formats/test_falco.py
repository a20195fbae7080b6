"""Promises about Falco's JSON, held against what falcosidekick checks of its input."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from oddcall.service.alerts.alert import Alert
from oddcall.service.formats.falco import falco

#: Falcosidekick's words, in any case; another word gives no priority, and is refused.
PRIORITIES = {
    *("emergency", "alert", "critical", "error", "warning"),
    *("notice", "informational", "info", "debug"),
}
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
#: Its pattern for splitting the text into time, priority and the rest.
OUTPUT = re.compile(
    r"(?i)[0-9:]+\.[0-9]+: "
    r"(Debug|Informational|Notice|Warning|Error|Critical|Alert|Emergency) .*"
)
TEXTS = {"uuid", "output", "priority", "rule", "source", "hostname"}


def refused(text: str) -> str:
    """Why falcosidekick would answer 400; empty where it takes it.

    A Go decoder refuses a member of another type; the check after it wants a known priority,
    a rule, a time that is not zero and at least one field. Kubernetes fields are taken as texts.
    """
    event: dict[str, Any] = json.loads(text)
    fields, tags = event.get("output_fields"), event.get("tags", [])
    checks = {
        "a member is no text": all(isinstance(event.get(name, ""), str) for name in TEXTS),
        "a tag is no text": all(isinstance(tag, str) for tag in tags),
        "no fields": isinstance(fields, dict) and bool(fields),
        "no time": bool(RFC3339.fullmatch(event.get("time", ""))),
        "no priority": str(event.get("priority")).lower() in PRIORITIES,
        "no rule": bool(event.get("rule")),
        "a field of Kubernetes is no text": all(
            isinstance((fields or {}).get(name, ""), str)
            for name in ("k8s.ns.name", "k8s.pod.name")
        ),
    }
    return ", ".join(why for why, passed in checks.items() if not passed)


@pytest.mark.parametrize("state", ["open", "update", "close", "notice"])
def test_falcosidekick_takes_it(lines: dict[str, Alert], state: str) -> None:
    """Alerts of every state, and notices, pass its checks and its pattern."""
    event = falco(lines[state])
    assert refused(json.dumps(event)) == ""
    assert OUTPUT.match(event["output"])
    assert set(event) == {*TEXTS, "time", "output_fields", "tags"}


def test_as_little_as_can_be_known_is_enough(bare: Alert) -> None:
    """Without a path, arguments or a host it still passes."""
    assert refused(json.dumps(falco(bare))) == ""


@pytest.mark.parametrize(
    ("member", "value"),
    [("priority", "Grave"), ("rule", ""), ("time", ""), ("output_fields", {}), ("uuid", 7)],
)
def test_the_checks_refuse_what_is_wrong(lines: dict[str, Alert], member: str, value: Any) -> None:
    """The checks above are no formality."""
    assert refused(json.dumps({**falco(lines["open"]), member: value}))


def test_fields_have_falcos_names(lines: dict[str, Alert]) -> None:
    """Rules and dashboards made for Falco find the process where they look for it."""
    fields = falco(lines["open"])["output_fields"]
    assert fields["proc.name"] == "nginx"
    assert fields["proc.exepath"] == "/usr/sbin/nginx"
    assert fields["proc.pid"] == 100
    assert fields["container.id"].startswith("c0ffee")
    assert fields["container.name"] == "web"
    assert (fields["k8s.ns.name"], fields["k8s.pod.name"]) == ("shop", "web-0")
    assert fields["evt.time"] == 1_700_000_001_000_000_000
    assert fields["oddcall.id"] == lines["open"]["id"]
    assert not any(isinstance(value, dict | list) for value in fields.values())


def test_lost_updates_and_processes_are_told_apart(lines: dict[str, Alert]) -> None:
    """Both counts come along, each under a name of its own."""
    opened = lines["open"]
    coverage = {**opened["coverage"], "lost": 5, "lost_keys": 2}
    fields = falco({**opened, "coverage": coverage})["output_fields"]
    assert (fields["oddcall.lost"], fields["oddcall.lost_processes"]) == (5, 2)


def test_priority_follows_severity(lines: dict[str, Alert]) -> None:
    """Each severity has a priority of its own, graver with it."""
    order = ["Notice", "Warning", "Error", "Critical"]
    levels = ("low", "medium", "high", "critical")
    assert [falco({**lines["open"], "severity": s})["priority"] for s in levels] == order


def test_the_text_says_what_it_is_worth(lines: dict[str, Alert]) -> None:
    """A person who sees only the text reads the sentence, and that a technique is no proof."""
    output = falco(lines["open"])["output"]
    assert lines["open"]["explanation"]["sentence"] in output
    assert "consistent_with=T1055.008" in output
    assert "quiet again" in falco(lines["close"])["output"]
