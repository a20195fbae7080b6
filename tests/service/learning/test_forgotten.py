"""Promises of what was forgotten: it is learned anew, and comes back where that is undone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddcall.models.bundle import load_bundle
from oddcall.models.model import Model
from oddcall.models.tolerance import Span, Tolerances
from oddcall.models.window import WindowBatch
from oddcall.service.board.standing import by_model
from oddcall.service.feedback import Feedback
from oddcall.service.given import Given
from oddcall.service.learning.child import TrainingChild
from oddcall.service.learning.generations import generations
from oddcall.service.learning.newcomers import Newcomers, newly_ready, no_longer_ready
from oddcall.service.learning.train import Forgotten, train
from oddcall.service.state import StateDir
from oddcall.training.fit import FitSettings
from oddcall.training.recording import read_batches

from ..conftest import METADATA
from .conftest import NGINX, NOW_NS, RARE, SECTION, SHELL, UPGRADED, Here, fed, moved, upgraded


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


def trained_meanwhile(
    state: StateDir, screen: Any, meanwhile: list[WindowBatch], undone_ns: int
) -> tuple[Newcomers, Feedback, Model, Model]:
    """Forget nginx, and train from what comes then; gives also the model before and after."""
    feedback = forgotten_and_undone(state, int(meanwhile[0].t_start_ns.min()), undone_ns)
    model = replace(load_bundle(state.baseline), tolerances=feedback.tolerances())
    newcomers = Newcomers(state, SECTION, "1/day", METADATA, screen.say)
    trained = fed(newcomers, model, meanwhile)
    assert trained is not None, screen.text
    return newcomers, feedback, model, trained


@pytest.mark.parametrize("restarted", [False, True])
def test_what_was_learned_anew_judges_no_more_once_the_forgetting_is_undone(
    state: StateDir, screen: Any, ordinary: list[WindowBatch], restarted: bool
) -> None:
    """Undone, it was never said: what came of it is dropped at once, and what was known is back."""
    known = {k.program: k for k in load_bundle(state.baseline).programs}
    meanwhile = moved(ordinary, {NGINX: NGINX, SHELL: SHELL})
    undone_ns = int(meanwhile[-1].t_end_ns.max()) + 1
    newcomers, feedback, model, anew = trained_meanwhile(state, screen, meanwhile, undone_ns)
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
    newcomers, feedback, _, without = trained_meanwhile(state, screen, meanwhile, undone_ns)
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
