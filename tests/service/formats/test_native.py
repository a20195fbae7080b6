"""Promises about the native format, and about what all formats have in common."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from oddcall.service.alerts import notice
from oddcall.service.alerts.alert import Alert
from oddcall.service.formats import FORMATS

from ..sinks.conftest import numbered

TEXTS = st.text(max_size=40)
SOME: dict[str, Any] = {**numbered(0), "workload": None}


def schema(name: str) -> Draft202012Validator:
    text = files("oddcall.service.alerts").joinpath(f"{name}.schema.json").read_text()
    Draft202012Validator.check_schema(json.loads(text))
    return Draft202012Validator(json.loads(text))


def test_native_is_what_the_schemas_say(lines: dict[str, Alert], bare: Alert) -> None:
    """Alerts of every state, and notices, are valid under the schemas that are shipped."""
    alerts, notices = schema("alert"), schema("notice")
    for state in ("open", "update", "close"):
        assert not list(alerts.iter_errors(FORMATS["native"](lines[state])))
    assert not list(alerts.iter_errors(bare))
    assert not list(notices.iter_errors(FORMATS["native"](lines["notice"])))
    assert list(alerts.iter_errors(lines["notice"]))
    assert list(notices.iter_errors(lines["open"]))


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_pure(name: str, lines: dict[str, Alert], bare: Alert) -> None:
    """The same alert gives the same JSON, again and again, and is not changed by it."""
    for line in (*lines.values(), bare):
        before = copy.deepcopy(line)
        first = json.dumps(FORMATS[name](line), allow_nan=False)
        assert json.dumps(FORMATS[name](line), allow_nan=False) == first
        assert line == before


@pytest.mark.parametrize("name", FORMATS)
def test_hints_stay_hints(name: str, lines: dict[str, Alert]) -> None:
    """Wherever a technique is named, the reason that says what it is worth comes along."""
    said = json.dumps(FORMATS[name](lines["open"]))
    assert "T1055.008" in said
    assert lines["open"]["attack_hints"][0]["why"] in said


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_new_in_an_update_is_carried(name: str, lines: dict[str, Alert]) -> None:
    """Every format can tell such an update from others; lines of an earlier version pass."""
    said = json.dumps(FORMATS[name](lines["update"] | {"news": ["keyctl"]}))
    assert "keyctl" in said
    old = {k: v for k, v in lines["update"].items() if k not in {"news", "severity_before"}}
    assert "keyctl" not in json.dumps(FORMATS[name](old))


@given(exe=TEXTS, comm=TEXTS, cmdline=TEXTS | st.none(), parent=TEXTS | st.none())
def test_names_may_hold_anything(
    exe: str, comm: str, cmdline: str | None, parent: str | None
) -> None:
    """Names that an attacker chose are carried by every format, and never break it."""
    line = {**SOME, "program": {**SOME["program"], "exe": exe, "comm": comm}}
    line["process"] = {**line["process"], "cmdline": cmdline, "parent": parent}
    for shape in FORMATS.values():
        assert json.loads(json.dumps(shape(line), allow_nan=False))


def test_notices_differ(host: dict[str, str]) -> None:
    """Two notices have two ids; the same one again has the same."""
    first, again, later = (
        notice.build("dropped", "2 alerts.", host, time_ns, {"full": 2}) for time_ns in (1, 1, 2)
    )
    assert first["id"] == again["id"] != later["id"]
