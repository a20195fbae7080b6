"""Training in a child takes what the watch leaves, and no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from oddcall.models.errors import RecordingError
from oddcall.service.learning.apart import read_apart
from oddcall.service.learning.child import TrainingChild
from oddcall.service.trial.watching import environment as trial_environment

#: Given a folder, prints how nice a training child is whose parent is as nice as can be.
PARENT = """
import os, sys
from pathlib import Path
from oddcall.service.learning.child import TrainingChild

os.setpriority(os.PRIO_PROCESS, 0, 19)
child = TrainingChild([Path(sys.argv[1])], Path(sys.argv[1], "bundle"), "1/day", 10)
print(os.getpriority(os.PRIO_PROCESS, child._process.pid))
child.stop()
"""


def test_training_never_comes_before_who_started_it(tmp_path: Path) -> None:
    """A watch under `nice` trains as nicely as it runs: coming back would need a privilege."""
    words = [sys.executable, "-c", PARENT, str(tmp_path)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["19"]


def test_a_child_is_told_what_we_tell_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables that only the user's file explains end neither a training nor a recording."""
    monkeypatch.setenv("ODDCALL_TOKEN", "0123456789abcdef0123456789abcdef")
    monkeypatch.setenv("ODDCALL_BUDGET", "9/day")
    kept = {name for name in trial_environment() if name.startswith("ODDCALL_")}
    assert not kept & {"ODDCALL_TOKEN", "ODDCALL_BUDGET"}
    child = TrainingChild([tmp_path], tmp_path / "bundle", "1/day", 10)
    try:
        with pytest.raises(RecordingError, match="recording"):
            child.finish()
    finally:
        child.stop()
    with pytest.raises(RecordingError):
        list(read_apart(tmp_path / "none"))
