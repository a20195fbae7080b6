"""Promises of learning while watching: newcomers become ready, without what alerted."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddcall.models.bundle import load_bundle
from oddcall.models.model import Model
from oddcall.models.tolerance import Span, Tolerances
from oddcall.models.window import Program, WindowBatch
from oddcall.service.board.standing import by_model
from oddcall.service.config.settings import LearningSection
from oddcall.service.feedback import Feedback, Given
from oddcall.service.learning import newcomers as newcomers_module
from oddcall.service.learning.child import TrainingChild
from oddcall.service.learning.generations import generations
from oddcall.service.learning.newcomers import Newcomers, newly_ready, no_longer_ready
from oddcall.service.learning.states import States
from oddcall.service.learning.train import Forgotten, train
from oddcall.service.state import StateDir
from oddcall.training.fit import FitSettings
from oddcall.training.recording import RecordingWriter, read_batches

from ..conftest import METADATA

NGINX = Program("/usr/sbin/nginx", 1, 10, "nginx.service")
SHELL = Program("/bin/dash", 1, 11)
UPGRADED = replace(NGINX, ino=4242)
RARE = Program("/opt/rare", 1, 78)
SECTION = LearningSection(duration=20.0, min_windows=20, again=30.0)
#: Later than every window here.
NOW_NS = 4_000_000_000 * 10**9


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("learned")


@pytest.fixture
def state(learned: Path, tmp_path: Path, ordinary: list[WindowBatch]) -> StateDir:
    """A state directory with a baseline and the recording that it was learned from."""
    made = StateDir(learned / "state")
    if not made.baseline.exists():
        made.make()
        with RecordingWriter(made.learning, METADATA) as writer:
            for batch in ordinary:
                writer.append(batch)
        train([made.learning], made.baseline, FitSettings(min_windows=20), lambda *_: None)
    shutil.copytree(made.path, tmp_path / "state")
    return StateDir(tmp_path / "state")


class Here:
    """Trains at once and in this process: the same training, without starting one."""

    running = False

    def __init__(
        self,
        recordings: list[Path],
        output: Path,
        _budget: str,
        min_windows: int,
        _feedback: Path | None,
    ) -> None:
        settings = FitSettings(min_windows=min_windows)
        train(recordings, output, settings, lambda *_: None)

    def finish(self) -> None:
        """It has."""

    def stop(self) -> None:
        """It has."""


def upgraded(ordinary: list[WindowBatch], start: int = 0) -> list[WindowBatch]:
    """The same host an hour later, with another binary of nginx and a program never met."""
    table = {NGINX: UPGRADED, SHELL: Program("/opt/new", 1, 77)}
    return moved(ordinary[start:], table)


def moved(
    ordinary: list[WindowBatch], table: dict[Program, Program], hours: int = 1
) -> list[WindowBatch]:
    """Hours later, of other programs."""
    later = hours * 3600 * 10**9
    return [
        replace(
            batch,
            programs=tuple(table[p] for p in batch.programs),
            t_start_ns=batch.t_start_ns + later,
            t_end_ns=batch.t_end_ns + later,
        )
        for batch in ordinary
    ]


def fed(newcomers: Newcomers, model: Model, batches: list[WindowBatch]) -> Model | None:
    """Feed batches until a model comes back; then wait for the training that runs."""
    for batch in batches:
        newcomers.see(batch, model.judge(batch))
        if found := newcomers.learned(model):
            return found
    until = time.monotonic() + 120
    while newcomers._child and time.monotonic() < until:
        if found := newcomers.learned(model):
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


def test_what_is_forgotten_is_not_learned_again(
    state: StateDir, tmp_path: Path, ordinary: list[WindowBatch]
) -> None:
    """Trained anew, a program that was to be forgotten is known by later windows only."""
    half = int(ordinary[80].t_start_ns[0])
    again = tmp_path / "again.oddcall"
    forgotten = Forgotten([(NGINX, half)])
    model = train([state.learning], again, FitSettings(min_windows=20), lambda *_: None, forgotten)
    assert str(forgotten) == "80 windows of 1 program that was to be forgotten"
    known = {k.program: k for k in model.programs}
    assert known[NGINX].windows == 80
    assert known[NGINX].first_ns >= half
    hours = (ordinary[-1].t_end_ns.max() - half) / 3600e9
    assert known[NGINX].windows_per_day == pytest.approx(80 * 24 / hours, rel=0.01)
    told = Tolerances(forgotten=[(NGINX, half, Span(half))])
    verdicts = replace(model, tolerances=told).judge(ordinary[-1])
    assert "unknown" not in set(verdicts.level), "what was learned since is used again"


def forgotten_and_undone(state: StateDir, said_ns: int, undone_ns: int) -> Feedback:
    """What people said of nginx, which is to be undone."""
    forget = Given("saying", "forget", "alert", "episode", "nginx", "me", "", said_ns)
    line = json.dumps(replace(forget, programs=[NGINX]).as_line())
    state.feedback.write_text(line + "\n", encoding="utf-8")
    return Feedback(state.feedback, lambda: undone_ns)


@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_kept_while_forgotten_is_not_learned_once_that_is_undone(
    state: StateDir, screen: Any, ordinary: list[WindowBatch], restarted: bool
) -> None:
    """Nothing judged those windows, an attack may be among them: the baseline stays as it was."""
    model = load_bundle(state.baseline)
    known = {k.program: k.windows for k in model.programs}
    meanwhile = moved(ordinary[:40], {NGINX: NGINX, SHELL: SHELL})
    undone_ns = int(meanwhile[-1].t_end_ns.max()) + 1
    feedback = forgotten_and_undone(state, int(meanwhile[0].t_start_ns.min()), undone_ns)
    forgetting = replace(model, tolerances=feedback.tolerances())
    newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say, start=Here)
    newcomers.learned(forgetting)
    for batch in meanwhile:
        newcomers.see(batch, forgetting.judge(batch))
    newcomers._shown = {seen.program: seen for seen in newcomers._evidence.programs()}
    kept = newcomers.seen(NGINX)
    assert kept is not None, "while it is forgotten, it is learned anew"
    assert kept.windows == 40
    feedback.undo("saying", who="me")
    if restarted:
        newcomers.close()
    else:
        newcomers._write_part()
    again = replace(model, tolerances=feedback.tolerances())
    if restarted:
        newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say)
    else:
        newcomers._start = TrainingChild
    newcomers.learned(again)
    late = meanwhile[-1]
    newcomers.see(late, forgetting.judge(late))
    newcomers.learned(again)
    assert newcomers.seen(NGINX) is None
    # Another program brings a training about, on every recording there is.
    trained = fed(newcomers, again, moved(ordinary, {NGINX: RARE, SHELL: SHELL}, 2))
    newcomers.close()
    assert trained is not None
    found = {k.program: k.windows for k in trained.programs}
    assert found[RARE] >= SECTION.min_windows
    assert found[NGINX] == known[NGINX]


@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_learned_anew_judges_no_more_once_the_forgetting_is_undone(
    state: StateDir, screen: Any, ordinary: list[WindowBatch], restarted: bool
) -> None:
    """Undone, it was never said: what came of it is dropped at once, and what was known is back."""
    known = {k.program: k for k in load_bundle(state.baseline).programs}
    meanwhile = moved(ordinary, {NGINX: NGINX, SHELL: SHELL})
    undone_ns = int(meanwhile[-1].t_end_ns.max()) + 1
    feedback = forgotten_and_undone(state, int(meanwhile[0].t_start_ns.min()), undone_ns)
    model = replace(load_bundle(state.baseline), tolerances=feedback.tolerances())
    newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say)
    anew = fed(newcomers, model, meanwhile)
    assert anew is not None, screen.text
    assert newly_ready(model, anew) == "nginx"
    anew = replace(anew, tolerances=feedback.tolerances())
    late = moved(ordinary[:40], {NGINX: NGINX, SHELL: SHELL}, 2)
    assert anew.judge(late[0]).ready.all(), "learned anew, it is judged"

    feedback.undo("saying", who="me")
    if restarted:
        newcomers.close()
        anew = load_bundle(state.baseline)
        newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say)
    anew = replace(anew, tolerances=feedback.tolerances())
    of_nginx = np.array([late[0].programs[n] == NGINX for n in late[0].program.tolist()])
    verdicts = anew.judge(late[0])
    assert not verdicts.ready[of_nginx].any(), "what was learned of an attack excuses none"
    assert verdicts.ready[~of_nginx].all()
    standing = by_model(anew)(NGINX)
    assert (standing.state, standing.level) == ("learning", "unknown")
    assert "learned again" in standing.why
    before = replace(anew, tolerances=Tolerances())
    assert before.judge(meanwhile[-1]).ready.all()

    # No newcomer is needed, and nothing is kept meanwhile of whom nothing judges.
    newcomers.learned(anew)
    back = fed(newcomers, anew, late)
    assert back is not None, screen.text
    assert newly_ready(anew, back) == "nginx"
    newcomers.close()
    assert "learning nginx again, as before it was forgotten" in screen.text
    again = {k.program: k for k in back.programs}
    assert again[NGINX].windows == known[NGINX].windows
    assert again[NGINX].first_ns == known[NGINX].first_ns
    assert replace(back, tolerances=feedback.tolerances()).judge(late[0]).ready.all()
    kept = [g for g in generations(state.newcomers) if any(g.glob("part-*"))]
    assert all(int(b.t_start_ns.max()) < undone_ns for g in kept for b in read_batches(g))


@pytest.mark.parametrize("restarted", [False, True])
def test_a_program_that_was_quiet_while_forgotten_is_back_once_that_is_undone(
    state: StateDir, screen: Any, ordinary: list[WindowBatch], restarted: bool
) -> None:
    """Another newcomer brought a model without it about: what was known before is learned again."""
    known = {k.program: k for k in load_bundle(state.baseline).programs}
    meanwhile = moved(ordinary, {NGINX: RARE, SHELL: SHELL})
    undone_ns = int(meanwhile[-1].t_end_ns.max()) + 1
    feedback = forgotten_and_undone(state, int(meanwhile[0].t_start_ns.min()), undone_ns)
    model = replace(load_bundle(state.baseline), tolerances=feedback.tolerances())
    newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say)
    without = fed(newcomers, model, meanwhile)
    assert without is not None, screen.text
    assert NGINX not in {k.program for k in without.programs}
    without = replace(without, tolerances=feedback.tolerances())
    newcomers.learned(without)

    feedback.undo("saying", who="me")
    if restarted:
        newcomers.close()
        without = load_bundle(state.baseline)
        newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say)
    without = replace(without, tolerances=feedback.tolerances())
    assert by_model(without)(NGINX).state == "learning"
    assert by_model(without)(RARE).state == "ready"
    late = moved(ordinary[:40], {NGINX: NGINX, SHELL: SHELL}, 2)
    newcomers.learned(without)
    back = fed(newcomers, without, late)
    newcomers.close()
    assert back is not None, screen.text
    assert newly_ready(without, back) == "nginx"
    assert {k.program: k.windows for k in back.programs}[NGINX] == known[NGINX].windows
    back = replace(back, tolerances=feedback.tolerances())
    assert back.judge(late[0]).ready.all()
    assert not back.restored, "it is learned again once"


def test_what_is_forgotten_again_is_not_waited_for(
    state: StateDir, screen: Any, ordinary: list[WindowBatch]
) -> None:
    """Undone and said again while what was known is being learned: that training ends, unused."""

    class Running:
        running, ended = True, 0

        def __init__(self, *_: Any) -> None:
            begun.append(self)

        def stop(self) -> None:
            self.ended += 1

    begun: list[Running] = []
    feedback = forgotten_and_undone(state, NOW_NS, NOW_NS + 1)
    feedback.undo("saying", who="me")
    learned = load_bundle(state.baseline)
    programs = tuple(replace(k, forgotten_ns=NOW_NS) for k in learned.programs)
    undone = replace(learned, programs=programs, tolerances=feedback.tolerances())
    newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say, start=Running)
    newcomers.see(ordinary[0], learned.judge(ordinary[0]))
    newcomers.learned(undone)
    assert len(begun) == 1
    # Of others more was said meanwhile.
    newcomers.learned(replace(undone))
    assert not begun[0].ended
    more = Given("again", "forget", "alert", "episode", "nginx", "me", "", NOW_NS + 2)
    with state.feedback.open("a", encoding="utf-8") as file:
        file.write(json.dumps(replace(more, programs=[NGINX]).as_line()) + "\n")
    asked = feedback.tolerances()
    newcomers.learned(replace(undone, tolerances=asked))
    assert begun[0].ended == 1
    standing = by_model(replace(undone, tolerances=asked), lambda: NOW_NS + 3)
    assert standing(NGINX).state == "forgotten"
    newcomers.learned(replace(undone, tolerances=asked))
    assert len(begun) == 1, "nothing is left to learn"
    (late,) = moved(ordinary[:1], {NGINX: NGINX, SHELL: SHELL}, 800_000)
    assert int(late.t_start_ns.min()) > NOW_NS + 2
    again = replace(undone, tolerances=asked)
    newcomers.see(late, again.judge(late))
    newcomers.learned(again)
    assert newcomers.seen(NGINX) is not None, "it is learned anew at once"
    Feedback(state.feedback, lambda: NOW_NS + 3).undo("again", who="me")
    newcomers.learned(replace(undone, tolerances=feedback.tolerances()))
    assert len(begun) == 2, "undone once more, it is learned at once"
    newcomers.close()


def test_where_nothing_can_be_learned_again_what_nothing_judges_is_named(
    state: StateDir, screen: Any, ordinary: list[WindowBatch]
) -> None:
    """It is judged by nothing until the host is learned anew, and is a newcomer meanwhile."""
    feedback = forgotten_and_undone(state, NOW_NS, NOW_NS + 1)
    feedback.undo("saying", who="me")
    learned = load_bundle(state.baseline)
    programs = tuple(replace(k, forgotten_ns=NOW_NS) for k in learned.programs)
    model = replace(learned, programs=programs, tolerances=feedback.tolerances())
    assert set(model.restored) == {NGINX}
    assert "--relearn" in by_model(model)(NGINX).why
    shutil.rmtree(state.learning)
    newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say)
    again = moved(ordinary, {NGINX: NGINX, SHELL: SHELL}, 2)
    verdicts = model.judge(again[0])
    unjudged = replace(verdicts, ready=np.zeros(2, np.bool_))
    newcomers.see(again[0], unjudged)
    newcomers.learned(model)
    assert "until --relearn nothing judges nginx (--relearn learns" in screen.text
    newcomers.see(again[1], unjudged)
    newcomers.learned(model)
    seen = newcomers.seen(NGINX)
    assert seen is not None
    assert seen.windows == 2
    newcomers.close()


def test_a_binary_first_met_while_another_was_forgotten_is_learned(
    state: StateDir, tmp_path: Path, ordinary: list[WindowBatch]
) -> None:
    """It was kept for being new, which nobody took back; nor is another recording touched."""
    new = upgraded(ordinary)
    span = Span(int(new[0].t_start_ns.min()), int(new[-1].t_end_ns.max()) + 1)
    said = Tolerances(forgotten=[(NGINX, span.since_ns, span)])
    back = moved(ordinary, {NGINX: NGINX, SHELL: SHELL})
    first = Forgotten([], said, state.newcomers)
    for batch in ordinary:
        first.leave_out(batch, state.learning)
    recording = state.newcomers / "000001"
    assert sum(len(first.leave_out(b, recording)) for b in new) == sum(map(len, new))
    others = [b.programs[n] for b in back for n in first.leave_out(b, recording).program.tolist()]
    assert others
    assert NGINX not in others
    assert sum(len(first.leave_out(b, tmp_path)) for b in back) == sum(map(len, back))


def test_undoing_leaves_a_binary_alone_that_was_learned_for_being_new(
    state: StateDir, ordinary: list[WindowBatch]
) -> None:
    """It would have been learned as well if nobody had asked to forget the one before it."""
    new = upgraded(ordinary)
    back = moved(ordinary, {NGINX: NGINX, SHELL: SHELL})
    since_ns = int(new[0].t_start_ns.min())
    told = [(NGINX, since_ns)]
    held = Tolerances(forgotten=[(*told[0], Span(since_ns))])
    learned = load_bundle(state.baseline)
    both = tuple(replace(k, program=p) for k in learned.programs for p in (NGINX, UPGRADED))
    for batches, marked in ((new, {0}), (back, {0, since_ns})):
        forgotten = Forgotten(told, held, state.newcomers)
        for batch in ordinary:
            forgotten.leave_out(batch, state.learning)
        for batch in batches:
            forgotten.leave_out(batch, state.newcomers / "000001")
        found = forgotten.marked(replace(learned, programs=both)).programs
        assert {k.forgotten_ns for k in found} == marked
        assert {k.forgotten_ns for k in found if k.program == UPGRADED} == {0}


def test_undoing_gives_a_baseline_up_that_only_the_forgetting_brought(
    state: StateDir, ordinary: list[WindowBatch]
) -> None:
    """Else no newcomer were ever learned again: each later model lacks it."""
    before = load_bundle(state.baseline)
    after = replace(before, programs=tuple(k for k in before.programs if k.program != NGINX))
    assert "nginx" in no_longer_ready(before, after)
    start = int(ordinary[0].t_start_ns.min())
    told = Tolerances(forgotten=[(NGINX, start - 1, Span(start - 1, start + 1))])
    assert no_longer_ready(replace(before, tolerances=told), after) == ""
