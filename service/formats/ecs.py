"""Elastic Common Schema 9: ``event.kind: alert``, nested as documents are indexed.

Field names and types as of ECS 9.4; what has no place there is under ``oddcall``.
"""

from __future__ import annotations

from typing import Any

from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.notice import is_notice
from oddcall.service.formats.wording import (
    ABOUT,
    NOTICE_RULE,
    RULE,
    entity,
    moment,
    present,
    product_version,
    technique_url,
    told_anew,
)

VERSION = "9.4.0"
#: On the scale of 0 to 100 that Elastic's own alerts use for the same four words.
_RISK = {"low": 21, "medium": 47, "high": 73, "critical": 99}
_ACTION = {"open": "episode-opened", "update": "episode-updated", "close": "episode-closed"}


def ecs(alert: Alert) -> Alert:
    """Give the ECS document of an alert or a notice."""
    return _notice(alert) if is_notice(alert) else _alert(alert)


def _alert(alert: Alert) -> Alert:
    sentence, onset = alert["explanation"]["sentence"], alert["explanation"]["onset"]
    return present(
        {
            **_base(alert, sentence),
            "event": {
                **_event(alert, "alert"),
                "category": ["intrusion_detection", "process"],
                "type": ["info"],
                "action": _ACTION[alert["state"]],
                "reason": sentence,
                "start": onset,
                "end": alert["time"],
                "duration": _nanoseconds(onset, alert["time"]),
                "risk_score": alert["score"]["score"],
                "risk_score_norm": float(_RISK[alert["severity"]]),
            },
            "rule": {
                "id": "oddcall-baseline",
                "name": RULE,
                "description": ABOUT,
                "category": "anomaly",
                "ruleset": "oddcall",
                "version": alert["baseline"]["model_id"],
            },
            "process": _process(alert),
            "container": _container(alert),
            "orchestrator": _orchestrator(alert),
            "user": {"id": str(alert["process"]["uid"])},
            "threat": _threat(alert),
            "oddcall": _own(alert),
        }
    )


def _notice(notice: Alert) -> Alert:
    return {
        **_base(notice, notice["sentence"]),
        "event": {
            **_event(notice, "event"),
            "type": ["error"],
            "category": ["process"],
            "action": f"notice-{notice['notice']}",
            "reason": notice["sentence"],
        },
        "rule": {"id": "oddcall-notice", "name": NOTICE_RULE, "ruleset": "oddcall"},
        "oddcall": {"severity": notice["severity"], "counts": notice["counts"]},
    }


def _base(line: Alert, sentence: str) -> Alert:
    host = line["host"]
    return {
        "@timestamp": line["time"],
        "ecs": {"version": VERSION},
        "message": sentence,
        "tags": ["oddcall"],
        "agent": {"type": "oddcall", "version": product_version()},
        "host": present(
            {
                "name": host["name"],
                "hostname": host["name"],
                "id": host["id"],
                "architecture": host["arch"],
                "boot": present({"id": host["boot_id"]}),
                "os": present({"type": "linux", "kernel": host["kernel"]}),
            }
        ),
    }


def _event(line: Alert, kind: str) -> Alert:
    return {
        "kind": kind,
        "id": line["id"],
        "module": "oddcall",
        "dataset": f"oddcall.{'notice' if is_notice(line) else 'alert'}",
        "provider": "oddcall",
        "severity": _RISK[line["severity"]],
    }


def _nanoseconds(start: str, end: str) -> int:
    lasted = moment(end) - moment(start)
    return max(round(lasted.total_seconds() * 1e6) * 1000, 0)


def _process(alert: Alert) -> Alert:
    program, process = alert["program"], alert["process"]
    return present(
        {
            "entity_id": entity(alert),
            "pid": process["pid"],
            "name": program["comm"],
            "executable": program["exe"],
            "command_line": process["cmdline"],
            "parent": present({"pid": process["ppid"], "name": process["parent"]}),
            "user": {"id": str(process["uid"])},
        }
    )


def _container(alert: Alert) -> Alert:
    known = alert.get("workload") or {}
    image = present({"name": known.get("image")})
    return present({"id": alert["program"]["container"], "name": known.get("name"), "image": image})


def _orchestrator(alert: Alert) -> Alert:
    known = alert.get("workload") or {}
    if not known.get("pod"):
        return {}
    resource = {"type": "pod", "name": known["pod"]}
    return present(
        {"type": "kubernetes", "namespace": known.get("namespace"), "resource": resource}
    )


def _threat(alert: Alert) -> Alert:
    """Techniques the behaviour is consistent with; why is in ``oddcall.attack_hints``."""
    hinted = [hint["technique"] for hint in alert["attack_hints"]]
    if not hinted:
        return {}
    parents = list(dict.fromkeys(name.partition(".")[0] for name in hinted))
    technique: dict[str, Any] = {"id": parents, "reference": list(map(technique_url, parents))}
    if parts := [name for name in hinted if "." in name]:
        technique["subtechnique"] = {"id": parts, "reference": list(map(technique_url, parts))}
    return {"framework": "MITRE ATT&CK", "technique": technique}


def _own(alert: Alert) -> Alert:
    own = {
        "episode_id": alert["episode_id"],
        "state": alert["state"],
        "severity": alert["severity"],
        "unit": alert["program"]["unit"],
        "top": alert["explanation"]["top"],
        "nearest_windows": alert["explanation"]["nearest_windows"],
    }
    rest = ("window", "score", "baseline", "coverage", "attack_hints")
    counts = ("suppressed_since_last", "returns")
    return present({**own, **{name: alert[name] for name in rest + counts}, **told_anew(alert)})
