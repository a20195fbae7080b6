"""Behaviours of a file of one's own join the others, wherever they are run."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from oddcall.models.errors import OddcallError, SettingError
from oddcall.service import simulate
from oddcall.service.cli import run
from oddcall.service.simulate import catalogue

MINE = """
from oddcall.service.simulate import Behaviour

def act(bounds):
    made = [(bounds.room / "x").write_text("x") for _ in bounds.times(3)]
    return {{"made": len(made)}}

BEHAVIOURS = [
    Behaviour("{name}", "T9999", "Makes three files.", ("openat",), ("openat",), "its own", act)
]
"""


HUNGRY = """
from oddcall.service.simulate import Behaviour

def prey(room):
    (room / "half").write_text("x")
    raise ValueError("no prey")

BEHAVIOURS = [
    Behaviour("hungry", "T9999", "Never runs.", (), (), "it never runs", print, prepare=prey)
]
"""


BROKEN = """
from oddcall.service.simulate import Behaviour

def raises(bounds):
    raise ValueError("no such\\nluck")

def silent(bounds):
    pass

def strange(bounds):
    return {"made": {1, 2}}

BEHAVIOURS = [
    Behaviour(act.__name__, "T9999", "Fails in its way.", (), (), "it does nothing", act)
    for act in (raises, silent, strange)
]
"""


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_included", {})


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE.format(name="three-files"))
    return path


def test_they_are_listed_after_the_others(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Promise: --from adds them, once, under a heading of their own where nothing else fits."""
    before = len(simulate.behaviours())
    assert run(["simulate", "list", "--from", str(mine), "--from", str(mine)]) == 0
    told = capsys.readouterr().out
    assert told.count("three-files") == 1
    assert "\nof your own\n  three-files" in told
    assert f"{before + 1} behaviours" in told
    simulate.include(mine)
    assert [behaviour.name for behaviour in catalogue.own()] == ["three-files"]


def test_one_that_tells_its_tactic_is_listed_with_it(
    mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise: a tactic that is given goes before the table, and may be one that it has not."""
    for tactic in ("exfiltration", "reconnaissance"):
        mine.write_text(mine.read_text().replace(", act)", f', act, tactic="{tactic}")'))
        catalogue._included.clear()
        assert run(["simulate", "list", "--from", str(mine)]) == 0
        told = capsys.readouterr().out
        (heading,) = [part for part in told.split("\n\n") if "\n  three-files " in part]
        assert heading.splitlines()[0] == tactic
        mine.write_text(MINE.format(name="three-files"))


def test_a_new_process_runs_them(mine: Path, tmp_path: Path) -> None:
    """Promise: a process that is started for one knows it, and its files are removed."""
    simulate.include(mine)
    outcome = simulate.run("three-files", via="python", workdir=tmp_path / "work")
    assert outcome.detail == {"made": 3}
    assert not list((tmp_path / "work").glob("oddcall-simulate-*"))


def test_a_demo_server_runs_them_in_its_own_process(
    mine: Path, tmp_path: Path, serving: Any
) -> None:
    """Promise: a server that was started with the file has them."""
    simulate.include(mine)
    folder = tmp_path / "served"
    with serving(folder) as (server, url):
        outcome = simulate.run("three-files", via=url, workdir=folder)
        assert (outcome.pid, outcome.detail) == (server.pid, {"made": 3})
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


def test_a_server_that_was_started_without_the_file_says_so(
    mine: Path, demo: Any, tmp_path: Path
) -> None:
    """Promise: one sentence names the file and what to type, not every behaviour there is."""
    simulate.include(mine)
    with pytest.raises(SettingError) as refused:
        simulate.run("three-files", via=demo.url, workdir=tmp_path)
    said = str(refused.value)
    assert f"started without {mine.name}" in said
    assert f"`oddcall simulate serve --from {mine.name}`" in said
    assert "--via python" in said
    assert "port-scan" not in said
    assert ".." not in said


def test_one_that_breaks_is_answered(
    tmp_path: Path, serving: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise: what it raised comes back as a sentence, with its line, and the server goes on."""
    path, folder = tmp_path / "broken.py", tmp_path / "served"
    path.write_text(BROKEN)
    simulate.include(path)
    with serving(folder) as (server, url):
        for name, why in (
            ("raises", f"ValueError: no such luck ({path}, line 5)"),
            ("strange", "TypeError: Object of type set is not JSON serializable"),
        ):
            with pytest.raises(OddcallError) as server_said:
                simulate.run(name, via=url, workdir=folder)
            assert f"did not run {name}; got {name} did not end well: {why}." in str(
                server_said.value
            )
            with pytest.raises(OddcallError) as process_said:
                simulate.run(name, via="python", workdir=folder)
            assert str(process_said.value) == f"{name} did not end well; got {why}."
        words = ["simulate", "run", "silent", "--via", url, "--workdir", str(folder)]
        assert run([*words, "--from", str(path)]) == 0
        assert capsys.readouterr().out.endswith(f"pid {server.pid}\n")
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
        assert server.stderr.read() == ""


def test_prey_that_cannot_be_made_is_answered(tmp_path: Path) -> None:
    """Promise: what the making raised comes back as a sentence, with its line; nothing stays."""
    path, folder = tmp_path / "hungry.py", tmp_path / "work"
    path.write_text(HUNGRY)
    simulate.include(path)
    with pytest.raises(OddcallError) as said:
        simulate.run("hungry", via="python", workdir=folder)
    assert str(said.value) == (
        f"what hungry works on could not be made; got ValueError: no prey ({path}, line 6)."
    )
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("x = 1", "got no BEHAVIOURS"),
        ("BEHAVIOURS = ()", "got ()"),
        ("BEHAVIOURS = [7]", "got 7"),
        ("BEHAVIOURS = [lambda bounds: {}]", "got a function."),
        ("BEHAVIOURS = 1 / 0", "got ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "got SystemExit: 3"),
        ("import nothing_of_the_name", "got ModuleNotFoundError: No module"),
        (MINE.format(name="port-scan"), "got a second behaviour called port-scan"),
        (
            MINE.format(name="new").replace('("openat",)', "(5,)"),
            "got (5,) of new where a tuple of names belongs",
        ),
        (
            MINE.format(name="new").replace('"its own", act', '"its own", 3'),
            "got 3 as the act of new, which is to be called",
        ),
        (
            MINE.format(name="new").replace('"its own", act', '"its own", act, None'),
            "got None as the prepare of new, which is to be called",
        ),
        (
            MINE.format(name="new").replace("BEHAVIOURS = [", "BEHAVIOURS = (").replace("\n]", ")"),
            "got the Behaviour new alone, not a tuple: mind the comma",
        ),
        (
            MINE.format(name="new").replace('"openat"', '"opneat"'),
            "got 'opneat' of new, which no call is named (did you mean openat?)",
        ),
    ],
)
def test_a_file_that_gives_none_is_refused(tmp_path: Path, text: str, got: str) -> None:
    """Promise: the file is named with what was wrong, and nothing of it joins."""
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(SettingError) as refused:
        simulate.include(path)
    assert f"the behaviours in {path} cannot be used" in str(refused.value)
    assert got in str(refused.value)
    assert not catalogue.own()


def test_a_name_that_no_file_was_given_for_says_where_from(mine: Path, tmp_path: Path) -> None:
    """Promise: who forgets --from is told of it; who gave a file is not."""
    with pytest.raises(SettingError, match="One of a file of yours needs --from FILE"):
        catalogue.named("three-files")
    simulate.include(mine)
    with pytest.raises(SettingError) as refused:
        catalogue.named("four-files")
    assert "--from" not in str(refused.value)
