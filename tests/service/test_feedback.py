"""Promises of feedback: said in one command, taken up at once, taken back exactly."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddcall.models.errors import SettingError
from oddcall.models.features import FeatureSpec
from oddcall.models.tolerance import Behaviour, Span
from oddcall.service import feedback
from oddcall.service.alerts.tolerated import told
from oddcall.service.cli import run
from oddcall.service.commands import train as train_verb
from oddcall.service.feedback import MOST_TOLERATED, Feedback
from oddcall.service.history import History, Kept
from oddcall.service.state import StateDir
from oddcall.training.recording import read_batches
from oddcall.training.synthetic import WEB, attacks

NOW = 1_700_000_000_000_000_000
UNSAID = "also, not said above:"
DAY = 86_400_000_000_000
EPISODE = "3f2a9c1b-0000-5000-8000-000000000000"


class Clock:
    """A clock that a test moves."""

    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def showing(call: str) -> dict[str, Any]:
    """Give the part of an alert that says what was odd."""
    told = {
        "sentence": f"web made 9 {call} calls.",
        "top": [{"feature": call, "contribution": 1.0}],
        "onset": "2023-11-14T22:13:19.000000Z",
    }
    return {"explanation": told, "attack_hints": []}


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    """A state directory whose history holds one answerable alert."""
    state = StateDir(tmp_path / "state")
    history = History(state.history, print)
    alert = {
        "id": EPISODE,
        "episode_id": EPISODE,
        "state": "open",
        "time": "2023-11-14T22:13:20.000000Z",
        "severity": "high",
        "program": {"exe": WEB.program.exe, "comm": "web", "unit": None, "container": None},
        "process": {"pid": 100},
        "score": {"p_value": 1e-9},
        **showing("connect"),
    }
    history.add(alert)
    vectors = FeatureSpec().vectors(attacks(1, 0)["scan"][0])
    history.behaved(EPISODE, [Behaviour.of(WEB.program, np.array([41, 42]), vectors)])
    history.close()
    return state


@pytest.fixture
def kept(state: StateDir) -> Kept:
    history = History.reading(state.history)
    found = history.find("3f2a")
    history.close()
    return found


def said(state: StateDir, clock: Clock, verb: str, kept: Kept, **more: Any) -> Any:
    history = History.reading(state.history)
    try:
        told, _ = Feedback(state.feedback, clock).answer(verb, kept, history, who="ann", **more)
        return told
    finally:
        history.close()


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
    assert (now.tolerated, now.forgotten) == ((), ())


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


def test_the_verbs_say_what_was_said_before(
    state: StateDir, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said again, each tells who said it when, and leaves the file as it was."""
    at = ["--state-dir", str(state.path)]
    told = {"ack": "noted as seen already", "forget": "is dropped already, and not learned anew"}
    for verb, words in told.items():
        assert run(["feedback", verb, "3f2a", *at]) == 0
        assert "already" not in capsys.readouterr().out
        before = state.feedback.read_bytes()
        assert run(["feedback", verb, "3f2a", "--note", "again", *at]) == 0
        out = capsys.readouterr().out
        assert words in out
        assert "; nothing was added, nor the note\n" in out
        assert run(["feedback", verb, "3f2a", "--json", *at]) == 0
        assert json.loads(capsys.readouterr().out)["said_before"] is True
        assert state.feedback.read_bytes() == before
    row = {**asdict(WEB.program), "learned": {"start": "2999-01-01T00:00:00+00:00"}}
    state.programs.write_text(json.dumps({"programs": [row]}))
    assert run(["feedback", "forget", "3f2a", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out)["said_before"] is False, "learned anew since"


def test_a_directory_of_no_watch_is_told(
    state: StateDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped directory is not one where nothing was said; in a watch's own that is said."""
    at = ["--state-dir", str(tmp_path / "mistyped")]
    for words in (["list"], ["list", "--json"], ["list", "--alerts"], ["undo", "3f2a"]):
        assert run(["feedback", *words, *at]) == 2
        told = capsys.readouterr()
        assert f"no alert is known in {tmp_path / 'mistyped'}" in " ".join(told.err.split())
        assert not told.out
    assert not (tmp_path / "mistyped").exists()
    there = ["--state-dir", str(state.path)]
    assert run(["feedback", "list", *there]) == 0
    assert f"`oddcall feedback list --alerts --state-dir {state.path}`" in capsys.readouterr().out


def test_advice_names_the_place_that_was_named(
    state: StateDir, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to be typed finds the same directory: by its flag, or by none where none was."""
    there = state.path.rename(state.path.with_name("my state"))
    assert run(["feedback", "ack", "3f2a", "--state-dir", str(there)]) == 0
    out = capsys.readouterr().out
    assert f"`oddcall feedback undo 3f2a9c1b --state-dir '{there}'` takes it back" in out
    monkeypatch.setenv("ODDCALL_STATE_DIR", str(there))
    assert run(["feedback", "tolerate", "3f2a"]) == 0
    assert "`oddcall feedback undo 3f2a9c1b` takes it back" in capsys.readouterr().out
    assert run(["feedback", "tolerate", "3f2a"]) == 0
    told = capsys.readouterr().out
    assert "alert 3f2a9c1b: tolerated already, by " in told
    assert "; nothing was added\n" in told


def test_the_verbs(state: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb says what it did and how to take it back; the lists show it."""
    at = ["--state-dir", str(state.path)]
    history = History(state.history, print)
    opened = history.find("3f2a").alert
    for number, call in enumerate(("connect", "rename"), 1):
        later = {"id": f"{number}{EPISODE[1:]}", "state": "update", **showing(call)}
        later["score"] = {"p_value": 1e-9 / number}
        history.add({**opened, **later})
    history.close()
    assert run(["feedback", "tolerate", "3f2a", "--note", "backup", "--expires", "30d", *at]) == 0
    out = capsys.readouterr().out
    assert "alert 3f2a9c1b: what python3.11 did is normal for it until " in out
    shown = (
        "web made 9 connect calls.",
        "web made 9 rename calls.",
        "also, not said above: socket",
    )
    assert "\n  " + "\n  ".join(shown) + "\n" in out, "all that it is about"
    assert f"`oddcall feedback undo 3f2a9c1b --state-dir {state.path}` takes it back" in out
    assert run(["feedback", "list", *at]) == 0
    out = capsys.readouterr().out
    assert "3f2a9c1b  tolerate  python3.11                until " in out
    assert ": backup" in out
    assert run(["feedback", "list", "--alerts", *at]) == 0
    out = capsys.readouterr().out
    assert "high      python3.11" in out
    assert "          web made 9 rename calls.\n" in out, "of the oddest window"
    assert run(["feedback", "list", "--json", *at]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["feedback"]
    assert listed["in_force"]
    assert listed["windows"] == 1
    assert run(["feedback", "undo", "last", *at]) == 0
    assert capsys.readouterr().out.startswith("taken back: tolerate of alert 3f2a9c1b")
    assert run(["feedback", "forget", "last", "--json", *at]) == 0
    assert json.loads(capsys.readouterr().out)["programs"][0]["exe"] == WEB.program.exe
    assert run(["feedback", "ack", "beef", *at]) == 2
    err = " ".join(capsys.readouterr().err.split())
    assert "no one alert is named 'beef'" in err
    assert "got no alert of that beginning" in err
    assert run(["feedback", "ack", "3f", *at]) == 2
    assert "got 2 characters" in " ".join(capsys.readouterr().err.split())
    assert run(["feedback", "tolerate", "3f2a", "--expires", "soon", *at]) == 2


def test_no_second_attack_is_tolerated_under_the_words_of_the_first(
    state: StateDir, capsys: pytest.CaptureFixture[str]
) -> None:
    """An update of the same kind that names other calls is repeated, and these are not said to be
    in no sentence; a call named only by a sentence that is left out is."""
    at = ["--state-dir", str(state.path)]
    history = History(state.history, print)
    opened = history.find("3f2a").alert
    same = opened["explanation"]
    later = {"id": f"1{EPISODE[1:]}", "state": "update", "explanation": dict(same)}
    later["explanation"]["sentence"] = "web made 61 socket calls, 60 connect calls."
    history.add({**opened, **later})
    assert run(["feedback", "tolerate", "3f2a", *at]) == 0
    out = capsys.readouterr().out
    assert "\n  web made 9 connect calls.\n  web made 61 socket calls, 60 connect calls.\n" in out
    assert "not said above" not in out
    lines = [opened]
    for number, call in enumerate(("read", "write", "open", "close", "stat", "socket"), 2):
        lines.append({**opened, "id": f"{number}{EPISODE[1:]}", **showing(call)})
    said = told(lines, history.behaviours(EPISODE))
    history.close()
    assert said[5:] == ["web made 9 stat calls.", "and 1 other sentence", f"{UNSAID} socket"]
    assert told([], []) == []


def test_what_is_not_learned_is_said(
    state: StateDir, clock: Clock, kept: Kept, small_lake: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Training leaves out what is to be forgotten, and says how much; a file must be there."""
    words = ["train", str(small_lake.clean("web1")), "-o", str(state.path / "m.oddcall")]
    words += ["--feedback", str(state.feedback)]
    assert run(words) == 2
    assert "there is no feedback in " in capsys.readouterr().err
    for foreign in (b'{"name": "port-scan"}\n', b"PAR1\x00\xff"):
        state.feedback.write_bytes(foreign)
        assert run(words) == 2
        assert "holds no answer to an alert" in " ".join(capsys.readouterr().err.split())
    state.feedback.unlink()
    said(state, clock, "ack", kept)
    assert run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["left_out"] == {"programs": 0, "windows": 0}
    assert run(words) == 0
    assert "\nleft out: nothing, as no window is of a program " in capsys.readouterr().out
    said(state, clock, "forget", kept)
    assert run(words) == 0
    out = capsys.readouterr().out
    web = sum(
        sum(batch.programs[program] == WEB.program for program in batch.program)
        for batch in read_batches(small_lake.clean("web1"))
    )
    assert f"\nleft out: {web} windows of 1 program that was to be forgotten\n" in out
    assert "python3.11" not in out


def test_training_reads_what_was_said_once(
    state: StateDir, clock: Clock, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the file holds answers and what they mean come of one reading."""
    said(state, clock, "forget", kept)
    read: list[Path] = []

    def lines(path: Path) -> list[dict[str, Any]]:
        read.append(path)
        return [json.loads(line) for line in path.read_text().splitlines()]

    monkeypatch.setattr(feedback, "_lines", lines)
    assert train_verb._forgotten(state.feedback)._before == {WEB.program.place: NOW}
    assert read == [state.feedback]


def test_a_replay_says_by_whose_feedback_it_judged(
    state: StateDir,
    clock: Clock,
    kept: Kept,
    small_lake: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What was said of this host's alerts is named where it held for windows of the recording."""
    model = str(tmp_path / "m.oddcall")
    assert run(["train", str(small_lake.clean("web1")), "-o", model]) == 0
    said(state, clock, "tolerate", kept)
    words = ["replay", str(small_lake.later("web1")), "--model", model]
    words += ["--state-dir", str(state.path)]

    def told(*more: str) -> str:
        capsys.readouterr()
        assert run([*words, *more]) == 0
        caught = capsys.readouterr()
        return "".join((caught.out + caught.err).split())

    line = f"feedbackin{state.path}:1behaviourtolerated;"
    assert line in told("--feedback", "now")
    assert line in told("--feedback", "now", "--json")
    assert line in told("--feedback", "now", "--what-if", "budget=5/day")
    # It was said long after that time.
    assert "feedbackin" not in told()
    assert "feedbackin" not in told("--feedback", "never")
