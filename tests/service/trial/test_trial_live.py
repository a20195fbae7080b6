"""A short trial on the real kernel: learned, watched, misbehaved, replayed, and all ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.kernel

ODDCALL = [sys.executable, "-m", "oddcall.service.cli", "evaluate", "live"]


def processes_below(folder: Path) -> list[str]:
    """Command lines that name a folder, of all processes but this one."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal() and int(place.name) != os.getpid():
            try:
                words = (place / "cmdline").read_bytes().decode("utf-8", "replace")
            except OSError:
                continue
            found += [words] if str(folder) in words else []
    return found


def test_a_trial_catches_what_it_does_and_ends_what_it_started(tmp_path: Path) -> None:
    """Two behaviours are caught and named, a replay gives the same bytes, no process is left."""
    told: dict[str, Any] = {}
    # A minute of a server that is starved of processors may not be enough of it.
    for learn in ("60s", "120s"):
        told = tried(tmp_path / learn, learn)
        if all(b["names_cause"] for b in told["behaviours"]):
            break
    assert not told["unsettled"]
    assert all(b["names_cause"] for b in told["behaviours"])


def tried(keep: Path, learn: str) -> dict[str, Any]:
    """A trial that ends well, whatever it catches."""
    words = [*ODDCALL, "--learn", learn, "--watch", "1s", "--workload", "cron", "--json"]
    words += ["--behaviour", "port-scan", "--behaviour", "setuid-calls", "--keep", str(keep)]
    quick = {"ODDCALL_LEARNING_MIN_WINDOWS": "20", "ODDCALL_SENSOR_INTERVAL": "250ms"}
    quick["ODDCALL_SENSOR_MAX_CPU_PERCENT"] = "100"
    done = subprocess.run(
        words, env={**os.environ, **quick}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert json.loads((keep / "report.json").read_text()) == told
    found = {behaviour["name"]: behaviour for behaviour in told["behaviours"]}
    assert set(found) == {"port-scan", "setuid-calls"}
    assert told["replay_is_the_same"] is True
    assert not told["failed"]
    # The work was watched while things were done, too: what alerts on it then is false.
    assert told["misbehaved_s"] > 0
    assert told["workloads"]["cron"] > 0
    assert processes_below(keep) == []
    assert told["behaviours"][0]["program"].startswith(str(keep))
    labels = [json.loads(line) for line in (keep / "labels.jsonl").read_text().splitlines()]
    assert [(x["name"], x["pid"]) for x in labels] == [
        (b["name"], b["pid"]) for b in told["behaviours"]
    ]
    return told


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    """Nothing is begun where something lies already: one sentence, code 2."""
    (tmp_path / "mine").touch()
    done = subprocess.run(
        [*ODDCALL, "--keep", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "empty folder" in done.stderr
    assert done.stderr.count("\n") == 1
