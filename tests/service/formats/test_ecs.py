"""Promises about the Elastic Common Schema, held against its field list in words of our own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from oddcall.service.alerts.alert import Alert
from oddcall.service.formats.ecs import ecs

#: Fields of ECS 9.4 that are used, and their type there.
FIELDS = {
    **dict.fromkeys(["@timestamp", "event.start", "event.end"], "date"),
    **dict.fromkeys(
        ["event.duration", "event.severity", "process.pid", "process.parent.pid"], "long"
    ),
    **dict.fromkeys(["event.risk_score", "event.risk_score_norm"], "float"),
    **dict.fromkeys(
        [
            *("message", "tags", "ecs.version", "agent.type", "agent.version"),
            *("host.name", "host.hostname", "host.id", "host.architecture", "host.boot.id"),
            *("host.os.type", "host.os.kernel", "event.kind", "event.category", "event.type"),
            *("event.action", "event.id", "event.module", "event.dataset", "event.provider"),
            *("event.reason", "rule.id", "rule.name", "rule.description", "rule.category"),
            *("rule.ruleset", "rule.version", "process.entity_id", "process.name"),
            *("process.executable", "process.command_line", "process.parent.name"),
            *("process.user.id", "user.id", "container.id", "threat.framework"),
            *("container.name", "container.image.name", "orchestrator.type"),
            *("orchestrator.namespace", "orchestrator.resource.type", "orchestrator.resource.name"),
            *("threat.technique.id", "threat.technique.reference"),
            *("threat.technique.subtechnique.id", "threat.technique.subtechnique.reference"),
        ],
        "keyword",
    ),
}
#: Categories used, and the types that ECS expects with them.
EXPECTED = {
    "intrusion_detection": {"allowed", "denied", "info"},
    "process": {"access", "change", "end", "info", "start"},
}


def leaves(found: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and values of every field outside our own."""
    for name, value in found.items():
        dotted = f"{path}.{name}" if path else name
        if isinstance(value, dict):
            if dotted != "oddcall":
                yield from leaves(value, dotted)
        else:
            yield from ((dotted, each) for each in (value if isinstance(value, list) else [value]))


def fits(value: Any, kind: str) -> bool:
    """Whether a value can be indexed as a type."""
    if kind == "date":
        return datetime.fromisoformat(value).tzinfo is not None
    if kind == "long":
        return type(value) is int and abs(value) < 2**63
    return isinstance(value, float | int) if kind == "float" else isinstance(value, str)


@pytest.mark.parametrize("state", ["open", "update", "close", "notice"])
def test_every_field_is_one_of_ecs(lines: dict[str, Alert], state: str) -> None:
    """Outside `oddcall` there are only fields that ECS has, with values of their types."""
    found = list(leaves(ecs(lines[state])))
    assert [name for name, _ in found if name not in FIELDS] == []
    assert [(n, v) for n, v in found if not fits(v, FIELDS[n])] == []


@pytest.mark.parametrize("state", ["open", "update", "close"])
def test_an_alert_is_an_alert(lines: dict[str, Alert], state: str) -> None:
    """Its kind, categories, types and times are those that ECS allows together."""
    document = ecs(lines[state])
    event = document["event"]
    assert document["ecs"]["version"].startswith("9.")
    assert event["kind"] == "alert"
    assert all(set(event["type"]) <= EXPECTED[category] for category in event["category"])
    start, end = (datetime.fromisoformat(event[name]) for name in ("start", "end"))
    assert event["duration"] == (end - start).total_seconds() * 1e9 > 0
    assert 0 <= event["risk_score_norm"] <= 100
    assert event["reason"] == lines[state]["explanation"]["sentence"]
    assert document["oddcall"]["state"] == state


def test_who_it_was_can_be_joined(lines: dict[str, Alert]) -> None:
    """The process is the same over an episode, and another after a reboot or a reuse of its pid."""
    opened, updated = (ecs(lines[state])["process"] for state in ("open", "update"))
    assert opened["entity_id"] == updated["entity_id"]
    rebooted = {**lines["open"], "host": {**lines["open"]["host"], "boot_id": "0c"}}
    reused = {**lines["open"], "process": {**lines["open"]["process"], "start_time": 6}}
    assert len({ecs(a)["process"]["entity_id"] for a in (lines["open"], rebooted, reused)}) == 3


def test_hints_are_techniques_with_their_reason(lines: dict[str, Alert]) -> None:
    """Techniques and sub-techniques have their fields; why is beside them."""
    document = ecs(lines["open"])
    assert document["threat"]["technique"]["id"] == ["T1055"]
    assert document["threat"]["technique"]["subtechnique"]["id"] == ["T1055.008"]
    assert document["oddcall"]["attack_hints"] == lines["open"]["attack_hints"]


def test_what_is_not_known_is_absent(bare: Alert) -> None:
    """No field is empty or null."""
    found = dict(leaves(ecs(bare)))
    assert "" not in found.values()
    assert None not in found.values()
    assert {"container.id", "threat.framework", "process.command_line"} & found.keys() == set()


def test_a_notice_is_no_alert(lines: dict[str, Alert]) -> None:
    """That alerts were dropped is an event that can be told from alerts."""
    document = ecs(lines["notice"])
    assert document["event"]["kind"] == "event"
    assert document["event"]["dataset"] == "oddcall.notice"
    assert document["oddcall"]["counts"] == {"full": 3}
