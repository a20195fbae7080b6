"""Promises of a trial's report: a rate from a short watch says how little it tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oddcall.models.bundle import save_bundle
from oddcall.models.model import Model
from oddcall.models.window import WindowBatch
from oddcall.service.simulate import Outcome
from oddcall.service.simulate.catalogue import named
from oddcall.service.trial.adversary import Hidden
from oddcall.service.trial.report import FalseAlert, Report
from oddcall.service.trial.trial import Course, Plan
from oddcall.service.trial.verdict import caught
from oddcall.service.trial.watching import Watching
from oddcall.training.recording import RecordingWriter

from ..conftest import METADATA


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
        "false alerts per host and day: 0 (0 in 1m); 0 to 5,300 would be no surprise"
        in quiet.lines()
    )
    told = quiet.as_dict()["false_alerts"]
    assert told["per_host_day"] == 0
    # Garwood's upper end for none is 3.689.
    assert told["per_host_day_interval"] == [0, pytest.approx(3.689 * 1440, rel=1e-3)]


def test_the_replay_of_a_trial_knows_nothing_of_the_host_and_may_fail(
    quiet: Report, tmp_path: Path, trained: Model, ordinary: list[WindowBatch]
) -> None:
    """It goes by the trial's own feedback; where it cannot, the report says why, and stands."""
    silent: Any = SimpleNamespace(poll=lambda: None)
    watch = Watching(tmp_path, silent)
    save_bundle(trained, watch.model)
    with RecordingWriter(watch.kept, METADATA) as writer:
        writer.append(ordinary[0])
    course = replace(quiet.course, watching=watch)
    # Nothing can be read from a folder.
    (tmp_path / "feedback.jsonl").mkdir()
    report = Report.of(quiet.plan, course, [])
    assert report.as_dict()["replay_is_the_same"] is False
    why = f"the feedback {tmp_path / 'feedback.jsonl'} cannot be read"
    assert report.replay_failure.startswith(why)
    # Wherever the lines are broken.
    told, said = (
        "".join(report.lines()),
        f"replay of what was judged FAILED: {report.replay_failure}",
    )
    assert told.replace(" ", "").endswith(said.replace(" ", ""))
    (tmp_path / "feedback.jsonl").rmdir()
    report = Report.of(quiet.plan, course, [])
    assert (report.replayed, report.replay_failure) == (True, "")


def test_the_adversarys_table_tells_a_short_pause_from_none(quiet: Report) -> None:
    """Pauses have three figures, however short, and the widest row fits 80 columns."""
    done = Outcome("failing-opens", 7, "/bin/x", "", 1000.0, 1360.0, {})
    missed = caught(named("failing-opens"), done, [])
    broken = replace(missed, failure="it raised")
    hidden = [
        Hidden("mimicry", 1, 0.00125, 2.0, missed),
        Hidden("mimicry", 1000, 1.25, 25.0, replace(missed, seconds=12.34)),
        Hidden("drip", 48_000, 60.0, 360.0, missed),
        Hidden("drift", 0, 0.0, 2.0, broken),
    ]
    lines = list(replace(quiet, hidden=hidden).lines())
    assert lines[-5:] == [
        "way       attack         ordinary calls  a step every    for  noticed after",
        "mimicry   failing-opens               1       1.25 ms    2 s  not noticed",
        "mimicry   failing-opens           1,000        1.25 s   25 s  12.3 s",
        "drip      failing-opens          48,000          60 s  360 s  not noticed",
        "drift     failing-opens               0          none    2 s  FAILED",
    ]
    assert max(map(len, lines)) <= 80


def test_the_range_holds_the_rate(quiet: Report):
    """With alerts the range is around the rate, and every line fits 80 columns."""
    alert = FalseAlert("work", "watching", "2026-11-26T06:17:13Z", "/bin/x", 7, "x did y.")
    noisy = replace(quiet, false_alerts=[alert] * 10)
    told = noisy.as_dict()["false_alerts"]
    low, high = told["per_host_day_interval"]
    assert 0 < low < told["per_host_day"] == 14400 < high
    assert max(map(len, noisy.lines())) <= 80


def test_what_would_by_default_be_updates_is_said(quiet: Report) -> None:
    """Of all alerts and of the false ones, so that the default's counts can be held against it."""
    alert = FalseAlert("others", "watching", "2026-11-26T06:17:13Z", "/bin/x", 7, "x did y.")
    assert "cooldown" not in " ".join(replace(quiet, false_alerts=[alert], opened=3).lines())
    both = [alert, replace(alert, repeats=True)]
    noisy = replace(quiet, false_alerts=both, opened=40, repeats=12)
    assert noisy.as_dict()["alerts"] == {"opened": 40, "repeats": 12}
    assert [told["repeats"] for told in noisy.as_dict()["false_alerts"]["alerts"]] == [False, True]
    lines = list(noisy.lines())
    assert max(map(len, lines)) <= 80
    assert (
        "By the default alerts.cooldown, which a trial sets to nothing, 12 of 40 alerts would "
        "have been updates of earlier ones, 1 of the false ones: evaluate recordings counts them "
        "apart." in " ".join(lines)
    )


def test_a_short_quiet_watch_shows_no_budget_kept(quiet: Report) -> None:
    """None in a minute leaves thousands a day open, and says so; none in a week does not."""
    assert quiet.as_dict()["false_alerts"]["too_short_to_tell"]
    said = " ".join(quiet.lines())
    assert "on this work, too short to tell whether a budget of 1/day is kept; 0 on other" in said
    assert "(0 in 1m); 0 to 5,300 would be no surprise" in said
    week = replace(quiet, course=replace(quiet.course, watched=(1000.0, 1000.0 + 7 * 86_400)))
    assert not week.as_dict()["false_alerts"]["too_short_to_tell"]
    assert "on this work, within the budget of 1/day; 0 on other" in " ".join(week.lines())


def test_an_alert_on_the_work_is_false_also_while_things_are_done(quiet: Report) -> None:
    """It counts in the headline, the rate and the budget, over the time of both phases."""
    during = FalseAlert("work", "misbehaving", "2026-11-26T06:18:33Z", "/bin/x", 7, "x did y.")
    other = replace(during, whose="others")
    course = replace(quiet.course, misbehaved=(1060.0, 1240.0))
    quiet = replace(quiet, course=course)
    assert not quiet.as_dict()["false_alerts"]["over_budget"]
    noisy = replace(quiet, false_alerts=[during, during, other])
    told = noisy.as_dict()
    assert (told["watched_s"], told["misbehaved_s"]) == (60, 180)
    false = told["false_alerts"]
    kinds = ("work", "work_while_watching", "work_while_misbehaving", "others", "oddcall")
    assert [false[kind] for kind in kinds] == [2, 0, 2, 1, 0]
    assert false["per_host_day"] == 2 * 86_400 / 240
    low, high = false["per_host_day_interval"]
    assert 0 < low < false["per_host_day"] < high
    assert false["over_budget"]
    lines = list(noisy.lines())
    assert max(map(len, lines)) <= 80
    text = " ".join(lines)
    assert (
        "watched for 4m: 2 false alerts on this work (0 in 1m of it alone, 2 in 3m while things "
        "were done), over the budget of 1/day; 1 on other programs of this host." in text
    )
    assert "false alerts per host and day: 720 (2 in 4m); " in text
