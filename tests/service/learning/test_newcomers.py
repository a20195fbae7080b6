"""Promises of learning while watching: newcomers become ready, without what alerted."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddcall.models.bundle import load_bundle
from oddcall.models.model import Model
from oddcall.models.tolerance import Span
from oddcall.models.window import Program, WindowBatch
from oddcall.service.config.settings import LearningSection
from oddcall.service.learning.child import TrainingChild
from oddcall.service.learning.newcomers import Newcomers, newly_ready
from oddcall.service.learning.train import train
from oddcall.service.state import StateDir
from oddcall.training.fit import FitSettings
from oddcall.training.recording import RecordingWriter, read_batches

METADATA = {"host_id": "5d", "host_name": "web1", "boot_id": "0b", "arch": "x86_64"}
NGINX = Program("/usr/sbin/nginx", 1, 10, "nginx.service")
UPGRADED = replace(NGINX, ino=4242)
SECTION = LearningSection(duration=20.0, min_windows=20, again=30.0)


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("learned")


@pytest.fixture
def state(learned: Path, tmp_path: Path, ordinary: list[WindowBatch]) -> StateDir:
    """A state directory with a baseline and the recording that it was learned from."""
    import shutil

    made = StateDir(learned / "state")
    if not made.baseline.exists():
        made.make()
        with RecordingWriter(made.learning, METADATA) as writer:
            for batch in ordinary:
                writer.append(batch)
        train([made.learning], made.baseline, FitSettings(min_windows=20), lambda *_: None)
    shutil.copytree(made.path, tmp_path / "state")
    return StateDir(tmp_path / "state")


def upgraded(ordinary: list[WindowBatch], start: int = 0) -> list[WindowBatch]:
    """The same host an hour later, with another binary of nginx and a program never met."""
    table = {NGINX: UPGRADED, Program("/bin/dash", 1, 11): Program("/opt/new", 1, 77)}
    later = 3600 * 10**9
    return [
        replace(
            batch,
            programs=tuple(table[p] for p in batch.programs),
            t_start_ns=batch.t_start_ns + later,
            t_end_ns=batch.t_end_ns + later,
        )
        for batch in ordinary[start:]
    ]


def fed(newcomers: Newcomers, model: Model, batches: list[WindowBatch]) -> Model | None:
    """Feed batches until a model comes back; then wait for the training that runs."""
    for batch in batches:
        newcomers.see(batch, model.judge(batch))
        if found := newcomers.learned():
            return found
    until = time.monotonic() + 120
    while newcomers._child and time.monotonic() < until:
        if found := newcomers.learned():
            return found
        time.sleep(0.2)
    return None


def test_newcomers_become_ready_without_a_restart(
    state: StateDir, screen: Any, ordinary: list[WindowBatch]
) -> None:
    """A replaced binary and a new program are trained in a child, the others stay as they were."""
    before = load_bundle(state.baseline)
    batches = upgraded(ordinary)
    assert set(before.judge(batches[0]).level) == {"predecessor", "unknown"}
    newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say)
    after = fed(newcomers, before, batches)
    assert after is not None, screen.text
    assert newly_ready(before, after) in ("nginx, new", "new, nginx")
    assert after.standing(UPGRADED).ready
    assert after.judge(batches[-1]).ready.all()
    kept = {known.program: known for known in after.programs}
    old = {known.program: known for known in before.programs}
    assert kept[NGINX].windows == old[NGINX].windows
    # However long the watch has lasted since: it was there in the first recording only.
    assert kept[NGINX].windows_per_day == pytest.approx(old[NGINX].windows_per_day)
    assert newcomers.seen(UPGRADED) is None
    newcomers.close()
    assert len(list(state.newcomers.iterdir())) == 2


def test_children_that_cannot_be_started_are_tried_again(
    state: StateDir,
    screen: Any,
    ordinary: list[WindowBatch],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no process can be started the watch goes on, says so once, and tries later."""
    newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say)
    monkeypatch.setattr(tempfile, "tempdir", str(state.path / "none"))
    assert fed(newcomers, load_bundle(state.baseline), upgraded(ordinary)) is None
    newcomers.close()
    assert sum("shown enough while watching" in line for line in screen.lines) > 1
    assert sum("no child process could be started" in line for line in screen.lines) == 1


def test_what_alerts_and_what_is_known_is_not_learned(
    state: StateDir, screen: Any, ordinary: list[WindowBatch]
) -> None:
    """Windows of programs that are settled, or that alert, are left out."""
    model = load_bundle(state.baseline)
    newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say)
    newcomers.see(ordinary[0], model.judge(ordinary[0]))
    batch = upgraded(ordinary)[0]
    verdicts = model.judge(batch)
    alerting = replace(verdicts, alert=np.array([True, False]))
    newcomers.see(batch, alerting)
    newcomers.learned()
    newcomers.close()
    rows = [len(found) for found in read_batches(state.newcomers / "000001")]
    assert sum(rows) == 1


def test_a_restart_goes_on_with_what_was_seen(
    state: StateDir, screen: Any, ordinary: list[WindowBatch]
) -> None:
    """Half before and half after a restart is enough together."""
    model = load_bundle(state.baseline)
    batches = upgraded(ordinary)

    class Never(TrainingChild):
        def __init__(self, *_: Any) -> None:
            raise AssertionError("too early")

    first = Newcomers(state, SECTION, "1/day", METADATA, screen.say, start=Never)
    for batch in batches[:15]:
        first.see(batch, model.judge(batch))
        assert first.learned() is None
    first.close()
    second = Newcomers(state, SECTION, "1/day", METADATA, screen.say)
    second.learned()
    seen = second.seen(UPGRADED)
    assert seen is not None
    assert seen.windows == 15
    second.close()


def test_a_program_gives_no_more_than_it_takes(
    state: StateDir, screen: Any, batch: Any, row: Any
) -> None:
    """Past twenty times the windows a baseline needs no more of a program are kept."""
    model = load_bundle(state.baseline)
    section = LearningSection(duration=3600.0, min_windows=10)
    newcomers = Newcomers(state, section, "1/day", METADATA, screen.say)
    for at in range(30):
        rows = [row(pid=p, at_s=at + 1, program=UPGRADED) for p in range(2, 22)]
        windows = batch(*rows)
        newcomers.see(windows, model.judge(windows))
        newcomers.learned()
    newcomers.close()
    kept = sum(len(found) for found in read_batches(state.newcomers / "000001"))
    assert 200 <= kept < 240


def test_what_is_forgotten_is_not_learned_again(
    state: StateDir, tmp_path: Path, ordinary: list[WindowBatch]
) -> None:
    """Trained anew, a program that was to be forgotten is known by later windows only."""
    half = int(ordinary[80].t_start_ns[0])
    again = tmp_path / "again.oddcall"
    forgotten = [(NGINX, half)]
    model = train([state.learning], again, FitSettings(min_windows=20), lambda *_: None, forgotten)
    known = {k.program: k for k in model.programs}
    assert known[NGINX].windows == 80
    assert known[NGINX].first_ns >= half
    from oddcall.models.tolerance import Tolerances

    told = Tolerances(forgotten=[(NGINX, half, Span(half))])
    verdicts = replace(model, tolerances=told).judge(ordinary[-1])
    assert "unknown" not in set(verdicts.level), "what was learned since is used again"
