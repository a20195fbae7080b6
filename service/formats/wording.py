"""What the formats say alike: names, times, parts of an ATT&CK technique's number."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from importlib.metadata import version
from typing import Any

from oddcall.service.alerts.alert import Alert

#: One rule is all there is: a program behaves unlike its baseline.
RULE = "Unusual system calls"
ABOUT = "A program made system calls unlike those of its baseline."
#: Of a notice, in the same place.
NOTICE_RULE = "oddcall notice"
_ATTACK = "https://attack.mitre.org/techniques/"


@cache
def product_version() -> str:
    """Version of oddcall that is installed."""
    return version("oddcall")


def moment(time: str) -> datetime:
    """Read a time of the native object."""
    return datetime.fromisoformat(time)


def milliseconds(time: str) -> int:
    """Milliseconds since 1970 of a time of the native object."""
    return round(moment(time).timestamp() * 1000)


def program_name(alert: Alert) -> str:
    """Name a program by its file, else by what it calls itself."""
    program = alert["program"]
    return str(program["exe"].rsplit("/", 1)[-1] or program["comm"] or "an unknown program")


def entity(alert: Alert) -> str:
    """Identity of the process across tools: boot, pid and start, as a pid alone is none."""
    process = alert["process"]
    return f"{alert['host']['boot_id']}-{process['pid']}-{process['start_time']}"


def hints_text(alert: Alert) -> str:
    """All hints in one text; empty without any."""
    return " ".join(hint["why"] for hint in alert["attack_hints"])


def course(alert: Alert) -> str:
    """Say in a word how an alert goes on; empty where it opens."""
    if alert["state"] != "update":
        return "" if alert["state"] == "open" else "quiet again"
    if alert.get("news"):
        return "something new"
    if alert.get("severity_before"):
        return "graver"
    return "again" if alert["returns"] else "still"


def told_anew(alert: Alert) -> Alert:
    """Give what a line tells that none before it did; lines of earlier versions do not say."""
    news, before = alert.get("news", []), alert.get("severity_before")
    return {"news": news, "severity_before": before}


def technique_url(technique: str) -> str:
    """Where ATT&CK describes a technique."""
    return f"{_ATTACK}{technique.replace('.', '/')}/"


def present(table: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is not known: an absent member, not an empty one."""
    return {name: value for name, value in table.items() if value not in (None, "", [], {})}
