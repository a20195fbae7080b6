"""Where what counts as a failed call has changed between what meets, it is said, and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oddcall.models.bundle import load_bundle
from oddcall.service.cli import run
from oddcall.service.failed_calls import mixed
from oddcall.service.origin import metadata_of
from oddcall.training.failed_calls import CONNECTING, IN_PART, NO_FAILURE, WITHOUT_SENDMMSG
from oddcall.training.recording import RecordingWriter, read_batches, read_metadata

_WARNED = "a connection in progress (EINPROGRESS)"


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What people said of alerts of this host is no part of a test."""
    monkeypatch.setenv("ODDCALL_STATE_DIR", str(tmp_path / "state"))


def counted_now(recording: Path, to: Path, meant: str = CONNECTING) -> Path:
    """The same recording, as one would be made now."""
    with RecordingWriter(to, {**read_metadata(recording), NO_FAILURE: meant}) as writer:
        for batch in read_batches(recording):
            writer.append(batch)
    return to


@pytest.fixture
def now(small_lake: Any, tmp_path: Path) -> Path:
    return counted_now(small_lake.later("web1"), tmp_path / "now")


@pytest.fixture(scope="module")
def former(small_lake: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the former meaning."""
    path = tmp_path_factory.mktemp("former") / "m.oddcall"
    assert run(["train", str(small_lake.clean("web1")), "-o", str(path)]) == 0
    return path


def told(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Everything that was said, in one line."""
    capsys.readouterr()
    assert run([*map(str, words)]) == 0, capsys.readouterr().err
    caught = capsys.readouterr()
    return " ".join((caught.out + caught.err).split())


def test_what_is_recorded_says_what_counts_as_failed() -> None:
    """Recordings that are made now say it; those that do not were made before."""
    assert metadata_of({}, 1.0, "bcc")[NO_FAILURE] == CONNECTING


def test_a_recording_that_was_gone_on_with_is_of_both_meanings(
    small_lake: Any, now: Path, tmp_path: Path
) -> None:
    """A recording of before that goes on now is neither the one nor the other."""
    both = tmp_path / "both"
    shutil.copytree(small_lake.clean("web1"), both)
    assert NO_FAILURE not in read_metadata(both)
    counted_now(small_lake.later("web1"), both)
    assert read_metadata(both)[NO_FAILURE] == IN_PART
    assert read_metadata(now)[NO_FAILURE] == CONNECTING


def test_a_replay_and_an_evaluation_say_that_the_model_learned_another_meaning(
    small_lake: Any, former: Path, now: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Replay, its comparison and an evaluation warn, and say what to type; not of one meaning."""
    words = ("replay", now, "--model", former)
    evaluating = ("evaluate", "recordings", "--model", former, "--test", now)
    for more in (words, (*words, "--json"), (*words, "--what-if", "budget=5/day"), evaluating):
        out = told(capsys, *more)
        assert f"{_WARNED} counts as a failed call in what the model learned" in out
        assert "and counts as no failed call in" in out
        assert "`oddcall train DIR -o FILE`" in out
    assert _WARNED not in told(capsys, "replay", small_lake.later("web1"), "--model", former)


def test_training_on_both_meanings_warns_and_the_model_knows_it(
    small_lake: Any, now: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The warning is among the model's; what that judges is of another meaning, whichever."""
    path, clean = tmp_path / "both.oddcall", small_lake.clean("web1")
    out = told(capsys, "train", clean, now, "-o", path)
    assert f"warning: {_WARNED} counts as a failed call in {clean}" in out
    assert "`oddcall record -o DIR`" in out
    assert load_bundle(path).metadata[NO_FAILURE] == IN_PART
    assert "counts as a failed call in a part of what the model learned" in told(
        capsys, "replay", now, "--model", path
    )
    evaluating = ("evaluate", "recordings", "--train", clean, "--test", now, "--json")
    assert _WARNED in told(capsys, *evaluating)


def test_what_was_made_when_sendmmsg_still_failed_is_told_of(
    small_lake: Any, now: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For a while all but sendmmsg began a connection: it differs for few programs, and is said."""
    between, path = tmp_path / "between", tmp_path / "between.oddcall"
    counted_now(small_lake.clean("web1"), between, WITHOUT_SENDMMSG)
    assert _WARNED not in told(capsys, "train", between, "-o", path)
    for words in (("replay", now, "--model", path), ("train", between, now, "-o", path)):
        out = told(capsys, *words)
        assert f"{_WARNED} counts as a failed call where sendmmsg begins it in" in out
        assert "programs that connect by sendmmsg, as few do, may look odd" in out


def test_of_recordings_of_several_meanings_each_is_said() -> None:
    """One recording of each is named with its own meaning, those to be left out first."""

    def said(**meanings: str) -> str:
        return mixed(
            [
                SimpleNamespace(path=Path(name), metadata={NO_FAILURE: meant} if meant else {})
                for name, meant in meanings.items()
            ]
        )

    by_sendmmsg = "counts as a failed call where sendmmsg begins it in"
    once = said(a=WITHOUT_SENDMMSG, b="", c="")
    assert f"{_WARNED} {by_sendmmsg} a, and counts as a failed call in b: programs" in once
    since = said(a=CONNECTING, b=WITHOUT_SENDMMSG)
    assert f"{_WARNED} {by_sendmmsg} b, and counts as no failed call in a: programs" in since
    assert f"{_WARNED} counts as a failed call in a part of a: programs" in said(a=IN_PART)
    assert said(a=CONNECTING, b=CONNECTING) == ""


def test_training_on_what_is_recorded_now_warns_of_nothing(
    now: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model of one meaning says which, and judges recordings of it without a word."""
    path = tmp_path / "now.oddcall"
    assert _WARNED not in told(capsys, "train", now, "-o", path, "--json")
    assert load_bundle(path).metadata[NO_FAILURE] == CONNECTING
    assert _WARNED not in told(capsys, "replay", now, "--model", path)
