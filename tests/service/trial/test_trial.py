"""A trial goes on where one behaviour breaks, and says early what would make it worthless."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oddcall.models.errors import OddcallError, PrivilegeError
from oddcall.service import simulate
from oddcall.service.simulate import catalogue
from oddcall.service.trial import trial
from oddcall.service.trial.catalogue import WEB
from oddcall.service.trial.report import Report
from oddcall.service.trial.trial import Course, Plan, attempt
from oddcall.service.trial.watching import Watching
from oddcall.service.trial.workload import Workload
from oddcall.training.labels import read_labels

OWN = """
from oddcall.service.simulate import Behaviour

def raises(bounds):
    raise ValueError("no such luck")

def silent(bounds):
    pass

BEHAVIOURS = [
    Behaviour(act.__name__, "T9999", "Fails in its way.", (), ("openat",), "it does nothing", act)
    for act in (raises, silent)
]
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[simulate.Behaviour]:
    """Two behaviours of a file: one raises, one returns nothing."""
    monkeypatch.setattr(catalogue, "_included", {})
    path = tmp_path / "own.py"
    path.write_text(OWN)
    simulate.include(path)
    return list(catalogue.own())


def plan_of(folder: Path, begun: Callable[[Path], Any]) -> Plan:
    """A plan whose only work is a web server that begins in some way."""
    return Plan(folder, [Workload(WEB.name, "", (), 0.0, begun)], [], 60.0, 60.0, "1/day")


def never(*_: Any) -> Any:
    raise AssertionError("that is not come to")


def test_a_web_server_that_cannot_start_ends_the_trial_before_it_learns(
    tmp_path: Path, screen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why it cannot is the error; whatever it raised, nothing is learned in vain."""
    monkeypatch.setattr(trial, "require_privilege", lambda: None)
    monkeypatch.setattr(trial, "watching", never)

    def begun(_folder: Path) -> Any:
        raise KeyError("no such user")

    with pytest.raises(OddcallError, match="does not run; got KeyError: 'no such user'"):
        trial.run(plan_of(tmp_path, begun), screen, never)


def test_who_may_not_watch_is_told_before_anything_is_started(
    tmp_path: Path, screen: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Privilege is looked for first: no server is begun without it."""

    def refused() -> None:
        raise PrivilegeError("this process may not load programs")

    monkeypatch.setattr(trial, "require_privilege", refused)
    begun: list[Path] = []
    with pytest.raises(PrivilegeError):
        trial.run(plan_of(tmp_path, begun.append), screen, never)
    assert not begun


def test_a_behaviour_that_breaks_is_reported_and_the_next_is_done(
    tmp_path: Path, own: list[simulate.Behaviour], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its error is told, it counts as neither caught nor missed; each is labelled as it comes."""
    # No alert is coming here that could be waited for.
    monkeypatch.setattr(trial, "CAUGHT_WITHIN_S", 0.0)
    monkeypatch.setattr(trial, "_LATE_S", 0.0)
    silent_watch: Any = SimpleNamespace(poll=lambda: None)
    plan = Plan(tmp_path, [], own, 60.0, 60.0, "1/day", via="python")
    labels = tmp_path / "labels.jsonl"
    with ThreadPoolExecutor(1) as beside:
        course = Course(Watching(tmp_path, silent_watch), [], beside, labels)
        written = []
        for behaviour in own:
            course.found.append(attempt(behaviour, plan, course, lambda: None, seconds=0.1))
            written.append(read_labels(labels))
    broken, silent = course.found
    place = f"{tmp_path / 'own.py'}, line 5"
    assert broken.failure == f"raises did not end well; got ValueError: no such luck ({place})."
    assert (silent.failure, silent.detail) == ("", {})
    assert [len(lines) for lines in written] == [1, 2]
    first, second = written[1]
    assert (first.name, first.technique, first.visible) == ("raises", "T9999", True)
    assert (second.name, second.technique, second.visible) == ("silent", "T9999", True)
    assert (first.failure, second.failure) == (broken.failure, "")
    assert (first.counts, second.counts) == (False, True)
    assert first.pid is None, "nobody knows which process it was"
    assert first.program == second.program
    report = Report(plan, course, [], [], None)
    assert report.recall == 0.0
    lines = list(report.lines())
    assert ["raises", "T9999", "FAILED"] in map(str.split, lines)
    assert "".join(broken.failure.split()) in "".join("".join(lines).split())
    assert "1 behaviour did not end well: neither caught nor missed" in lines
    assert "caught 0 of 1 within ten seconds" in lines
    course.hear_late()
    assert course.found[0].failure
