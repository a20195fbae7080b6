"""Promises of a trial's report: a rate from a short watch says how little it tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oddcall.service.trial.report import FalseAlert, Report
from oddcall.service.trial.trial import Course, Plan


@pytest.fixture
def quiet() -> Report:
    """A minute that was watched, and nothing alerted."""
    watching: Any = SimpleNamespace(said=[])
    beside: Any = None
    labels = Path("/trial/labels.jsonl")
    course = Course(watching, work=[], beside=beside, labels=labels, watched=(1000.0, 1060.0))
    return Report(Plan(Path("/trial"), [], [], 60.0, 60.0, "1/day"), course, [], [], None)


def test_no_alert_in_a_minute_is_no_promise_for_a_day(quiet: Report):
    """Text and JSON give the range that a count in so short a time is compatible with."""
    assert (
        "false alerts per host and day: 0 (from 1m); 0 to 5,300 would be no surprise"
        in quiet.lines()
    )
    told = quiet.as_dict()["false_alerts"]
    assert told["per_host_day"] == 0
    # Garwood's upper end for none is 3.689.
    assert told["per_host_day_interval"] == [0, pytest.approx(3.689 * 1440, rel=1e-3)]


def test_the_range_holds_the_rate(quiet: Report):
    """With alerts the range is around the rate, and every line fits 80 columns."""
    alert = FalseAlert("work", "watching", "2026-11-26T06:17:13Z", "/bin/x", 7, "x did y.")
    noisy = replace(quiet, false_alerts=[alert] * 10)
    told = noisy.as_dict()["false_alerts"]
    low, high = told["per_host_day_interval"]
    assert 0 < low < told["per_host_day"] == 14400 < high
    assert max(map(len, noisy.lines())) <= 80
