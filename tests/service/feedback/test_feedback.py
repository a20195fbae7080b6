"""Promises of feedback: said in one command, taken up at once, taken back exactly."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from oddcall.models.errors import SettingError
from oddcall.models.features import FeatureSpec
from oddcall.models.model import Model
from oddcall.models.tolerance import NEVER, Behaviour, Span, Tolerances
from oddcall.service.answers import in_words
from oddcall.service.feedback import MOST_TOLERATED, Feedback
from oddcall.service.history import History, Kept
from oddcall.service.state import StateDir
from oddcall.training.synthetic import WEB, attacks

from .conftest import DAY, EPISODE, NOW, Clock, said


def test_what_was_said_is_kept_with_who_when_and_why(
    state: StateDir, clock: Clock, kept: Kept
) -> None:
    """Provenance is whole, and what is tolerated outlives the history it came from."""
    given = said(state, clock, "tolerate", kept, note="backup", expires_s=86400.0)
    state.history.unlink()
    (again,) = Feedback(state.feedback, clock).given()
    assert again.as_dict() == given.as_dict()
    assert (again.who, again.note, again.alert, again.episode) == (
        "ann",
        "backup",
        EPISODE,
        EPISODE,
    )
    told = Feedback(state.feedback, clock).tolerances()
    ((behaviour, span),) = told.tolerated
    assert behaviour.program == WEB.program
    assert behaviour.novel.tolist() == [41, 42]
    assert span == Span(NOW, NOW + DAY)


def test_undo_takes_back_the_newest_that_holds(state: StateDir, clock: Clock, kept: Kept) -> None:
    """One thing at a time, the last first; from then on it holds no more, before it did."""
    feedback = Feedback(state.feedback, clock)
    said(state, clock, "tolerate", kept)
    clock.now += 1000
    said(state, clock, "forget", kept)
    clock.now += 1000
    assert feedback.undo("3f2a", who="bob").verb == "forget"
    assert [g.verb for g in feedback.of(EPISODE)] == ["tolerate"]
    clock.now += 1000
    assert feedback.undo(EPISODE, who="bob").verb == "tolerate"
    assert feedback.of(EPISODE) == []
    with pytest.raises(SettingError, match="nothing to undo"):
        feedback.undo("3f2a", who="bob")
    told = feedback.tolerances()
    assert told.tolerated[0][1] == Span(NOW, NOW + 3000)
    assert told.forgotten == ((WEB.program, NOW + 1000, Span(NOW + 1000, NOW + 2000)),)
    now = feedback.tolerances(now=True)
    assert now.tolerated == ()
    assert [span for _, _, span in now.forgotten] == [NEVER]
    assert in_words(now) == in_words(Tolerances()), "it is told of no more"


def test_what_was_learned_anew_judges_no_more_by_what_is_said_now(
    trained: Model, state: StateDir, clock: Clock, kept: Kept
) -> None:
    """Judged by what is in force now, a window is not judged by what an undone saying brought."""
    said(state, clock, "forget", kept)
    programs = tuple(replace(k, forgotten_ns=NOW) for k in trained.programs)
    clock.now += 1000
    feedback = Feedback(state.feedback, clock)
    feedback.undo("3f2a", who="bob")
    model = replace(trained, programs=programs, tolerances=feedback.tolerances(now=True))
    assert [p.place for p in model.restored] == [WEB.program.place]
    (*_, span) = model.forgetting(WEB.program)
    assert span.holds(np.array([0, NOW])).all()


def test_what_expired_holds_no_more(state: StateDir, clock: Clock, kept: Kept) -> None:
    """After its time a tolerance is listed, and is not in force."""
    said(state, clock, "tolerate", kept, expires_s=10.0)
    feedback = Feedback(state.feedback, clock)
    assert feedback.of(EPISODE)
    assert feedback.tolerances(now=True).tolerated[0][1] == Span(0)
    clock.now += 10_000_000_000
    assert feedback.of(EPISODE) == []
    assert feedback.tolerances(now=True).tolerated == ()
    assert len(feedback.given()) == 1


def test_seen_changes_nothing_that_judges(state: StateDir, clock: Clock, kept: Kept) -> None:
    """ack is noted, and needs nothing of what the program did."""
    said(state, clock, "ack", kept)
    feedback = Feedback(state.feedback, clock)
    assert [g.verb for g in feedback.of(EPISODE)] == ["ack"]
    told = feedback.tolerances()
    assert (told.tolerated, told.forgotten) == ((), ())


def test_a_change_is_noticed_once(state: StateDir, clock: Clock, kept: Kept) -> None:
    """A watch that looks every tick reads the file when somebody said something, and only then."""
    feedback = Feedback(state.feedback, clock)
    assert not feedback.changed()
    said(state, clock, "ack", kept)
    assert feedback.changed()
    assert not feedback.changed()
    other = state.feedback.with_name("other")
    other.write_bytes(state.feedback.read_bytes())
    other.replace(state.feedback)
    assert feedback.changed()


def test_a_line_cut_short_spoils_no_other(state: StateDir, clock: Clock, kept: Kept) -> None:
    """After a power cut what was whole holds, and the next saying is whole."""
    said(state, clock, "ack", kept)
    whole = state.feedback.read_bytes()
    state.feedback.write_bytes(whole + whole[: len(whole) // 2])
    said(state, clock, "tolerate", kept)
    assert [g.verb for g in Feedback(state.feedback, clock).given()] == ["ack", "tolerate"]


@pytest.mark.parametrize(
    "line",
    ["[]", "7", '{"verb":"tolerate"}', '{"verb":"undo","undoes":"x"}', "[" * 100_000],
    ids=range(5),
)
def test_lines_of_something_else_are_left_out(state: StateDir, line: str) -> None:
    """JSON that is no saying says nothing."""
    state.feedback.write_text(line + "\n")
    assert Feedback(state.feedback).given() == []


def test_there_is_a_bound(state: StateDir, clock: Clock, kept: Kept) -> None:
    """So many behaviours are tolerated at once, and the next is refused with what to do."""
    given = said(state, clock, "tolerate", kept)
    lines = [{**given.as_line(), "id": i, "episode": i} for i in map(str, range(MOST_TOLERATED))]
    state.feedback.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(SettingError, match="too much is tolerated"):
        said(state, clock, "tolerate", kept)


def test_what_is_tolerated_already_is_not_added(state: StateDir, clock: Clock, kept: Kept) -> None:
    """The same twice is one saying, and one `undo` takes it back; for longer it is another."""
    first = said(state, clock, "tolerate", kept, expires_s=60.0)
    clock.now += DAY // 86400
    assert said(state, clock, "tolerate", kept, expires_s=30.0).id == first.id
    longer = said(state, clock, "tolerate", kept, expires_s=90.0)
    assert longer.id != first.id
    ever = said(state, clock, "tolerate", kept)
    assert ever.id not in {first.id, longer.id}
    assert said(state, clock, "tolerate", kept).id == ever.id
    answers = Feedback(state.feedback, clock)
    assert len(answers.given()) == 3
    history = History(state.history, print)
    vectors = FeatureSpec().vectors(attacks(1, 0)["scan"][0])
    history.behaved(EPISODE, [Behaviour.of(WEB.program, np.array([41, 42, 43]), vectors)])
    history.close()
    more = said(state, clock, "tolerate", kept)
    assert more.id != ever.id, "the alert went on, with more"
    for expected in (more, ever, longer, first):
        assert answers.undo("3f2a", who="ann").id == expected.id
    assert said(state, clock, "tolerate", kept).id not in {first.id, longer.id, ever.id, more.id}


def test_what_was_seen_already_is_not_added(state: StateDir, clock: Clock, kept: Kept) -> None:
    """Seen twice is seen once; after it was taken back it can be said again."""
    first = said(state, clock, "ack", kept)
    clock.now += 1000
    assert said(state, clock, "ack", kept, note="again").id == first.id
    answers = Feedback(state.feedback, clock)
    assert len(answers.given()) == 1
    answers.undo("3f2a", who="ann")
    clock.now += 1000
    assert said(state, clock, "ack", kept).id != first.id


def test_of_several_at_once_one_is_said(
    state: StateDir, clock: Clock, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking and writing are one step: however many say it at once, one line and one undo."""
    looked = Feedback._acknowledged

    def slowly(self: Feedback, episode_id: str) -> Any:
        found = looked(self, episode_id)
        time.sleep(0.02)
        return found

    monkeypatch.setattr(Feedback, "_acknowledged", slowly)

    def acknowledge(_: int) -> bool:
        history = History.reading(state.history)
        try:
            return Feedback(state.feedback, clock).answer("ack", kept, history, who="ann")[1]
        finally:
            history.close()

    with ThreadPoolExecutor(6) as pool:
        before = [*pool.map(acknowledge, range(6))]
    assert sorted(before) == [False, *[True] * 5]
    assert len(state.feedback.read_text().splitlines()) == 1
    Feedback(state.feedback, clock).undo("3f2a", who="ann")
    assert Feedback(state.feedback, clock).of(EPISODE) == []


def test_a_program_is_forgotten_once_until_it_is_learned_anew(
    state: StateDir, clock: Clock, kept: Kept
) -> None:
    """By whichever alert it is said, one saying drops a baseline; a new baseline can go too."""
    history = History(state.history, print)
    other = f"beef{EPISODE[4:]}"
    history.add({**kept.alert, "id": other, "episode_id": other})
    (behaviour,) = history.behaviours(EPISODE)
    history.behaved(other, [behaviour])
    history.close()
    first = said(state, clock, "forget", kept)
    clock.now += 1000
    reader = History.reading(state.history)
    by_other = reader.find("beef")
    reader.close()
    assert said(state, clock, "forget", kept).id == first.id
    assert said(state, clock, "forget", by_other).id == first.id
    learned = {"begun_ns": lambda program: NOW + 500 if program == WEB.program else 0}
    anew = said(state, clock, "forget", by_other, **learned)
    assert anew.id != first.id
    assert said(state, clock, "forget", kept, **learned).id == anew.id
    assert len(Feedback(state.feedback, clock).given()) == 2
