"""Promises of the cap on alerts an hour: what is held back is told of, and the gravest pass."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.service.alerts.severity import LEVELS
from oddcall.service.alerts.text import render
from oddcall.service.alerts.throttle import Throttle
from oddcall.service.formats import FORMATS

T0 = 1_700_000_000_000_000_000
S = 1_000_000_000
HOST = {"name": "web1", "id": "5d", "boot_id": "0b", "kernel": "6.1.0", "arch": "x86_64"}


def line(episode: int, state: str = "open", severity: str = "high") -> dict[str, Any]:
    return {"episode_id": str(episode), "state": state, "severity": severity}


def test_past_the_cap_alerts_are_held_back_and_told() -> None:
    """Two of five go out; a notice says that it begins, another when there is room how many."""
    throttle = Throttle(2, HOST)
    first = throttle.sort([line(i) for i in range(5)], T0)
    assert [alert["episode_id"] for alert in first.sent] == ["0", "1"]
    assert [alert["episode_id"] for alert in first.held] == ["2", "3", "4"]
    (begun,) = first.notices
    assert begun["notice"] == "throttled"
    assert begun["sentence"].startswith("2 alerts went out within an hour: until there is room")
    later = throttle.sort([line(2, "close"), line(0, "close")], T0 + 60 * S)
    assert [alert["episode_id"] for alert in later.sent] == ["0"]
    assert later.notices == []
    over = throttle.sort([line(9)], T0 + 3600 * S)
    assert [alert["episode_id"] for alert in over.sent] == ["9"]
    (told,) = over.notices
    assert told["counts"] == {"alerts": 3}
    assert (
        "3 alerts were not sent in the last 1h: more than 2 as grave within an hour"
        in told["sentence"]
    )


def test_critical_ones_pass() -> None:
    """A flood does not hide the gravest, and one that becomes so is told from then on."""
    throttle = Throttle(1, HOST)
    told = throttle.sort([line(1), line(2), line(3, severity="critical")], T0)
    assert [alert["episode_id"] for alert in told.sent] == ["1", "3"]
    told = throttle.sort([line(2, "update", "critical"), line(2, "close")], T0 + S)
    assert len(told.sent) == 2


def test_another_kind_of_what_is_held_back_is_looked_at_anew() -> None:
    """Once there is room it goes out as an alert of that grade would, and takes as much room."""
    throttle = Throttle(1, HOST)
    throttle.sort([line(1), line(2)], T0)
    other = line(2, "update") | {"news": ["bpf"]}
    assert throttle.sort([other], T0 + S).held == [other]
    told = throttle.sort([line(2, "update"), other, line(2, "update"), line(3)], T0 + 3600 * S)
    assert told.sent == [other, line(2, "update")]
    assert told.held == [line(2, "update"), line(3)]


def test_slighter_ones_take_no_room_from_graver() -> None:
    """After a flood of low ones a high one goes out, and after high ones no low one does."""
    throttle = Throttle(2, HOST)
    throttle.sort([line(i, severity="low") for i in range(9)], T0)
    told = throttle.sort([line(10, severity="medium"), line(11), line(12), line(13)], T0 + S)
    assert [alert["episode_id"] for alert in told.sent] == ["10", "11", "12"]
    assert throttle.sort([line(14, severity="low")], T0 + 2 * S).sent == []


def test_one_held_back_that_becomes_graver_goes_out() -> None:
    """It is told from the line on that says so, and counts as one that was held back."""
    throttle = Throttle(1, HOST)
    throttle.sort([line(1, severity="low"), line(2, severity="low")], T0)
    told = throttle.sort([line(2, "update", "low"), line(2, "update"), line(2, "close")], T0 + S)
    assert [(alert["state"], alert["severity"]) for alert in told.sent] == [
        ("update", "high"),
        ("close", "high"),
    ]


def test_what_is_held_at_the_end_is_told() -> None:
    """A watch that stops says what it did not send."""
    throttle = Throttle(1, HOST)
    throttle.sort([line(1), line(2)], T0)
    told = throttle.end([line(1, "close"), line(2, "close")], T0 + S)
    assert [notice["counts"] for notice in told.notices] == [{"alerts": 1}]
    assert len(told.sent) == 1


@given(st.lists(st.tuples(st.integers(0, 600), st.integers(1, 4)), max_size=60), st.integers(1, 5))
def test_never_more_than_the_cap_within_an_hour_and_nothing_lost(
    ticks: list[tuple[int, int]], most: int
) -> None:
    """However alerts come, each is sent or counted in a notice, and no hour has too many of any."""
    throttle, now, sent, counted, number = Throttle(most, HOST), T0, [], 0, 0
    for wait_s, count in ticks:
        now += wait_s * S
        grades = [LEVELS[(number + i + wait_s) % 3] for i in range(count)]
        told = throttle.sort([line(number + i, "open", g) for i, g in enumerate(grades)], now)
        number += count
        sent += [(now, LEVELS.index(alert["severity"])) for alert in told.sent]
        counted += sum(notice["counts"].get("alerts", 0) for notice in told.notices)
    told = throttle.end([], now)
    counted += sum(notice["counts"].get("alerts", 0) for notice in told.notices)
    assert len(sent) + counted == number
    for at, grade in sent:
        hour = [other for when, other in sent if at <= when < at + 3600 * S]
        assert hour.count(grade) <= most
        assert len(hour) <= 3 * most


@pytest.mark.parametrize("name", FORMATS)
def test_a_notice_has_every_form(name: str) -> None:
    """Notices are of the published schema, of every format, and two lines on a terminal."""
    throttle = Throttle(1, HOST)
    (notice,) = throttle.sort([line(1), line(2)], T0).notices
    schema = json.loads(files("oddcall.service.alerts").joinpath("notice.schema.json").read_text())
    jsonschema.validate(notice, schema)
    assert "1 alert went out" in json.dumps(FORMATS[name](notice))
    assert render(notice).count("1 alert went out within an hour") == 1
