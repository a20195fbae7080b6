"""Falco's JSON output, which falcosidekick and the tools behind it take.

What falcosidekick checks of its input: a JSON object whose ``priority`` is one of Falco's
words, with a ``rule``, an RFC 3339 ``time`` and at least one of ``output_fields``; fields of
Kubernetes must be texts. It gives each a ``uuid`` of its own, so ours is a field as well.
"""

from __future__ import annotations

from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.notice import is_notice
from oddcall.service.formats.wording import (
    NOTICE_RULE,
    RULE,
    course,
    hints_text,
    moment,
    present,
    program_name,
)

_PRIORITY = {"low": "Notice", "medium": "Warning", "high": "Error", "critical": "Critical"}


def falco(alert: Alert) -> Alert:
    """Give the Falco event of an alert or a notice."""
    return _notice(alert) if is_notice(alert) else _event(alert)


def _event(alert: Alert) -> Alert:
    process, program = alert["process"], alert["program"]
    techniques = [hint["technique"] for hint in alert["attack_hints"]]
    facts = {
        "program": program["exe"] or program_name(alert),
        "command": process["cmdline"],
        "pid": process["pid"],
        "parent": process["parent"],
        "user_uid": process["uid"],
        "container_id": program["container"],
        "unit": program["unit"],
        "p_value": f"{alert['score']['p_value']:g}",
        "consistent_with": ",".join(techniques),
    }
    sentence = ": ".join(filter(None, (course(alert), alert["explanation"]["sentence"])))
    told = " ".join(f"{name}={value}" for name, value in present(facts).items())
    # Falco tags a rule with the techniques it may show, not with what was proven.
    tags = sorted({"anomaly", "oddcall", *techniques})
    return _line(alert, RULE, f"{sentence} ({told})", _fields(alert), tags)


def _notice(notice: Alert) -> Alert:
    fields = {
        "oddcall.id": notice["id"],
        "oddcall.notice": notice["notice"],
        **{f"oddcall.{name}": count for name, count in notice["counts"].items()},
    }
    return _line(notice, NOTICE_RULE, notice["sentence"], fields, ["oddcall"])


def _line(line: Alert, rule: str, text: str, fields: Alert, tags: list[str]) -> Alert:
    priority = _PRIORITY[line["severity"]]
    clock = f"{moment(line['time']):%H:%M:%S.%f}000"
    return {
        "uuid": line["id"],
        "output": f"{clock}: {priority} {text}",
        "priority": priority,
        "rule": rule,
        "time": line["time"],
        "output_fields": {"evt.time": _nanoseconds(line["time"]), **fields},
        # The word for Falco's own kind of source, which is ours too.
        "source": "syscall",
        "tags": tags,
        "hostname": line["host"]["name"],
    }


def _fields(alert: Alert) -> Alert:
    process, program, score = alert["process"], alert["program"], alert["score"]
    known = alert.get("workload") or {}
    return {
        "proc.name": program["comm"],
        "proc.exepath": program["exe"],
        "proc.cmdline": process["cmdline"],
        "proc.pid": process["pid"],
        "proc.ppid": process["ppid"],
        "proc.pname": process["parent"],
        "user.uid": process["uid"],
        # Falco's word for no container.
        "container.id": program["container"] or "host",
        **present(
            {
                "container.name": known.get("name"),
                "container.image.repository": known.get("image"),
                "k8s.pod.name": known.get("pod"),
                "k8s.ns.name": known.get("namespace"),
            }
        ),
        "oddcall.id": alert["id"],
        "oddcall.episode_id": alert["episode_id"],
        "oddcall.state": alert["state"],
        "oddcall.severity": alert["severity"],
        "oddcall.unit": program["unit"],
        "oddcall.p_value": score["p_value"],
        "oddcall.threshold": score["threshold"],
        "oddcall.score": score["score"],
        "oddcall.baseline": alert["baseline"]["level"],
        "oddcall.model_id": alert["baseline"]["model_id"],
        "oddcall.lost": alert["coverage"]["lost"],
        "oddcall.lost_processes": alert["coverage"]["lost_keys"],
        "oddcall.suppressed": alert["suppressed_since_last"],
        "oddcall.returns": alert["returns"],
        "oddcall.attack_hints": hints_text(alert) or None,
        "oddcall.news": ",".join(alert.get("news", ())) or None,
        "oddcall.severity_before": alert.get("severity_before"),
    }


def _nanoseconds(time: str) -> int:
    at = moment(time)
    return int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1000
