"""The sensing half of the line as one iterator: kernel maps in, batches of windows out."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from oddcall.models.errors import KernelError, SettingError
from oddcall.models.sparse import IntArray
from oddcall.models.window import WindowBatch
from oddcall.sensor.clock import Clock
from oddcall.sensor.identity import Identities
from oddcall.sensor.pace import Pace
from oddcall.sensor.privilege import shed
from oddcall.sensor.probe import Probe, ProbeSettings
from oddcall.sensor.run_time import RunTime
from oddcall.sensor.skipped import may_ask
from oddcall.sensor.sweep import Snapshot, Sweep, WindowRule


@dataclass(frozen=True, slots=True)
class SensorSettings:
    """How to watch a host.

    Parameters
    ----------
    interval_s : float, default 1.0
        Seconds between two looks at the kernel's counters.
    min_events : int, default 256
        Events that make a window whole.
    max_age_s : float, default 5.0
        Age at which a window is taken as it is.
    max_processes : int, default 8192
        Processes counted at once, 11.2 KB of kernel memory each; from 16 to 1048575.
    max_programs : int, default 1024
        Programs told apart.
    loader : {"auto", "bcc", "core"}, default "auto"
    max_cpu : float, default 0.05
        Share of one processor past which this process looks less often.
    time_kernel_side : bool, default False
        Have the kernel time our programs. That costs more than they do.
    simulate_loss : float, default 0.0
        Share of all process ids that get no slot, from 0 to 1: to see what loss looks like.
    """

    interval_s: float = 1.0
    min_events: int = 256
    max_age_s: float = 5.0
    max_processes: int = 8192
    max_programs: int = 1024
    loader: str = "auto"
    max_cpu: float = 0.05
    time_kernel_side: bool = False
    simulate_loss: float = 0.0

    def __post_init__(self) -> None:
        _require("max_processes", self.max_processes, 16, (1 << 20) - 1)
        _require("max_programs", self.max_programs, 2, 1 << 20)
        _require("min_events", self.min_events, 1, 1 << 31)
        _require("max_age_s", self.max_age_s, 0.1, 3600.0)
        _require("simulate_loss", self.simulate_loss, 0.0, 1.0)


def _require(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise SettingError(
            f"the setting {name} is out of range", expected=f"{low} to {high}", got=str(value)
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What the agent itself has used: processor seconds since it began, resident bytes now.

    And, where it is asked for, seconds that its programs have run in the kernel, in other
    processes' time.
    """

    cpu_s: float
    rss_bytes: int
    bpf_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tick:
    """One look at the host.

    Attributes
    ----------
    time_ns : int
        When, UTC.
    late_s : float
        How much later than planned.
    windows : WindowBatch
        Windows that closed at this look; may be empty.
    lost : dict of str to int
        What could not be counted or told apart since attaching, by kind.
    tracked : int
        Processes that have a slot.
    cost : Cost
    interval_s : float
        Seconds until the next tick: more than the setting while the agent is over its cap.
    vain_share : float or None
        Share of a processor, over the cap, at which looking less often lately saved nothing.
    """

    time_ns: int
    late_s: float
    windows: WindowBatch
    lost: dict[str, int]
    tracked: int
    cost: Cost
    interval_s: float = 1.0
    vain_share: float | None = None


class Sensor:
    """Loads the program while entered, and ticks. The agent's own process is left out.

    Parameters
    ----------
    settings : SensorSettings, optional
    proc : Path, default /proc
        Where the process tree is mounted.

    Raises
    ------
    PrivilegeError, KernelError
        On entering: see `Probe`.
    """

    def __init__(
        self, settings: SensorSettings | None = None, *, proc: Path = Path("/proc")
    ) -> None:
        self.settings = settings or SensorSettings()
        self.probe = Probe(
            ProbeSettings(
                slots=self.settings.max_processes,
                loader=self.settings.loader,
                simulate_loss=self.settings.simulate_loss,
            )
        )
        self._clock = Clock(self.settings.interval_s)
        self._pace = Pace(self.settings.max_cpu)
        self._run_time: RunTime | None = None
        self._identities = Identities(self.settings.max_processes, proc, self.settings.max_programs)
        self._sweep: Sweep
        self._early: list[WindowBatch] = []
        self._waiting: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        began = time.monotonic()
        self.probe.__enter__()
        try:
            if self.settings.time_kernel_side:
                self._run_time = RunTime(self.probe.programs)
        except KernelError:
            self.probe.close()
            raise
        rule = WindowRule(self.settings.min_events, self.settings.max_age_s)
        self._sweep = Sweep(self.probe.maps, rule, began)
        return self

    def __exit__(self, *_: object) -> None:
        self._clock.close()
        if self._run_time is not None:
            self._run_time.close()
        self.probe.close()

    def shed_privileges(self, places: Sequence[Path] = ()) -> str:
        """Give up what counting does not need, for good; says in one line what that was.

        Once entered, and before any other thread begins: see `privilege.shed`.
        """
        return shed(lambda: may_ask(self.probe.programs[0]), places)

    def stop(self) -> None:
        """End `ticks` with one last tick that closes every window. Safe in a signal handler."""
        self._clock.stop()

    def ticks(self, waiting: Callable[[], None] | None = None) -> Iterator[Tick]:
        """Iterate over the looks at the host; the last one, after `stop`, closes all windows.

        Parameters
        ----------
        waiting : callable, optional
            Called between them, some times a second.
        """
        self._waiting = waiting
        for beat in self._clock.beats(self._relieve, _relief_s(self.settings.max_processes)):
            # While the sampling is slowed down a late beat may be an earlier one than was planned.
            early_s = (self._pace.left - 1) * self.settings.interval_s
            if self._pace.due(beat.missed + 1):
                yield self._tick(max(beat.late_s - early_s, 0.0), close_all=False)
        yield self._tick(0.0, close_all=True)

    def _relieve(self) -> None:
        """Between ticks: a burst of short processes must not use up the slots."""
        if self._sweep.crowded:
            self._early.append(self._look(0.0, ended_only=True))
        if self._waiting:
            self._waiting()

    def _tick(self, late_s: float, *, close_all: bool) -> Tick:
        windows = self._look(late_s, close_all=close_all)
        if self._early:
            windows = WindowBatch.concat([*self._early, windows])
            self._early.clear()
        return Tick(
            time_ns=time.time_ns(),
            late_s=late_s,
            windows=windows,
            lost={**self._sweep.lost(), "programs past the cap": self._identities.refused},
            tracked=self._sweep.tracked,
            cost=_own_cost(self._run_time),
            interval_s=self._pace.intervals * self.settings.interval_s,
            vain_share=self._pace.vain_share,
        )

    def _look(
        self, late_s: float, *, close_all: bool = False, ended_only: bool = False
    ) -> WindowBatch:
        snapshot = self._sweep.look(time.monotonic(), close_all=close_all, ended_only=ended_only)
        self._identities.meet(snapshot.seen, snapshot.seen_heads)
        # Named here and now: by the next look another process may have the slot.
        return self._windows(snapshot, late_s)

    def _windows(self, snapshot: Snapshot, late_s: float) -> WindowBatch:
        identities, heads, n = self._identities, snapshot.heads, len(snapshot)
        utc_of_monotonic = time.time_ns() - time.monotonic_ns()

        def utc(seconds: NDArray[np.float64]) -> IntArray:
            return (seconds * 1e9).astype(np.int64) + utc_of_monotonic

        batch = WindowBatch(
            programs=identities.programs,
            pid=heads["tgid"].astype(np.int64),
            t_start_ns=utc(snapshot.opened_s),
            t_end_ns=utc(snapshot.closed_s),
            start_time_ns=heads["start_ns"].astype(np.int64),
            ppid=heads["ppid"].astype(np.int64),
            uid=heads["uid"].astype(np.int64),
            comm=np.char.decode(heads["comm"], "utf-8", "backslashreplace"),
            container=identities.container[snapshot.slots].astype(np.str_),
            program=identities.program[snapshot.slots],
            **snapshot.blocks,
            forks=snapshot.forks,
            execs=snapshot.execs,
            exits=snapshot.ended.astype(np.int64),
            observed_s=snapshot.closed_s - snapshot.opened_s,
            late_s=np.full(n, late_s),
            lost=snapshot.lost,
            lost_keys=snapshot.lost_keys,
            identity_complete=identities.complete[snapshot.slots],
        )
        identities.forget(snapshot.gone)
        others = batch.pid != os.getpid()
        return batch if others.all() else batch.take(others)


def _relief_s(slots: int) -> float:
    """Seconds between two looks at whether slots run short.

    Each look wakes this process. In a quarter of a second 32,768 forks a second take the 8,192
    slots of the default.
    """
    return min(max(slots / 32_768, 0.1), 0.25)


def _own_cost(run_time: RunTime | None) -> Cost:
    used = resource.getrusage(resource.RUSAGE_SELF)
    statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    try:
        pages = int(os.read(statm, 128).split()[1])
    finally:
        os.close(statm)
    return Cost(
        cpu_s=used.ru_utime + used.ru_stime,
        rss_bytes=pages * resource.getpagesize(),
        bpf_s=run_time.seconds() if run_time else None,
    )
