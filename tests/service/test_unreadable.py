"""What a user who may not read a state directory is told."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oddcall.service.cli import run
from oddcall.service.doctor import examine

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to become less")


@pytest.fixture
def state() -> Iterator[Path]:
    """A state directory of root's, below a folder that anybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / "state"
        path.mkdir(mode=0o700)
        for name in ("history.sqlite", "feedback.jsonl", "programs.json", "web.json"):
            (path / name).write_text("{}")
        yield path


@contextmanager
def as_nobody() -> Iterator[None]:
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@needs_root
@pytest.mark.parametrize(
    "words",
    [
        ["explain", "last"],
        ["feedback", "list"],
        ["feedback", "ack", "last"],
        ["feedback", "undo", "last"],
        ["programs"],
        ["top", "--json"],
    ],
)
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_one_sentence_says_what_may_not_be_read(
    state: Path, words: list[str], mode: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Promise: exit code 3 and a sentence with the file, whether it or its folder is closed."""
    # Root is answered by what is there; it also has every module imported that nobody may not.
    assert run([*words, "--state-dir", str(state)]) != 3
    capsys.readouterr()
    state.chmod(mode)
    for file in state.iterdir():
        file.chmod(0o600)
    with as_nobody():
        assert run([*words, "--state-dir", str(state)]) == 3
    said = " ".join(capsys.readouterr().err.split())
    assert f"{state}/" in said
    assert "may not be read by this user; got permission denied. Ask as the user" in said


@needs_root
@pytest.mark.parametrize("closed", [".", "baseline.oddcall"])
def test_doctor_says_of_a_baseline_that_it_may_not_read_it(state: Path, closed: str) -> None:
    """Promise: what may not be looked at is not called missing, be it the file or its folder."""
    (state / "baseline.oddcall").write_text("{}")
    (state / closed).chmod(0o700)
    with as_nobody():
        found = {check.name: check for check in examine(list, None, None, str(state))}
    why = f"not looked: {state}/baseline.oddcall may not be read by this user"
    assert found["model"].detail == why
    (state / "baseline.oddcall").unlink()
    found = {check.name: check for check in examine(list, None, None, str(state))}
    assert found["model"].detail.startswith("none to read yet")
