"""Promises of the state directory: messages name it as whoever reads them would find it."""

from __future__ import annotations

from pathlib import Path

import pytest

from oddcall.service.cli import run
from oddcall.service.state import StateDir


@pytest.mark.parametrize(
    "words", [["programs"], ["explain", "last"], ["feedback", "list"], ["top"], ["doctor"]]
)
def test_a_place_is_named_without_the_way_there(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """However it was typed, it is named from the root, with no step back in it."""
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setattr("oddcall.sensor.checks.checks", list)
    assert run([*words, "--state-dir", "../../st"]) in (0, 2)
    told = capsys.readouterr()
    said = (told.out + told.err).replace("\n", "").replace(" ", "")
    assert f"{tmp_path}/st" in said
    assert ".." not in said


def test_links_that_go_round_are_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A place that leads nowhere is named, and that no watch is known there."""
    (tmp_path / "x").symlink_to("y")
    (tmp_path / "y").symlink_to("x")
    assert StateDir(tmp_path / "x").holder() == 0
    assert run(["programs", "--state-dir", str(tmp_path / "x")]) == 2
    assert "no states of programs are known in" in capsys.readouterr().err
