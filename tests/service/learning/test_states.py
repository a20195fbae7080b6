"""Promises of the states of programs: each has one, with why and since when, over restarts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddcall.models.errors import SettingError
from oddcall.models.model import Model
from oddcall.models.tolerance import Span, Tolerances
from oddcall.models.window import Program
from oddcall.service.cli import run
from oddcall.service.learning.evidence import Seen
from oddcall.service.learning.lesson import Telling, lesson_in
from oddcall.service.learning.states import States, told_of
from oddcall.service.state import StateDir
from oddcall.training.fit import FitSettings, fit
from oddcall.training.synthetic import REDIS, Chain, window

NGINX = Program("/usr/sbin/nginx", 1, 10, "nginx.service")
DAY_S = 86400


@pytest.fixture(scope="module")
def trained() -> Callable[[list[Any]], Model]:
    made: dict[int, Model] = {}

    def model(ordinary: list[Any]) -> Model:
        if not made:
            made[0] = fit(ordinary, FitSettings(min_windows=40))
        return made[0]

    return model


def small_host() -> Model:
    """One program of many windows, and one of a single window."""
    random = np.random.default_rng(0)
    rare = Chain(Program("/usr/bin/rare", 8, 900), REDIS.paths[:4], REDIS.weights[:4])
    ticks = [window(REDIS, REDIS.walk(300, random), second=i) for i in range(200)]
    return fit([*ticks, window(rare, rare.walk(200, random), second=201)])


def _same(program: Program) -> Program:
    return program


def states_of(model: Model, path: Path, screen: Any, newcomers: dict[Program, Seen]) -> States:
    return States(path, lambda: model, newcomers.get, 30.0 * DAY_S, 40, screen.say, _same)


@pytest.fixture
def opened(
    trained: Callable[[list[Any]], Model], ordinary: list[Any], tmp_path: Path, screen: Any
) -> Callable[..., States]:
    def states(newcomers: dict[Program, Seen] | None = None) -> States:
        return states_of(trained(ordinary), tmp_path / "programs.json", screen, newcomers or {})

    return states


def test_each_state_has_a_reason(opened: Callable[..., States], batch: Any, row: Any) -> None:
    """Ready, stale by absence and by age, drifting, learning, collecting, shadowed, unknown."""
    new, upgraded = Program("/bin/new", 1, 50), replace(NGINX, ino=99)
    seen = {
        new: Seen(new, 12, 5, 3.0, "collecting", 60.0),
        upgraded: Seen(upgraded, 80, 5, 3.0, "learning", 60.0),
    }
    states = opened(seen)
    states.see(batch(row(at_s=200)))
    assert states.standing(NGINX).state == "ready"
    assert states.standing(new).state == "collecting"
    assert states.standing(new).why == "12 of the 40 windows that a baseline needs."
    learning = states.standing(upgraded)
    assert (learning.state, learning.level) == ("learning", "predecessor")
    assert learning.why == (
        "It showed something new 3s ago. Its predecessor's baseline scores it meanwhile, without "
        "alerts."
    )
    assert states.standing(Program("/bin/never")).state == "unknown"
    states.drifting = lambda program: "It moves." if program == NGINX else ""
    assert states.standing(NGINX).state == "drifting"
    other = Program("/bin/other", 1, 70)
    states.see(batch(row(at_s=40 * DAY_S, program=other)))
    assert states.standing(NGINX).state == "stale"
    assert states.standing(NGINX).why == "It was not seen for 39d23h."
    states.see(batch(row(at_s=200 * DAY_S)))
    assert states.standing(NGINX).why.startswith("Its baseline was learned 199d")


def test_a_program_that_nothing_can_judge_is_not_said_to_be_judged(
    tmp_path: Path, screen: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """With too few others to stand in it cannot alert: table, JSON and training say the same."""
    model = small_host()
    (said,) = (text for text in model.warnings if "too few windows" in text)
    assert "cannot alert: the host has too few other programs to judge it by" in said
    rare = next(known.program for known in model.programs if known.level == "similar")
    newcomers: dict[Program, Seen] = {}
    states = states_of(model, tmp_path / "programs.json", screen, newcomers)
    states.write()
    assert run(["programs", "--state-dir", str(tmp_path)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "rare collecting 1 nothing yet" in told
    assert "It cannot alert: the host has too few other programs to judge it by." in told
    assert "programs like it" not in told
    assert run(["programs", "--state-dir", str(tmp_path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["programs"]
    assert {row["exe"]: row["level"] for row in rows}[rare.exe] == "unknown"
    # While more of it is kept, too.
    newcomers[rare] = Seen(rare, 12, 5, 3.0, "collecting", 60.0)
    assert states.standing(rare).level == "unknown"
    assert states.standing(rare).why == (
        "12 of the 40 windows that a baseline needs. It cannot alert: the host has too few other "
        "programs to judge it by."
    )


def test_what_is_forgotten_is_not_called_ready(
    trained: Callable[[list[Any]], Model],
    ordinary: list[Any],
    tmp_path: Path,
    screen: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is forgotten since a time, whoever watches, until undone; and so it is after a restart."""
    said_ns = 1_700_000_400_000_000_000
    plain = trained(ordinary)
    told = Tolerances(forgotten=[(NGINX, said_ns, Span(said_ns))])
    undone = Tolerances(forgotten=[(NGINX, said_ns, Span(said_ns, said_ns + 60))])
    in_use = [replace(plain, tolerances=told)]
    newcomers: dict[Program, Seen] = {}
    where = tmp_path / "programs.json"

    def started() -> States:
        return States(where, lambda: in_use[0], newcomers.get, 30.0 * DAY_S, 40, screen.say, _same)

    states = started()
    why = "Forgotten at 2023-11-14 22:20 UTC: not judged until learned anew."
    assert (states.standing(NGINX).state, states.standing(NGINX).why) == ("forgotten", why)
    assert states.standing(replace(NGINX, ino=99)).state == "forgotten", "its successor as well"
    newcomers[NGINX] = Seen(NGINX, 12, 5, 3.0, "collecting", 60.0)
    learning = f"{why} 12 of the 40 windows that a baseline needs."
    assert states.standing(NGINX).why == learning
    states.write()
    assert {r["exe"]: r["state"] for r in started().rows()}[NGINX.exe] == "forgotten"
    capsys.readouterr()
    assert run(["programs", "--state-dir", str(tmp_path), "--most", "1"]) == 0
    assert "forgotten" in capsys.readouterr().out.splitlines()[1], "a cut table shows it"
    in_use[0] = replace(plain, tolerances=undone)
    newcomers.clear()
    assert states.standing(NGINX).state != "forgotten"


def test_states_outlive_a_restart(opened: Callable[..., States], batch: Any, row: Any) -> None:
    """Since when is kept, and when a program was seen last."""
    first = opened()
    first.see(batch(row(at_s=200)))
    first.write()
    again = opened()
    again.see(batch(row(at_s=20 * DAY_S, program=Program("/bin/other"))))
    assert again.standing(NGINX).state == "ready"
    found = {r["exe"]: r for r in again.rows()}
    assert found[NGINX.exe]["since"] == found[NGINX.exe]["seen"] == "2023-11-14T22:16:40.000000Z"
    again.see(batch(row(at_s=32 * DAY_S, program=Program("/bin/other"))))
    assert {r["exe"]: r["state"] for r in again.rows()}[NGINX.exe] == "stale"
    stale = {r["exe"]: r for r in again.rows()}[NGINX.exe]
    assert stale["since"] == "2023-12-16T22:13:20.000000Z"


def test_drift_outlives_a_restart_until_it_can_be_told_again(
    opened: Callable[..., States], batch: Any, row: Any
) -> None:
    """What drifted before is drifting, since then and for that reason, for the first minutes."""
    first = opened()
    first.drifting = lambda program: "It moves." if program == NGINX else ""
    first.see(batch(row(at_s=200)))
    first.write()
    again = opened()
    again.see(batch(row(at_s=300)))
    assert (again.standing(NGINX).state, again.standing(NGINX).why) == ("drifting", "It moves.")
    (found,) = [r for r in again.rows() if r["exe"] == NGINX.exe]
    assert found["since"] == "2023-11-14T22:16:40.000000Z"
    again.see(batch(row(at_s=1000)))
    assert again.standing(NGINX).state == "ready"


def test_strangers_do_not_fill_memory(opened: Callable[..., States], batch: Any, row: Any) -> None:
    """Whoever makes new programs without end is remembered up to a bound."""
    states = opened()
    for at in range(4):
        rows = [row(at_s=at + 1, program=Program(f"/tmp/{at}-{i}", 1, i)) for i in range(500)]
        states.see(batch(*rows))
    assert len(states.rows()) < 1100


def test_what_cannot_be_read_is_nothing_known(tmp_path: Path) -> None:
    """A file of something else, however deep it nests, is told in one sentence."""
    path = tmp_path / "programs.json"
    for text in ("no json", "{}", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(SettingError, match="no states of programs are known"):
            told_of(path)


def test_what_was_written_is_shown(
    opened: Callable[..., States],
    batch: Any,
    row: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The verb shows state, reason and since when within 80 columns, and all of it as JSON."""
    states = opened()
    states.see(batch(row(at_s=200)))
    states.write()
    assert run(["programs", "--state-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "nginx                     ready           160  its own baseline 2023-11-14 22:16" in out
    assert "  Its baseline rests on 160 windows of its own." in out
    assert max(map(len, out.splitlines())) <= 80
    none = ["programs", "--state-dir", str(tmp_path), "--state", "stale", "--state", "forgotten"]
    assert run(none) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "No program was stale or forgotten when this was written." in out
    assert "judged by" not in out, "no table of nothing"
    assert run(["programs", "--state-dir", str(tmp_path), "--state", "stale", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["programs"] == []
    assert run(["programs", "--state-dir", str(tmp_path / "none")]) == 2
    assert "no states of programs are known in" in capsys.readouterr().err


def test_how_old_the_states_are_is_said(
    opened: Callable[..., States],
    batch: Any,
    row: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Below the table, with who writes it anew; a machine is told the age in seconds."""
    states = opened()
    states.see(batch(row(at_s=200)))
    monkeypatch.setattr("time.time_ns", lambda: states._now_ns + 34_000_000_000)
    asked = ["programs", "--state-dir", str(tmp_path)]
    assert run(asked) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.endswith("as of 2023-11-14 22:16:40 UTC, 34s ago; no watch runs now")
    with StateDir(tmp_path).held():
        assert run(asked) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert said.endswith(f"the watch, process {os.getpid()}, writes it every minute")
    assert run([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["age_s"], told["lesson"]) == (34.0, None)


def test_when_states_were_written_may_not_be_known(
    opened: Callable[..., States],
    batch: Any,
    row: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Then no age is said, nor is it of 1970."""
    opened().see(batch(row(at_s=200)))
    path = StateDir(tmp_path).programs
    told = json.loads(path.read_text())
    del told["written"]
    path.write_text(json.dumps(told))
    asked = ["programs", "--state-dir", str(tmp_path)]
    assert run(asked) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert out.endswith("when it was written is not known; no watch runs now")
    assert run([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["age_s"] is None


@pytest.mark.parametrize("part", ["dev", "state", "why", "level", "windows", "since"])
def test_rows_of_something_else_are_not_shown(
    opened: Callable[..., States],
    batch: Any,
    row: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    part: str,
) -> None:
    """What lacks a part, or has another thing in its place, spoils no other row."""
    opened().see(batch(row(at_s=200)))
    path = StateDir(tmp_path).programs
    told = json.loads(path.read_text())
    whole = len(told["programs"])
    broken = {**told["programs"][0], part: ["?"]}
    told["programs"] += [broken, {name: broken[name] for name in broken if name != part}]
    if part == "since":
        del told["programs"][-1]
    path.write_text(json.dumps(told))
    assert run(["programs", "--state-dir", str(tmp_path)]) == 0
    assert "judged by" in capsys.readouterr().out
    assert run(["programs", "--state-dir", str(tmp_path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["programs"]) == whole


def test_a_lesson_of_a_watch_that_was_killed_is_none(tmp_path: Path) -> None:
    """Also where the next watch has its number: in a container each is process 1."""
    state = StateDir(tmp_path)
    with state.held():
        Telling(state).tell("learning", time.time_ns())
        assert lesson_in(state) is not None
    with state.held():
        assert lesson_in(state) is None


@pytest.mark.parametrize("bad", ["[" * 100_000, "soon", -1, None])
def test_a_lesson_that_cannot_be_read_is_none(tmp_path: Path, bad: Any) -> None:
    """A file of something else is no traceback."""
    state = StateDir(tmp_path)
    with state.held():
        Telling(state).tell("learning", time.time_ns())
        told = {**json.loads(state.lesson.read_text()), "written_ns": bad}
        text = bad if bad and str(bad)[0] == "[" else json.dumps(told)
        state.lesson.write_text(text)
        assert run(["programs", "--state-dir", str(tmp_path)]) == 2


def test_a_lesson_that_goes_on_is_said(
    opened: Callable[..., States],
    batch: Any,
    row: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """How far it is and how long still, before what is of an earlier one; not once it is over."""
    state = StateDir(tmp_path)
    telling, line = Telling(state), "learning, 40s more: 99 windows of 28 programs"
    asked = ["programs", "--state-dir", str(tmp_path)]
    with state.held():
        telling.tell(line, time.time_ns(), 0.3, 40.0)
        assert run(asked) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert said.startswith(f"A watch, process {os.getpid()}, is in its lesson: {line}")
        assert said.endswith("How programs stand is known once it is over.")
        assert run([*asked, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["programs"], told["age_s"]) == ([], None)
        assert (told["lesson"]["done"], told["lesson"]["remaining_s"]) == (0.3, 40.0)
        assert run(["explain", "last", "--state-dir", str(tmp_path)]) == 2
        err = " ".join(capsys.readouterr().err.split())
        assert "40s more" in err
        assert "Nothing alerts until it is over. oddcall: no alert is known in" in err
        opened().see(batch(row(at_s=200)))
        assert run(asked) == 0
        out = capsys.readouterr().out
        assert out.index("40s more") < out.index("nginx")
        assert "What follows is of before" in out
        assert max(map(len, out.splitlines())) <= 80
    # It was killed: what is left says where.
    assert run(asked) == 0
    out = capsys.readouterr().out
    said = " ".join(out.split())
    assert f"A lesson was interrupted 0s ago: {line}. Nothing is judged by it yet;" in said
    assert f"`oddcall watch --state-dir {tmp_path}` goes on with it. What follows is of bef" in said
    assert run([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["lesson"], told["interrupted"]["remaining_s"]) == (None, 40.0)
    with state.held():
        telling.tell(line, time.time_ns() + 10_000_000_000)
        telling.end()
        assert run(asked) == 0
        assert "lesson" not in capsys.readouterr().out


def test_what_people_say_is_looked_up_at_once(
    trained: Callable[[list[Any]], Model],
    ordinary: list[Any],
    batch: Any,
    row: Any,
    tmp_path: Path,
    screen: Any,
) -> None:
    """Whoever forgets a program and asks how it stands is not told what was a minute ago."""
    plain, path = trained(ordinary), tmp_path / "programs.json"
    in_use = [plain]
    states = States(path, lambda: in_use[0], lambda _: None, 30.0 * DAY_S, 40, screen.say, _same)
    states.see(batch(row(at_s=200)))
    said_ns = int(plain.programs[0].last_ns) + 1
    in_use[0] = replace(plain, tolerances=Tolerances(forgotten=[(NGINX, said_ns, Span(said_ns))]))
    states.see(batch(row(at_s=201)))
    found = {told["exe"]: told["state"] for told in told_of(path)["programs"]}
    assert found[NGINX.exe] == "forgotten"
