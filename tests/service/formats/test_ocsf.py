"""Promises about OCSF, held against its published requirements in words of our own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from oddcall.service.alerts.alert import Alert
from oddcall.service.formats.ocsf import ocsf

#: Schema 1.8.0: what each kind of object must have, and of what type. A list holds one kind.
REQUIRED: dict[str, dict[str, Any]] = {
    "detection_finding": {
        "activity_id": int,
        "category_uid": int,
        "class_uid": int,
        "finding_info": "finding_info",
        "metadata": "metadata",
        "severity_id": int,
        "time": int,
        "type_uid": int,
    },
    "application_error": {
        "activity_id": int,
        "category_uid": int,
        "class_uid": int,
        "metadata": "metadata",
        "severity_id": int,
        "time": int,
        "type_uid": int,
    },
    "metadata": {"product": "product", "version": str},
    # Schemas before 1.4 require the title too, and many receivers still hold to them.
    "finding_info": {"uid": str, "title": str},
    "analytic": {"type_id": int},
    "anomaly_analysis": {"analysis_targets": ["analysis_target"], "anomalies": ["anomaly"]},
    "analysis_target": {"name": str},
    "anomaly": {"observation_parameter": str, "observations": ["observation"]},
    "baseline": {"observation_parameter": str, "observations": ["observation"]},
    "observation": {"value": str},
    "device": {"type_id": int},
    "os": {"name": str, "type_id": int},
    "file": {"name": str, "type_id": int},
}
#: Members that need not be there; where they are, they are of this kind.
OPTIONAL: dict[str, dict[str, Any]] = {
    "detection_finding": {
        "anomaly_analyses": ["anomaly_analysis"],
        "evidences": ["evidences"],
        "device": "device",
        "start_time": int,
        "end_time": int,
        "status_id": int,
        "status": str,
        "message": str,
        "is_alert": bool,
    },
    "application_error": {"device": "device", "message": str},
    "finding_info": {
        "analytic": "analytic",
        "related_analytics": ["analytic"],
        "attacks": ["attack"],
        "desc": str,
        "first_seen_time": int,
        "last_seen_time": int,
        "types": [str],
        "data_sources": [str],
    },
    "anomaly_analysis": {"baselines": ["baseline"]},
    "anomaly": {"observation_type": str, "observed_pattern": str},
    "observation": {"timespan": "timespan"},
    "evidences": {"process": "process", "container": "container"},
    "process": {
        "pid": int,
        "uid": str,
        "name": str,
        "path": str,
        "cmd_line": str,
        "user": "user",
        "file": "file",
        "parent_process": "process",
    },
    "device": {"os": "os", "hostname": str, "uid": str, "boot_uid": str},
    "attack": {"technique": "technique", "sub_technique": "technique"},
}
#: Of these at least one must be there.
ONE_OF: dict[str, set[str]] = {
    "product": {"name", "uid"},
    "device": {"hostname", "ip", "name", "uid"},
    "analytic": {"name", "uid"},
    "attack": {"tactic", "technique", "sub_technique"},
    "technique": {"name", "uid"},
    "process": {"pid", "uid", "cpid"},
    "container": {"name", "uid"},
    "user": {"account", "name", "uid"},
    "timespan": {"duration", "start_time", "end_time"},
    "evidences": {"process", "data", "file", "user", "device"},
}
ENUMS = {
    "severity_id": {0, 1, 2, 3, 4, 5, 6, 99},
    "status_id": {0, 1, 2, 3, 4, 5, 6, 99},
    "activity_id": {0, 1, 2, 3, 99},
}


def wrong(kind: Any, found: Any, path: str = "") -> Iterator[str]:
    """What an object of a kind lacks, or has of another type."""
    if isinstance(kind, list):
        if not isinstance(found, list) or not found:
            yield f"{path}: not a list with something in it"
        else:
            for i, inner in enumerate(found):
                yield from wrong(kind[0], inner, f"{path}[{i}]")
    elif isinstance(kind, type):
        if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
            yield f"{path}: {found!r} is no {kind.__name__}"
    else:
        yield from wrong_object(kind, found, path)


def wrong_object(kind: str, found: dict[str, Any], path: str) -> Iterator[str]:
    """The same of one object."""
    required = REQUIRED.get(kind, {})
    yield from (f"{path}.{name}: missing" for name in required if name not in found)
    for name, inner in {**required, **OPTIONAL.get(kind, {})}.items():
        if name in found:
            yield from wrong(inner, found[name], f"{path}.{name}")
    if kind in ONE_OF and not ONE_OF[kind] & set(found):
        yield f"{path}: none of {ONE_OF[kind]}"
    for name in ENUMS.keys() & found.keys():
        if found[name] not in ENUMS[name]:
            yield f"{path}.{name}: {found[name]}"


@pytest.mark.parametrize(("state", "activity"), [("open", 1), ("update", 2), ("close", 3)])
def test_an_alert_is_a_detection_finding(
    lines: dict[str, Alert], state: str, activity: int
) -> None:
    """Every state is a Detection Finding with all that the schema asks for, of its type."""
    event = ocsf(lines[state])
    assert list(wrong("detection_finding", event)) == []
    assert (event["class_uid"], event["category_uid"]) == (2004, 2)
    assert event["activity_id"] == activity
    assert event["type_uid"] == 200400 + activity
    assert event["finding_info"]["analytic"]["type_id"] == 4
    assert event["is_alert"] is (state != "close")
    assert event["start_time"] <= event["end_time"] == event["time"]
    # The end of the second window, in milliseconds.
    assert event["time"] == (1_700_000_001_000 if state == "open" else 1_700_000_002_000)


def test_as_little_as_can_be_known_is_enough(bare: Alert) -> None:
    """Without a baseline, a path, arguments or a host it is still a valid finding."""
    event = ocsf(bare)
    assert list(wrong("detection_finding", event)) == []
    assert event["anomaly_analyses"][0]["anomalies"][0]["observation_parameter"] == "p-value"


def test_an_episode_is_one_finding(lines: dict[str, Alert]) -> None:
    """Its lines share the finding's id and correlation, and have ids of their own."""
    events = [ocsf(lines[state]) for state in ("open", "update", "close")]
    assert len({event["finding_info"]["uid"] for event in events}) == 1
    assert len({event["metadata"]["correlation_uid"] for event in events}) == 1
    assert len({event["metadata"]["uid"] for event in events}) == 3


def test_what_was_seen_stands_beside_what_is_typical(lines: dict[str, Alert]) -> None:
    """Each feature is an anomaly with its value, and a baseline with its quantiles."""
    analysis = ocsf(lines["open"])["anomaly_analyses"][0]
    assert analysis["analysis_targets"] == [{"name": "/usr/sbin/nginx", "type": "Program"}]
    seen = {a["observation_parameter"]: a for a in analysis["anomalies"]}
    typical = {b["observation_parameter"]: b for b in analysis["baselines"]}
    assert seen.keys() == typical.keys() == {"p-value", "ptrace"}
    assert seen["ptrace"]["observations"][0]["value"] == "1"
    assert [o["value"] for o in typical["ptrace"]["observations"]] == ["0", "0", "1"]


def test_techniques_keep_their_place(lines: dict[str, Alert]) -> None:
    """A sub-technique is named below its technique; the text says what it is worth."""
    info = ocsf(lines["open"])["finding_info"]
    assert info["attacks"][0]["technique"]["uid"] == "T1055"
    assert info["attacks"][0]["sub_technique"]["uid"] == "T1055.008"
    assert lines["open"]["attack_hints"][0]["why"] in info["desc"]


def test_a_notice_is_an_application_error(lines: dict[str, Alert]) -> None:
    """That alerts were dropped is no finding."""
    event = ocsf(lines["notice"])
    assert list(wrong("application_error", event)) == []
    assert (event["class_uid"], event["type_uid"]) == (6008, 600801)
    assert event["message"] == "3 alerts had to be dropped."


def test_the_table_finds_what_is_wrong(lines: dict[str, Alert]) -> None:
    """The checks above see a missing member, a wrong type and an empty list."""
    event = ocsf(lines["open"])
    del event["finding_info"]["uid"]
    event["time"] = "now"
    event["anomaly_analyses"][0]["anomalies"] = []
    assert len(list(wrong("detection_finding", event))) == 3
