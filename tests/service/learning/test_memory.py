"""Promises of what a watch has learned: it is written down, found again, and never in the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddcall.models.errors import RecordingError
from oddcall.models.learned import Learned
from oddcall.models.window import Program
from oddcall.service.learning.memory import NAME, Memory, recalled

ONE = Learned(
    Program("/usr/sbin/nginx", 1, 10, "nginx.service"),
    5,
    9,
    "features",
    np.array([3, 7]),
    np.array([0.25, -0.125]),
    np.array([39]),
    19_000,
    0.0625,
    1,
    1_700_000_000_000_000_000,
)


def test_it_comes_back(tmp_path: Path, screen: Any) -> None:
    """What was known at the last tick is read as it was; before anything was seen nothing is."""
    memory = Memory(tmp_path, screen.say)
    memory.write()
    assert recalled(tmp_path) == []
    memory.saw(lambda: [ONE])
    memory.write()
    (found,) = recalled(tmp_path)
    assert found.as_dict() == ONE.as_dict()


def test_it_is_written_now_and_then(tmp_path: Path, screen: Any) -> None:
    """A watch that is killed loses a quarter of an hour at most, however long its interval is."""
    now = [100.0]
    memory = Memory(tmp_path, screen.say, lambda: now[0])
    for _ in range(15):
        now[0] += 59
        memory.saw(lambda: [ONE])
    assert recalled(tmp_path) == []
    now[0] += 59
    memory.saw(lambda: [ONE])
    assert len(recalled(tmp_path)) == 1


def test_a_full_disk_is_told_once(tmp_path: Path, screen: Any) -> None:
    """Where it cannot be written the watch goes on, and says so once."""
    memory = Memory(tmp_path / "nowhere", screen.say)
    memory.saw(lambda: [ONE])
    memory.write()
    memory.write()
    (said,) = screen.lines
    assert "will not outlive this watch" in said


@pytest.mark.parametrize("text", ["{}\n", "nonsense\n", "[1]\n", "\xff", "[" * 100_000])
def test_what_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    """A damaged file is an error that says what to do."""
    (tmp_path / NAME).write_bytes(text.encode("latin-1"))
    with pytest.raises(RecordingError, match="Remove it"):
        recalled(tmp_path)
