"""The board: how the running watch stands, for everybody who looks.

::

    sense ──> Board.see(tick) ──> Board.judged(batch, verdicts), Board.alerted(alert)
                                          │
              web, metrics, top  <── Board.picture(), .timeline(), .program()

The watch writes it once a tick, under a lock that it holds for a moment; readers on other
threads get plain values that are theirs to keep. All of it is bounded.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.verdict import Verdicts
from oddcall.models.window import Program, WindowBatch
from oddcall.service.alerts.alert import Alert
from oddcall.service.board.processes import Processes
from oddcall.service.board.programs import Programs
from oddcall.service.board.ring import Ring
from oddcall.service.board.standing import Standings, by_evidence, by_model

if TYPE_CHECKING:
    from oddcall.models.model import Model
    from oddcall.sensor.sensor import Tick
    from oddcall.service.learning.evidence import Evidence
    from oddcall.service.sinks.queued import State

#: Alert lines kept.
ALERTS = 250
#: Ticks that the agent's own cost is taken over.
_COST_TICKS = 60
_COLUMNS = {
    "p": "least",
    "windows": "sum",
    "calls": "sum",
    "errors": "sum",
    "lost": "sum",
    "alerts": "sum",
    "late_s": "most",
}
#: Span -> width and number of bins of the host's timeline.
SPANS: dict[str, tuple[float, int]] = {"10m": (2.0, 300), "2h": (20.0, 360), "24h": (240.0, 360)}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far learning has come: in a line, and the part that is done, 0 to 1."""

    line: str
    done: float
    elapsed_s: float
    remaining_s: float
    windows: int


@dataclass(frozen=True, slots=True)
class _Spent:
    time_ns: int
    cpu_s: float
    bpf_s: float | None


class Board:
    """How the running watch stands.

    Parameters
    ----------
    host : dict of str
        As alerts name it.
    capacity : int
        Processes that the sensor has room for.
    loader : str
        What loaded the program into the kernel.
    now : callable, default time.time_ns
        Reads UTC, in nanoseconds: the age of the last tick is told by it.
    """

    def __init__(
        self,
        host: Mapping[str, str],
        *,
        capacity: int,
        loader: str = "",
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.host, self.capacity, self.loader = dict(host), capacity, loader
        self.pid, self.began_ns, self.now = os.getpid(), now(), now
        #: Held by whoever reads several fields, or writes.
        self.lock = threading.RLock()
        #: Grows when a tick is on the board with its verdicts and alerts.
        self.version = 0
        self.phase = "starting"
        self.model: Model | None = None
        self.progress: Progress | None = None
        self.tick: Tick | None = None
        self.programs, self.processes = Programs(), Processes()
        #: How a program stands; the phase sets it.
        self.standing: Standings = by_evidence([], 0)
        #: Gives the model's program that one of this host is; whoever judges sets it.
        self.same: Callable[[Program], Program] = lambda program: program
        #: How the sinks stand; whoever opens them sets it.
        self.sinks: Callable[[], list[State]] = list
        self.timelines = {
            span: Ring(width_s, bins, _COLUMNS) for span, (width_s, bins) in SPANS.items()
        }
        self.windows = self.calls = 0
        self.late_s = 0.0
        self.lost: dict[str, int] = {}
        self.alerts: deque[Alert] = deque(maxlen=ALERTS)
        #: Episodes that began, by severity at their beginning.
        self.opened: dict[str, int] = {}
        #: Episodes since the start that went to no sink when they began.
        self.unsent = 0
        self._today = (_day(0), 0)
        self._spent: deque[_Spent] = deque(maxlen=_COST_TICKS)

    def pass_on(self, ticks: Iterable[Tick]) -> Iterator[Tick]:
        """Yield every tick once it is on the board."""
        for tick in ticks:
            self.see(tick)
            yield tick
            self.changed()
        with self.lock:
            self.phase = "stopped"
        self.changed()

    def changed(self) -> None:
        """Let readers know that there is something new, and that it is whole."""
        with self.lock:
            self.version += 1

    def see(self, tick: Tick) -> None:
        """Put one tick on the board: what was counted, what was lost, what it cost."""
        batch = tick.windows
        with self.lock:
            lost = sum(tick.lost.values()) - sum(self.lost.values())
            errors = int(batch.errors.counts.sum())
            self.tick, self.lost, self.late_s = tick, dict(tick.lost), tick.late_s
            self.windows += len(batch)
            self.calls += (calls := int(batch.n_events.sum()))
            self._spent.append(_Spent(tick.time_ns, tick.cost.cpu_s, tick.cost.bpf_s))
            self.programs.advance(tick.time_ns)
            self.processes.forget_stale(tick.time_ns, tick.interval_s)
            if len(batch):
                self.processes.count(batch, self.programs.count(batch))
            for ring in self.timelines.values():
                ring.advance(tick.time_ns)
                ring.note("windows", tick.time_ns, len(batch))
                ring.note("calls", tick.time_ns, calls)
                ring.note("errors", tick.time_ns, errors)
                ring.note("lost", tick.time_ns, lost)
                ring.note("late_s", tick.time_ns, tick.late_s)

    def learning(self, evidence: Evidence, line: str) -> None:
        """Say how far learning has come."""
        seen = evidence.programs()
        total_s = max(evidence.elapsed_s + evidence.remaining_s, 1e-9)
        with self.lock:
            self.phase = "learning"
            self.progress = Progress(
                line,
                evidence.elapsed_s / total_s,
                evidence.elapsed_s,
                evidence.remaining_s,
                evidence.windows,
            )
            self.standing = by_evidence(seen, evidence.min_windows)

    def training(self, line: str) -> None:
        """Say that a baseline is being made of what was seen."""
        with self.lock:
            self.phase = "training"
            if self.progress:
                self.progress = replace(self.progress, line=line, done=1.0)

    def watching(self, model: Model) -> None:
        """Say that this model judges from now on."""
        with self.lock:
            self.phase, self.model, self.progress = "watching", model, None
            self.standing = by_model(model)
        self.changed()

    def judged(self, batch: WindowBatch, verdicts: Verdicts) -> None:
        """Put the verdicts on a batch on the board."""
        if not len(batch):
            return
        here = np.zeros(len(batch), np.int64)
        # Of what may alert alone: past the threshold there is an alert.
        p = np.where(verdicts.ready, verdicts.p_value, np.nan)
        with self.lock:
            self.programs.judge(batch, verdicts)
            self.processes.judge(batch, verdicts)
            for ring in self.timelines.values():
                ring.add("p", here, batch.t_end_ns, p)

    def remember(self, alerts: list[Alert], opened_today: int) -> None:
        """Put lines of before this start on the board, oldest first."""
        with self.lock:
            self.alerts.extend(alerts)
            self._today = (_day(self.now()), opened_today)

    @property
    def midnight_ns(self) -> int:
        """When the host's day began, UTC."""
        local = time.localtime(self.now() / 1e9)
        first = (local.tm_year, local.tm_mon, local.tm_mday, 0, 0, 0, 0, 0, -1)
        return int(time.mktime(first)) * 1_000_000_000

    def alerted(self, alert: Alert) -> None:
        """Put one line of an episode on the board."""
        now_ns = self.now()
        with self.lock:
            self.alerts.append(alert)
            if alert["state"] == "open":
                severity = str(alert["severity"])
                self.opened[severity] = self.opened.get(severity, 0) + 1
                today = _day(now_ns)
                day, used = self._today
                self._today = (today, used + 1 if day == today else 1)
                for ring in self.timelines.values():
                    ring.note("alerts", self.tick.time_ns if self.tick else now_ns, 1)

    def held_back(self, lines: Iterable[Alert]) -> None:
        """Count alerts that went to no sink, as too many had within the hour."""
        with self.lock:
            self.unsent += sum(line["state"] == "open" for line in lines)

    @property
    def used_today(self) -> int:
        """Episodes that began since the host's midnight."""
        with self.lock:
            day, used = self._today
            return used if day == _day(self.now()) else 0

    def cost(self) -> tuple[float, float | None]:
        """Share of one processor that the agent took lately, and that its programs took."""
        with self.lock:
            if len(self._spent) < 2:
                return 0.0, None
            first, last = self._spent[0], self._spent[-1]
        seconds = max((last.time_ns - first.time_ns) / 1e9, 1e-9)
        kernel = None
        if last.bpf_s is not None and first.bpf_s is not None:
            kernel = (last.bpf_s - first.bpf_s) / seconds
        return (last.cpu_s - first.cpu_s) / seconds, kernel

    @property
    def silent_s(self) -> float:
        """Seconds since the last tick; 0 before the first one."""
        tick = self.tick
        return max((self.now() - tick.time_ns) / 1e9, 0.0) if tick else 0.0

    @property
    def alive(self) -> bool:
        """Whether ticks come: none is overdue by more than two intervals and five seconds."""
        tick = self.tick
        return tick is None or self.silent_s <= 3 * tick.interval_s + 5


def _day(time_ns: int) -> tuple[int, int]:
    local = time.localtime(time_ns / 1e9)
    return local.tm_year, local.tm_yday
