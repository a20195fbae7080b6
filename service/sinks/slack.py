"""Alerts for people, to a webhook of Slack or of what speaks like it (Mattermost, Rocket.Chat).

One message an alert: a line of text, and an attachment with who, what and the evidence.
Attachments are what all of these understand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from oddcall.models.explanation.sentence import MOST_NAMED
from oddcall.service.alerts.alert import Alert, anew
from oddcall.service.alerts.notice import is_notice
from oddcall.service.formats.wording import (
    course,
    hints_text,
    milliseconds,
    present,
    program_name,
)
from oddcall.service.sinks.http import Endpoint
from oddcall.service.sinks.transport import Record

_COLOUR = {"low": "#3b82a0", "medium": "#d9a400", "high": "#d9480f", "critical": "#b3001b"}
_QUIET = "#7a8594"
#: Whatever the sentence names is among them.
_FEATURES = MOST_NAMED
#: Of a command line: more is no help in a chat.
_SHOWN = 300


class Slack:
    """POST alerts as messages.

    Parameters
    ----------
    endpoint : Endpoint
    """

    batch = 1

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def send(self, records: Sequence[Record]) -> None:
        """Send one message a record."""
        for record in records:
            self._endpoint.post(json.dumps(message(record.alert)).encode("ascii"), record.id)

    def reach(self) -> None:
        """Raise DeliveryError where nobody answers."""
        self._endpoint.reach()

    def close(self) -> None:
        """Do nothing: no connection outlives a request."""


def message(alert: Alert) -> dict[str, Any]:
    """Write the message of an alert or a notice."""
    host = escape(alert["host"]["name"])
    if is_notice(alert):
        return {"text": f"*oddcall* on {host}: {escape(alert['sentence'])}"}
    program = escape(program_name(alert))
    sentence = escape(alert["explanation"]["sentence"])
    grade = ", ".join(filter(None, (f"*{alert['severity'].upper()}*", course(alert))))
    head = f"{grade}: {program} on {host}"
    return {"text": head, "attachments": [_attachment(alert, sentence)]}


def escape(text: object) -> str:
    """Take away what would be a link or call people: attackers choose names."""
    plain = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = "".join(c if c.isprintable() else " " for c in plain)
    # A space of no width keeps Mattermost from reading @channel and the like.
    return shown.replace("@", "@\u200b")


def _attachment(alert: Alert, sentence: str) -> dict[str, Any]:
    quiet = alert["state"] == "close"
    process, score = alert["process"], alert["score"]
    facts = {
        "Process": f"{alert['program']['exe']} (pid {process['pid']}, user {process['uid']})",
        "Command": (process["cmdline"] or "")[:_SHOWN],
        "Started by": process["parent"],
        "Unit": alert["program"]["unit"],
        "Container": (alert["program"]["container"] or "")[:12],
        "New": anew(alert),
        "Unusual": "\n".join(map(_feature, alert["explanation"]["top"][:_FEATURES])),
        "Evidence": f"p = {score['p_value']:.1e}, alerts from {score['threshold']:.1e}",
        "Hint": hints_text(alert),
        "Alert": alert["id"],
    }
    return {
        "fallback": sentence,
        "color": _QUIET if quiet else _COLOUR[alert["severity"]],
        "text": sentence,
        "fields": [_field(name, value) for name, value in present(facts).items()],
        "ts": milliseconds(alert["time"]) // 1000,
    }


def _feature(feature: Alert) -> str:
    typical = feature["typical"]
    between = f"{typical['q05']:g} to {typical['q95']:g}"
    return f"{feature['feature']}: {feature['observed']:g} (typical {between})"


def _field(name: str, value: str) -> dict[str, Any]:
    told = "\n".join(map(escape, value.split("\n")))
    return {"title": name, "value": told, "short": len(told) < 40}
