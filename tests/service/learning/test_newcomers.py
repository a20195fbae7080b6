"""Promises of learning while watching: newcomers become ready, without what alerted."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from oddcall.models.bundle import load_bundle
from oddcall.models.tolerance import Span, Tolerances
from oddcall.models.window import Program, WindowBatch
from oddcall.service.config.settings import LearningSection
from oddcall.service.learning import newcomers as newcomers_module
from oddcall.service.learning.child import TrainingChild
from oddcall.service.learning.generations import generations
from oddcall.service.learning.newcomers import Newcomers, newly_ready, no_longer_ready
from oddcall.service.learning.states import States
from oddcall.service.learning.train import train
from oddcall.service.state import StateDir
from oddcall.training.fit import FitSettings
from oddcall.training.recording import RecordingWriter, read_batches

from ..conftest import METADATA
from .conftest import NGINX, NOW_NS, RARE, SECTION, SHELL, UPGRADED, Here, fed, moved, upgraded


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
    assert len(generations(state.newcomers)) == 2
    assert load_bundle(state.baseline).id == after.id


def test_a_lost_recording_loses_no_baseline(
    state: StateDir, screen: Any, ordinary: list[WindowBatch]
) -> None:
    """Without what the baseline was learned from nothing is trained, and that is said once."""
    shutil.rmtree(state.learning)
    before, kept = load_bundle(state.baseline), state.baseline.read_bytes()
    newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say, start=Here)
    assert fed(newcomers, before, upgraded(ordinary)) is None
    newcomers.close()
    assert state.baseline.read_bytes() == kept
    assert screen.text.count("newcomers are not learned") == 1
    assert "the recording that the baseline was learned from is gone (--relearn" in screen.text


def test_a_model_that_knows_less_is_not_taken_over(
    state: StateDir, screen: Any, ordinary: list[WindowBatch]
) -> None:
    """Part of the recording is gone: the baseline stays. What a person forgot may go."""
    shutil.rmtree(state.learning)
    with RecordingWriter(state.learning, METADATA) as writer:
        for batch in ordinary:
            shell = [p.exe == "/bin/dash" for p in batch.programs]
            writer.append(batch.take(np.array(shell)[batch.program]))
    before, kept = load_bundle(state.baseline), state.baseline.read_bytes()
    newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say, start=Here)
    assert fed(newcomers, before, upgraded(ordinary)) is None
    newcomers.close()
    assert state.baseline.read_bytes() == kept
    assert "what was learned is not used: it could not judge nginx any more" in screen.text
    refused = load_bundle(state.newcomers / "trained.oddcall")
    (learned_ns,) = (known.first_ns for known in before.programs if known.program == NGINX)
    for forgotten_ns, said in ((0, "nginx"), (learned_ns, "nginx"), (learned_ns + 1, "")):
        told = Tolerances(forgotten=[(NGINX, forgotten_ns, Span(1))])
        assert no_longer_ready(replace(before, tolerances=told), refused) == said


def test_what_was_learned_stays_learned(
    state: StateDir,
    screen: Any,
    ordinary: list[WindowBatch],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of old recordings the windows of ready programs stay; who else is in them is said."""
    monkeypatch.setattr(newcomers_module, "_KEPT", 2)
    model = load_bundle(state.baseline)
    news = [Program(f"/opt/new{i}", 1, 70 + i) for i in range(1, 5)]
    rare = Program("/opt/rare", 1, 99)
    for hour, new in enumerate(news, 1):
        table = {NGINX: new, SHELL: NGINX if hour > 1 else rare}
        newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say, start=Here)
        batches = [
            batch if at < 10 else batch.take(batch.pid != 300)
            for at, batch in enumerate(moved(ordinary, table, hour))
        ]
        after = fed(newcomers, model, batches)
        assert after is not None, screen.text
        model = after
        until = time.monotonic() + 120
        while newcomers._thinning and time.monotonic() < until:
            assert newcomers.learned(model) is None
            time.sleep(0.1)
        newcomers.close()
    ready = {known.program for known in model.programs if known.readiness == "ready"}
    assert ready >= {*news, NGINX}
    assert rare not in {known.program for known in model.programs}
    found = generations(state.newcomers)
    assert [f.name for f in found] == [
        "000001-ready",
        "000002-ready",
        "000003-ready",
        "000004",
        "000005",
    ]
    assert screen.text.count("rare, which did not become ready") == 1


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
    newcomers.learned(model)
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
        assert first.learned(model) is None
    first.close()
    second = Newcomers(state, SECTION, "1/day", METADATA, screen.say)
    second.learned(model)
    seen = second.seen(UPGRADED)
    assert seen is not None
    assert seen.windows == 15
    second.close()


def test_what_was_learned_from_before_counts(
    state: StateDir, screen: Any, ordinary: list[WindowBatch]
) -> None:
    """Windows of the first lesson and those since are one count, as they are in training."""
    section = SECTION.model_copy(update={"duration": 5.0})
    shutil.rmtree(state.learning)
    lesson = [*moved(ordinary[:12], {NGINX: NGINX, SHELL: RARE}, hours=0), *ordinary[12:]]
    with RecordingWriter(state.learning, METADATA) as writer:
        for batch in lesson:
            writer.append(batch)
    train([state.learning], state.baseline, FitSettings(min_windows=20), lambda *_: None)
    model = load_bundle(state.baseline)
    assert {k.program: (k.readiness, k.windows) for k in model.programs}[RARE] == ("collecting", 12)
    newcomers = Newcomers(state, section, "1/day", METADATA, screen.say, start=Here)
    states = States(
        state.programs,
        lambda: model,
        newcomers.seen,
        3600.0,
        20,
        screen.say,
        lambda program: program,
    )
    batches = moved(ordinary, {NGINX: NGINX, SHELL: RARE})
    newcomers.see(batches[0], model.judge(batches[0]))
    assert newcomers.learned(model) is None
    standing = states.standing(RARE)
    assert (standing.state, standing.windows) == ("collecting", 13)
    assert standing.why == (
        "13 of the 20 windows that a baseline needs. "
        "It cannot alert: the host has too few other programs to judge it by."
    )
    asked = Tolerances(forgotten=[(RARE, NOW_NS, Span(NOW_NS))])
    assert newcomers.learned(replace(model, tolerances=asked)) is None
    seen = newcomers.seen(RARE)
    assert seen is not None
    assert seen.in_all == 1, "what is to be forgotten is not counted"
    after = fed(newcomers, model, batches[1:])
    assert after is not None, screen.text
    again = {known.program: known.windows for known in after.programs}[RARE]
    assert 20 <= again < 32, "trained as soon as there are enough in all"
    newcomers.close()


def test_a_clock_that_is_set_back_leaves_nothing_unwritten(
    state: StateDir, screen: Any, ordinary: list[WindowBatch]
) -> None:
    """What was gathered at a time that lies ahead is written with what comes next."""
    model = load_bundle(state.baseline)
    newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say)
    table = dict.fromkeys(ordinary[0].programs, UPGRADED)
    (ahead,), (now,) = (moved(ordinary[:1], table, hours=hours) for hours in (6, 0))
    newcomers.see(ahead, model.judge(ahead))
    assert newcomers._gathered
    newcomers.see(now, model.judge(now))
    assert not newcomers._gathered
    newcomers.close()


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
        newcomers.learned(model)
    newcomers.close()
    kept = sum(len(found) for found in read_batches(state.newcomers / "000001"))
    assert 200 <= kept < 240
