"""Promises about messages to a chat."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from oddcall.service.alerts import notice
from oddcall.service.sinks.http import Endpoint
from oddcall.service.sinks.slack import Slack, escape, message

Alerts = Callable[..., dict[str, Any]]


def test_a_message_an_alert(hook: Any, records: Any) -> None:
    """The webhook gets text and an attachment for each, as JSON."""
    Slack(Endpoint(hook.url)).send(records(range(2)))
    assert [body["text"] for _, body in hook.requests] == ["*MEDIUM*: nginx on web1"] * 2
    [attachment] = hook.requests[0][1]["attachments"]
    assert attachment["fallback"] == "nginx made call number 0, which it never made before."
    fields = {field["title"]: field["value"] for field in attachment["fields"]}
    assert fields["Process"] == "/usr/sbin/nginx (pid 100, user 33)"
    assert fields["Unusual"] == "ptrace (share of calls): 0.01 (typical 0 to 0.001)"
    assert fields["Hint"].startswith("Consistent with")
    assert "Container" not in fields
    assert attachment["ts"] == 1_700_000_000 - 20


def test_states_differ(alert_of: Alerts) -> None:
    """A chat shows at a glance what is new, what goes on and what is over."""
    heads = [message(alert_of(1, "high", state))["text"] for state in ("open", "update", "close")]
    assert heads == [
        "*HIGH*: nginx on web1",
        "*HIGH*, still: nginx on web1",
        "*HIGH*, quiet again: nginx on web1",
    ]
    new = {"news": ["bpf"], "severity_before": "low"}
    told = message(alert_of(1, "high", "update") | new)
    assert told["text"] == "*HIGH*, something new: nginx on web1"
    fields = {field["title"]: field["value"] for field in told["attachments"][0]["fields"]}
    assert fields["New"] == "bpf, which no earlier line of this alert names; graver: low before"
    graver = alert_of(1, "high", "update") | {"severity_before": "low"}
    assert message(graver)["text"] == "*HIGH*, graver: nginx on web1"
    colours = {
        message(alert_of(1, "high", s))["attachments"][0]["color"] for s in ("open", "close")
    }
    assert len(colours) == 2


def test_a_notice_is_a_sentence(host: dict[str, str]) -> None:
    """It needs no attachment."""
    told = message(notice.build("dropped", "2 alerts <were> dropped.", host, 1, {"full": 2}))
    assert told == {"text": "*oddcall* on web1: 2 alerts &lt;were&gt; dropped."}


@pytest.mark.parametrize("name", ["<!channel>", "<https://evil|click>", "@channel", "a&b\n\x1b[0m"])
def test_names_call_nobody(alert_of: Alerts, name: str) -> None:
    """A process cannot make the chat call everybody, or show a link, by its name."""
    alert = alert_of(1, exe=f"/tmp/{name}", comm=name)
    alert["process"]["cmdline"] = f"{name} {name}"
    alert["explanation"]["sentence"] = f"{name} made a call."
    said = json.dumps(message(alert), ensure_ascii=False)
    assert not any(sign in said for sign in ("<", ">", "@channel", "\\u001b"))


def test_text_stays_text() -> None:
    """What needs no escape is left alone."""
    assert escape("/usr/lib/foo_bar --opt=*") == "/usr/lib/foo_bar --opt=*"
