"""OCSF: an alert is a Detection Finding (class 2004), a notice an Application Error (6008).

Members and requirements as of schema 1.8 (ocsf/ocsf-schema, ``events/findings`` and
``objects``); ``anomaly_analyses`` is there since 1.5.
"""

from __future__ import annotations

from typing import Any

from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.notice import is_notice
from oddcall.service.formats.wording import (
    ABOUT,
    RULE,
    entity,
    hints_text,
    milliseconds,
    present,
    product_version,
    program_name,
    technique_url,
    told_anew,
)

VERSION = "1.8.0"
_ACTIVITY = {"open": (1, "Create"), "update": (2, "Update"), "close": (3, "Close")}
_SEVERITY = {
    "low": (2, "Low"),
    "medium": (3, "Medium"),
    "high": (4, "High"),
    "critical": (5, "Critical"),
}
_LEARNING = {"type_id": 4, "type": "Learning (ML/DL)"}


def ocsf(alert: Alert) -> Alert:
    """Give the OCSF event of an alert or a notice."""
    return _error(alert) if is_notice(alert) else _finding(alert)


def _finding(alert: Alert) -> Alert:
    activity, name = _ACTIVITY[alert["state"]]
    quiet = alert["state"] == "close"
    onset = milliseconds(alert["explanation"]["onset"])
    return {
        **_class(2, "Findings", 2004, "Detection Finding"),
        "activity_id": activity,
        "activity_name": name,
        "type_uid": 200400 + activity,
        "type_name": f"Detection Finding: {name}",
        **_occurrence(alert),
        "start_time": onset,
        "end_time": milliseconds(alert["time"]),
        "message": alert["explanation"]["sentence"],
        # Quiet is not resolved: nobody has looked at it.
        "status_id": 99 if quiet else 1,
        "status": "Quiet" if quiet else "New",
        "is_alert": not quiet,
        "metadata": {
            **_metadata(alert),
            "correlation_uid": alert["episode_id"],
            "profiles": ["host"],
        },
        "device": _device(alert),
        "finding_info": _info(alert, onset),
        "anomaly_analyses": [_analysis(alert)],
        "evidences": [_evidence(alert)],
        "unmapped": {
            "oddcall": {
                **{name: alert[name] for name in ("score", "baseline", "coverage")},
                "attack_hints": alert["attack_hints"],
                "suppressed_since_last": alert["suppressed_since_last"],
                "returns": alert["returns"],
                **told_anew(alert),
            }
        },
    }


def _error(notice: Alert) -> Alert:
    return {
        **_class(6, "Application Activity", 6008, "Application Error"),
        "activity_id": 1,
        "activity_name": "General Error",
        "type_uid": 600801,
        "type_name": "Application Error: General Error",
        **_occurrence(notice),
        "message": notice["sentence"],
        "metadata": {
            **_metadata(notice),
            "event_code": notice["notice"],
            "profiles": ["host"],
        },
        "device": _device(notice),
        "unmapped": {"oddcall": {"counts": notice["counts"]}},
    }


def _class(category: int, category_name: str, class_: int, class_name: str) -> Alert:
    return {
        "category_uid": category,
        "category_name": category_name,
        "class_uid": class_,
        "class_name": class_name,
    }


def _occurrence(line: Alert) -> Alert:
    severity, name = _SEVERITY[line["severity"]]
    return {"time": milliseconds(line["time"]), "severity_id": severity, "severity": name}


def _metadata(line: Alert) -> Alert:
    product = {"name": "oddcall", "vendor_name": "oddcall", "version": product_version()}
    return {"version": VERSION, "product": product, "uid": line["id"]}


def _device(line: Alert) -> Alert:
    host = line["host"]
    return {
        "type_id": 0,
        "type": "Unknown",
        "hostname": host["name"] or "unknown",
        **present({"uid": host["id"], "boot_uid": host["boot_id"]}),
        "os": {
            "name": "Linux",
            "type_id": 200,
            "type": "Linux",
            **present({"kernel_release": host["kernel"]}),
        },
    }


def _info(alert: Alert, onset: int) -> Alert:
    detectors = alert["score"]["detectors"]
    return present(
        {
            "uid": alert["episode_id"],
            "title": f"{RULE}: {program_name(alert)}",
            "desc": " ".join(filter(None, (alert["explanation"]["sentence"], hints_text(alert)))),
            "types": ["Anomaly"],
            "data_sources": ["system calls"],
            "first_seen_time": onset,
            "last_seen_time": milliseconds(alert["time"]),
            "analytic": {
                **_LEARNING,
                "name": "oddcall baseline",
                "desc": ABOUT,
                "uid": alert["baseline"]["model_id"],
                "version": product_version(),
            },
            "related_analytics": [
                {**_LEARNING, "name": name, "desc": f"p-value {p:g}"}
                for name, p in detectors.items()
            ],
            "attacks": [_attack(hint["technique"]) for hint in alert["attack_hints"]],
        }
    )


def _attack(technique: str) -> Alert:
    parent = technique.partition(".")[0]
    named = {"technique": {"uid": parent, "src_url": technique_url(parent)}}
    if technique != parent:
        named["sub_technique"] = {"uid": technique, "src_url": technique_url(technique)}
    return named


def _analysis(alert: Alert) -> Alert:
    """Say what was observed against what is typical, the verdict itself first."""
    score = alert["score"]
    anomalies = [_observed("p-value", score["p_value"], "RARE", alert)]
    baselines = [_typical("p-value", "ALERTS_AT_OR_BELOW", [score["threshold"]])]
    for feature in alert["explanation"]["top"]:
        typical = feature["typical"]
        pattern = _pattern(feature["observed"], typical)
        anomalies.append(_observed(feature["feature"], feature["observed"], pattern, alert))
        quantiles = [typical[q] for q in ("q05", "q50", "q95")]
        baselines.append(_typical(feature["feature"], "QUANTILES_05_50_95", quantiles))
    name = alert["program"]["exe"] or program_name(alert)
    return {
        "analysis_targets": [{"name": name, "type": "Program"}],
        "anomalies": anomalies,
        "baselines": baselines,
    }


def _pattern(observed: float, typical: dict[str, float]) -> str:
    if observed > typical["q95"]:
        return "HIGH" if typical["q95"] else "UNSEEN"
    return "LOW" if observed < typical["q05"] else "RARE"


def _observed(parameter: str, value: float, pattern: str, alert: Alert) -> Alert:
    window = alert["window"]
    start, end = milliseconds(window["start"]), milliseconds(window["end"])
    timespan = {"type_id": 9, "type": "Time Interval", "start_time": start, "end_time": end}
    return {
        "observation_parameter": parameter,
        "observation_type": "Distribution Analysis",
        "observed_pattern": pattern,
        "observations": [{"value": f"{value:g}", "timespan": timespan}],
    }


def _typical(parameter: str, pattern: str, values: list[float]) -> Alert:
    return {
        "observation_parameter": parameter,
        "observation_type": "Distribution Analysis",
        "observed_pattern": pattern,
        "observations": [{"value": f"{value:g}"} for value in values],
    }


def _evidence(alert: Alert) -> Alert:
    program, process = alert["program"], alert["process"]
    parent = present({"pid": process["ppid"] or None, "name": process["parent"]})
    seen: dict[str, Any] = {
        "pid": process["pid"],
        "uid": entity(alert),
        # The schema asks for an empty string where it is not known.
        "cmd_line": process["cmdline"] or "",
        "user": {"uid": str(process["uid"])},
        **present({"name": program["comm"], "path": program["exe"], "parent_process": parent}),
    }
    if program["exe"]:
        seen["file"] = {"name": program_name(alert), "path": program["exe"], "type_id": 1}
    known = alert.get("workload") or {}
    container = present({"uid": program["container"], "name": known.get("name")})
    data = {"unit": program["unit"], "events": alert["window"]["events"]}
    # An image of the schema needs an id, which is not known.
    data |= {
        "image": known.get("image"),
        "pod": known.get("pod"),
        "namespace": known.get("namespace"),
    }
    return present(
        {
            "process": seen,
            "container": container,
            "data": present(data),
        }
    )
