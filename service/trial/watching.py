"""The product under trial: ``oddcall watch`` as a child, and its alerts as they come."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oddcall.service.alerts.notice import is_notice
from oddcall.service.config import inherited
from oddcall.service.learning.child import kind_of

#: An episode is closed after so long without an alerting window: behaviours follow each other
#: closely here. The default, 15 s, folds more alerts into one, so this counts no fewer of them.
QUIET_S = 5
_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Arrival:
    """One line of an alert, and when it could be read.

    Attributes
    ----------
    at_s : float
        Seconds since the epoch.
    alert : dict
        The line, in the native schema.
    """

    at_s: float
    alert: dict[str, Any]


@dataclass(slots=True)
class Watching:
    """A watch that runs, from its learning on.

    Attributes
    ----------
    folder : Path
        Its state, and below it ``kept``, ``alerts.jsonl`` and ``baseline.oddcall``.
    """

    folder: Path
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    _read: int = 0

    @property
    def alerts(self) -> Path:
        """Where its alerts go."""
        return self.folder / "alerts.jsonl"

    @property
    def kept(self) -> Path:
        """The recording of what it judged."""
        return self.folder / "kept"

    @property
    def model(self) -> Path:
        """What it learned."""
        return self.folder / "baseline.oddcall"

    def look(self) -> list[Arrival]:
        """Read the lines that came since the last look.

        Raises
        ------
        OddcallError
            When the watch has ended by itself.
        """
        self.require_running()
        return self._take()

    def _take(self) -> list[Arrival]:
        if not self.alerts.exists():
            return []
        with self.alerts.open("rb") as file:
            file.seek(self._read)
            whole, end, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(end)
        now = time.time()
        lines = [json.loads(line) for line in whole.splitlines()]
        fresh = [Arrival(now, line) for line in lines if not is_notice(line)]
        self.arrivals += fresh
        return fresh

    def drain(self) -> None:
        """Read what was written before it ended."""
        self._take()

    def until(self, over: Callable[[], bool], seconds: float, told: Callable[[], None]) -> bool:
        """Look at what comes until something holds or the time is over; whether it came to hold."""
        end = time.monotonic() + seconds
        while not (held := over()) and time.monotonic() < end:
            self.look()
            told()
            time.sleep(_LOOK_S)
        return held

    def says(self, text: str) -> bool:
        """Whether it has said something."""
        return any(text in line for line in self.said)

    def open_episodes(self) -> set[str]:
        """Ids of episodes that were opened and not closed."""
        found: set[str] = set()
        for arrival in self.arrivals:
            change = found.discard if arrival.alert["state"] == "close" else found.add
            change(arrival.alert["episode_id"])
        return found

    def require_running(self) -> None:
        """Raise the error that ended the watch, if it has ended."""
        code = self.process.poll()
        if code is None:
            return
        last = self.said[-1].strip().removeprefix("oddcall: ") if self.said else ""
        raise kind_of(code)(
            "the watch under trial ended" + (f": {last}" if last else f" with code {code}")
        )


def environment() -> dict[str, str]:
    """Give what the watch and the replay of a trial are set to, whatever this host sets."""
    return inherited.environment(
        {
            "ODDCALL_ALERTS_QUIET": f"{QUIET_S}s",
            # Every alert counts, however many there are and however alike.
            "ODDCALL_ALERTS_COOLDOWN": "0s",
            "ODDCALL_ALERTS_MOST_PER_HOUR": "100000",
            # To learn for as long as was asked, and no longer.
            "ODDCALL_LEARNING_PATIENCE": "1",
        }
    )


@contextmanager
def watching(folder: Path, learn: str, budget: str) -> Iterator[Watching]:
    """Start a watch without a model in an own folder; it is ended with the context."""
    words = [*oddcall("watch"), "--state-dir", str(folder), "--learn", learn, "--budget", budget]
    words += ["--alerts", str(folder / "alerts.jsonl"), "--record", str(folder / "kept")]
    process = subprocess.Popen(  # noqa: S603  our own command line
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
        start_new_session=True,
    )
    found = Watching(folder, process)
    reader = threading.Thread(target=_hear, args=(process, found.said), daemon=True)
    reader.start()
    try:
        yield found
    finally:
        _end(process)
        reader.join(5)


def oddcall(verb: str) -> list[str]:
    """Give the words that run a verb with this interpreter."""
    return [sys.executable, "-P", "-m", "oddcall.service.cli", verb]


def _hear(process: subprocess.Popen[str], said: list[str]) -> None:
    assert process.stdout  # noqa: S101  a pipe, as asked for
    with process.stdout:
        said.extend(iter(process.stdout.readline, ""))


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
