"""Promises of a watch on the real kernel: it learns, alerts in time, ends cleanly, replays."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from oddcall.models.bundle import load_bundle
from oddcall.service import simulate

pytestmark = pytest.mark.kernel

ODDCALL = [sys.executable, "-m", "oddcall.service.cli"]


class Running:
    """A process whose lines are gathered as they come."""

    def __init__(self, words: list[str], **environ: str) -> None:
        self.process = subprocess.Popen(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Tests set that for themselves; people do not.
            env={k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"} | environ,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self.close()
        return code

    def close(self) -> None:
        """End it the hard way, if it still runs."""
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def running() -> Iterator[Callable[..., Running]]:
    """Starts processes that do not outlive the test."""
    started: list[Running] = []

    def start(words: list[str], **environ: str) -> Running:
        started.append(Running(words, **environ))
        return started[-1]

    yield start
    for process in started:
        process.close()


Start = Callable[..., Running]


#: Nothing here takes this long. No promise hangs on time: this only ends a test that hangs.
PATIENCE_S = 130.0


def wait_for(found: Callable[[], Any], process: Running) -> Any:
    """Wait for what must come to be, however long a busy machine takes."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if answer := found():
            return answer
        assert process.process.poll() is None, "".join(process.lines)
        time.sleep(0.1)
    pytest.fail("it never came to be: " + "".join(process.lines[-40:]))


@pytest.fixture
def server(tmp_path: Path, running: Start) -> Iterator[str]:
    """Address of a web server under load, of a program that nothing else runs."""
    server = running(simulate.serve_command(0, tmp_path / "server"))
    url = wait_for(lambda: server.lines and server.lines[0].split()[0], server)
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            simulate.load(url, 1.0, rate=150, seed=1)

    thread = threading.Thread(target=load)
    thread.start()
    yield url
    done.set()
    thread.join()
    assert server.end() == 0


def alerts_in(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


def test_a_host_is_learned_watched_and_replayed(
    tmp_path: Path, server: str, running: Start
) -> None:
    """It learns in seconds, names who misbehaves in a window of the misbehaviour itself, ends
    cleanly on SIGTERM with every episode closed, watches at once when started again, and a
    replay gives the same bytes."""
    quick = {"ODDCALL_LEARNING_MIN_WINDOWS": "20", "ODDCALL_LEARNING_PATIENCE": "3"}
    quick["ODDCALL_SENSOR_MAX_CPU_PERCENT"] = "100"
    # A server that is starved of processors may show too little in a short lesson.
    for lesson in ("15s", "40s"):
        state = tmp_path / lesson
        alerts, kept = state / "a.jsonl", state / "kept"
        words = [*ODDCALL, "watch", "--state-dir", str(state), "--learn", lesson]
        words += ["--interval", "250ms"]
        watch = running([*words, "--alerts", str(alerts), "--record", str(kept)], **quick)
        wait_for(lambda w=watch: w.said("learning, "), watch)
        wait_for(lambda w=watch: w.said("watching with model"), watch)
        known = load_bundle(state / "baseline.oddcall").programs
        if any(p.can_alert for p in known if p.program.exe.startswith(str(tmp_path))):
            break
        assert watch.end() == 0

    outcome = simulate.run("port-scan", via=server, seconds=2)
    name = Path(outcome.program).name

    def alert() -> Any:
        found = [a for a in alerts_in(alerts) if a["program"]["exe"] == outcome.program]
        return next((a for a in found if "connect" in a["explanation"]["sentence"]), None)

    seen = wait_for(alert, watch)
    start, end = (datetime.fromisoformat(seen["window"][k]).timestamp() for k in ("start", "end"))
    assert start <= outcome.end
    assert end >= outcome.start
    assert seen["process"]["pid"] == outcome.pid
    assert "simulate" in seen["process"]["cmdline"]
    assert name in seen["explanation"]["sentence"]

    assert watch.end() == 0
    lines = alerts_in(alerts)
    opened = [a["episode_id"] for a in lines if a["state"] == "open"]
    assert sorted(opened) == sorted(a["episode_id"] for a in lines if a["state"] == "close")

    again = tmp_path / "again.jsonl"
    replay = [*ODDCALL, "replay", str(kept), "--model", str(state / "baseline.oddcall")]
    subprocess.run([*replay, "--alerts", str(again)], check=True, capture_output=True)
    assert again.read_bytes() == alerts.read_bytes()

    restarted = running(words, **quick)
    wait_for(lambda: restarted.said("watching with model"), restarted)
    assert not restarted.said("no model yet")
    assert restarted.said("--learn is not used: this host was learned"), "and what learns anew"
    assert restarted.said(f"kept in {state}; --relearn learns it anew")
    assert restarted.end(signal.SIGINT) == 0


def test_record_ends_cleanly_when_told(tmp_path: Path, running: Start) -> None:
    """SIGTERM and SIGINT end a recording with its last windows written, and code 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        folder = tmp_path / number.name
        record = running([*ODDCALL, "record", "-o", str(folder)])
        wait_for(lambda r=record: r.said("recording"), record)
        assert record.end(number) == 0
        assert record.said("lost 0")
        assert list(folder.glob("part-*.parquet"))


def test_learning_goes_on_after_a_kill(tmp_path: Path, running: Start) -> None:
    """After SIGTERM in the middle of learning the next start goes on with what was recorded.

    It was read and is written on by children: nothing of Parquet stays in the watch, nor a thread
    that keeps what the watch has given up.
    """
    words = [*ODDCALL, "watch", "--state-dir", str(tmp_path), "--learn", "10m"]
    first = running(words)
    wait_for(lambda: first.said("learning, "), first)
    wait_for(lambda: re.search(r"learning, .*[1-9][\d,]* windows", "".join(first.lines)), first)
    assert first.end() == 0
    assert first.said("stopped while learning; the next start goes on from here")
    second = running(words)
    wait_for(lambda: second.said("going on with "), second)
    wait_for(lambda: second.said("learning, "), second)
    mapped = Path(f"/proc/{second.process.pid}/maps").read_text()
    assert "numpy" in mapped
    assert "libarrow" not in mapped
    assert second.said("privileges: gave up ")
    assert not second.said("threads, begun before"), "".join(second.lines)
    assert second.end() == 0


@pytest.mark.parametrize("verb", ["record", "watch"])
def test_without_privilege_it_says_so(tmp_path: Path, verb: str) -> None:
    """Without capabilities it is one sentence and code 3, and nothing is left behind to undo."""
    words = [*ODDCALL, verb, "--config", os.devnull]
    words += ["-o", str(tmp_path / "r")] if verb == "record" else ["--state-dir", str(tmp_path)]
    done = subprocess.run(
        ["setpriv", "--bounding-set", "-all", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert done.stderr.startswith("oddcall: ")
    assert done.stderr.count("\n") == 1
    assert "CAP_BPF" in done.stderr
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.parametrize(
    ("named", "types"),
    [(True, "`oddcall train DIR -o FILE`"), (False, "`oddcall watch --relearn`")],
)
def test_a_model_of_another_meaning_of_failing_is_told_of(
    tmp_path: Path, small_lake: Any, running: Start, named: bool, types: str
) -> None:
    """A baseline that learned connections in progress as failures is told of, named or own."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    model = tmp_path / "m.oddcall" if named else state / "baseline.oddcall"
    train = [*ODDCALL, "train", str(small_lake.clean("web1")), "-o", str(model)]
    subprocess.run(train, check=True, capture_output=True)
    words = [*ODDCALL, "watch", "--state-dir", str(state)]
    watch = running([*words, "--model", str(model)] if named else words)
    wait_for(lambda: watch.said("watching with model"), watch)
    said = " ".join(" ".join(watch.lines).split())
    assert "(EINPROGRESS) counts as a failed call in what the model learned" in said
    assert types in said
    assert watch.end() == 0
