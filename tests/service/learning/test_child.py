"""Training in a child takes what the watch leaves, and no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
