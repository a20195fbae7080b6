"""The line cut after its windows: tick by tick into a recording."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.durations import format_duration
from oddcall.models.errors import SettingError
from oddcall.models.window import Program, WindowBatch
from oddcall.service.quantities import counted
from oddcall.service.screen import Screen, Status
from oddcall.service.source import Source
from oddcall.training.recording import RecordingWriter

if TYPE_CHECKING:
    from oddcall.sensor.sensor import Tick


@dataclass(slots=True)
class Tally:
    """What a recording holds, counted as it is made; memory goes with the processes alive."""

    windows: int = 0
    calls: int = 0
    ended: int = 0
    lost: dict[str, int] = field(default_factory=dict)
    began_ns: int = field(default_factory=time.time_ns)
    now_ns: int = 0
    #: Start of each by its pid.
    _alive: dict[int, int] = field(default_factory=dict)
    _programs: set[Program] = field(default_factory=set)

    def add(self, tick: Tick) -> None:
        """Count one tick."""
        batch = tick.windows
        self.now_ns = tick.time_ns
        self.lost = tick.lost
        self.windows += len(batch)
        self.calls += int(batch.syscalls.counts.sum() + batch.compat.counts.sum())
        self._programs.update(batch.programs[i] for i in set(batch.program.tolist()))
        self._count_processes(batch)

    @property
    def processes(self) -> int:
        """Processes seen so far."""
        return self.ended + len(self._alive)

    @property
    def programs(self) -> int:
        """Programs seen so far."""
        return len(self._programs)

    def as_dict(self) -> dict[str, object]:
        """Give the numbers for a machine."""
        names = ("windows", "processes", "programs", "calls")
        counts: dict[str, object] = {name: getattr(self, name) for name in names}
        return {**counts, "lost": sum(self.lost.values()), "lost_by_kind": self.lost}

    def __str__(self) -> str:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.lost.items() if count)
        return (
            f"{counted(self.windows, 'window')}, {counted(self.processes, 'process')}, "
            f"{counted(self.programs, 'program')}, {counted(self.calls, 'call')}, "
            f"lost {sum(self.lost.values()):,}" + (f" ({kinds})" if kinds else "")
        )

    def _count_processes(self, batch: WindowBatch) -> None:
        # By an exec a process goes on. Earlier ones of a pid come first, and ends last.
        over = (batch.exits > 0) & (batch.execs == 0)
        order = np.lexsort((over, batch.start_time_ns))
        columns = (column[order].tolist() for column in (batch.pid, batch.start_time_ns, over))
        for pid, start_ns, ended in zip(*columns, strict=True):
            # One that was killed while it did nothing has no last window: another has its pid now.
            self.ended += ended + (self._alive.pop(pid, start_ns) != start_ns)
            if not ended:
                self._alive[pid] = start_ns


def record(
    ticks: Iterable[Tick], writer: RecordingWriter, screen: Screen, duration_s: float | None
) -> Tally:
    """Write every tick's windows until the ticks end.

    Parameters
    ----------
    duration_s : what the person asked for, to show how far it is; None is until stopped.

    Raises
    ------
    SettingError
        When the recording that is gone on with is of another interval.
    StorageError
        When the disk is full or gone; the parts written before are whole.
    """
    tally = Tally()
    with writer:
        if writer.goes_on:
            _require_interval(writer)
            screen.say(f"{writer.path} holds a recording of this host: going on with it")
        for tick in ticks:
            writer.append(tick.windows)
            tally.add(tick)
            screen.show(_progress(tally, duration_s))
    return tally


def _require_interval(writer: RecordingWriter) -> None:
    """Refuse windows of two lengths in one recording: they would be two kinds of normal."""
    was, now = (float(m.get("interval_s") or 0) for m in (writer.before, writer.metadata))
    if was and now and was != now:
        raise SettingError(
            f"{writer.path} holds a recording of another interval",
            expected=f"its own, {format_duration(was)}",
            got=format_duration(now),
            fix=f"Type --interval {format_duration(was)}, or name another place with -o.",
        )


def until(source: Source, duration_s: float | None) -> Iterator[Tick]:
    """Pass a source's ticks on, and ask for the last one when the time is over."""
    began_s = time.monotonic()
    for tick in source.ticks():
        yield tick
        if duration_s is not None and time.monotonic() - began_s >= duration_s:
            source.stop()


def _progress(tally: Tally, duration_s: float | None) -> Status:
    elapsed_s = (tally.now_ns - tally.began_ns) / 1e9
    if duration_s is None:
        return Status(f"recording {format_duration(max(elapsed_s, 1))}: {tally}")
    done = min(elapsed_s / duration_s, 1.0)
    left = format_duration(max(duration_s - elapsed_s, 0))
    return Status(f"recording, {left} still: {tally}", done)
