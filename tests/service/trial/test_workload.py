"""Ordinary work really runs, and ends with the trial."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from oddcall.models.errors import SettingError
from oddcall.service.trial import servers
from oddcall.service.trial.catalogue import WORKLOADS, chosen
from oddcall.service.trial.workload import Work, Workload

QUICK = [w for w in WORKLOADS if w.name not in {"web", "pip", "python-service"}]


def descendants() -> set[str]:
    tasks = Path("/proc/self/task").iterdir()
    return {pid for task in tasks for pid in (task / "children").read_text().split()}


@pytest.mark.parametrize("workload", QUICK, ids=[w.name for w in QUICK])
def test_a_round_of_work_succeeds(workload: Workload, tmp_path: Path) -> None:
    """Four rounds, each of a different kind, end well and leave no process behind."""
    assert not workload.lacking, "make test installs what ordinary work needs"
    before = descendants()
    with workload.begun(tmp_path) as turn:
        for number in range(4):
            turn(number)
    assert descendants() <= before


def test_work_that_fails_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    """A workload that breaks says why; the others are still at it."""
    broken = Workload("broken", "", (), 0.0, lambda _folder: (_ for _ in ()).throw(OSError("no")))
    work = Work(tmp_path)
    rotation = next(w for w in WORKLOADS if w.name == "log-rotation")
    work.begin([broken, rotation])
    until = time.monotonic() + 120
    while not work.under_way[1].rounds and time.monotonic() < until:
        time.sleep(0.05)
    work.end()
    assert [(p.workload.name, p.failure) for p in work.under_way] == [
        ("broken", "no"),
        ("log-rotation", ""),
    ]
    assert work.under_way[1].rounds


def test_a_server_that_ends_at_once_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the demo server said is why its workload stopped, at once and not after a wait."""
    words = [sys.executable, "-c", "raise SystemExit('the disk is full')"]
    monkeypatch.setattr(servers, "serve_command", lambda *_: words)
    work = Work(tmp_path)
    work.begin([WORKLOADS[0]])
    work.end()
    assert work.under_way[0].failure.endswith(" ended with 1: the disk is full")


def test_the_web_server_is_always_among_the_work() -> None:
    """It is what misbehaves; a name that is not known is answered with those that are."""
    assert [w.name for w in chosen(("cron",))] == ["web", "cron"]
    assert chosen(()) == WORKLOADS
    with pytest.raises(SettingError, match="postgresql"):
        chosen(("mysql",))


def test_what_is_not_installed_is_named(tmp_path: Path) -> None:
    """A workload lists the programs it lacks."""
    missing = Workload("x", "", ("sh", "no-such-program"), 0.0, WORKLOADS[0].begun)
    assert missing.lacking == ["no-such-program"]
