"""Promises of the verbs that answer an alert: what they change is said, and what not."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from oddcall.service import feedback
from oddcall.service.alerts.tolerated import told
from oddcall.service.cli import run
from oddcall.service.commands import train as train_verb
from oddcall.service.history import History, Kept
from oddcall.service.state import StateDir
from oddcall.training.recording import read_batches
from oddcall.training.synthetic import WEB

from .conftest import EPISODE, NOW, UNSAID, Clock, said, showing


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


def test_alerts_are_listed_by_when_they_showed_something_last(
    state: StateDir, capsys: pytest.CaptureFixture[str]
) -> None:
    """The time that is shown is that of the order, also where an older alert went on; a machine
    is told both."""
    at = ["--state-dir", str(state.path)]
    history = History(state.history, print)
    opened = history.find("3f2a").alert
    other = {"id": "ab" + EPISODE[2:], "episode_id": "ab" + EPISODE[2:]}
    history.add({**opened, **other, "time": "2030-01-01T10:00:00.000000Z"})
    for number, state_, when in ((5, "update", "10:30"), (6, "close", "10:31")):
        line = {"id": f"{number}{EPISODE[1:]}", "state": state_}
        history.add({**opened, **line, "time": f"2030-01-01T{when}:00.000000Z"})
    history.close()
    assert run(["feedback", "list", "--alerts", *at]) == 0
    shown = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert [line[:29] for line in shown] == [
        "3f2a9c1b  2030-01-01 10:30:00",
        f"{other['id'][:8]}  2030-01-01 10:00:00",
    ]
    assert run(["feedback", "list", "--alerts", "--json", *at]) == 0
    first, _ = json.loads(capsys.readouterr().out)["alerts"]
    assert (first["time"], first["last"]) == (opened["time"], "2030-01-01T10:30:00.000000Z")


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
