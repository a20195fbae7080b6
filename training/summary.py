"""A recording added up, without reading its count blocks."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from oddcall.models.sparse import IntArray
from oddcall.models.window import Program
from oddcall.training.columns import ProgramTable, values
from oddcall.training.parts import parts, read_metadata, tables


@dataclass(frozen=True, slots=True)
class Summary:
    """A recording at a glance.

    Attributes
    ----------
    parts, rows, ticks, events : int
        Files, windows, batches, and system calls with io_uring submissions.
    start_ns, end_ns : int
        Begin of the first window and end of the last, nanoseconds UTC; 0 without rows.
    programs : dict of Program to int
        Windows of each program.
    lost, lost_keys : int
        Updates and processes lost on the host, at least: windows overlap, so the
        losses they report are laid over each other, not added up.
    incomplete : int
        Windows whose process was gone before its identity could be read.
    metadata : dict of str
    """

    parts: int
    rows: int
    ticks: int
    events: int
    start_ns: int
    end_ns: int
    programs: dict[Program, int]
    lost: int
    lost_keys: int
    incomplete: int
    metadata: dict[str, str]

    @property
    def span_s(self) -> float:
        """Seconds from the first window's begin to the last one's end."""
        return (self.end_ns - self.start_ns) / 1e9


_GLANCE = ["tick", "t_start", "t_end", "exe", "dev", "ino", "unit", "container_kind", "program"]
_GLANCE += ["n_events", "lost", "lost_keys", "identity_complete"]


def summary(path: Path | str) -> Summary:
    """Add up a recording without reading its count blocks.

    Raises
    ------
    RecordingError
        As ``read_batches``.
    """
    known = ProgramTable()
    windows: Counter[int] = Counter()
    lost, lost_keys = _Losses(), _Losses()
    rows = ticks = events = incomplete = end = 0
    start, last_tick = None, None
    for table in tables(path, _GLANCE):
        tick, t_start, t_end = (values(table, name) for name in ("tick", "t_start", "t_end"))
        windows.update(dict(enumerate(np.bincount(known.rows(table)).tolist())))
        lost.add(t_start, t_end, values(table, "lost"))
        lost_keys.add(t_start, t_end, values(table, "lost_keys"))
        rows += table.num_rows
        ticks += 1 + int(np.count_nonzero(np.diff(tick))) - int(tick[0] == last_tick)
        last_tick = tick[-1]
        events += int(values(table, "n_events").sum())
        incomplete += int(np.count_nonzero(~values(table, "identity_complete")))
        first = int(t_start.min())
        start = first if start is None else min(start, first)
        end = max(end, int(t_end.max()))
    return Summary(
        parts=len(parts(path)),
        rows=rows,
        ticks=ticks,
        events=events,
        start_ns=start or 0,
        end_ns=end,
        programs={known.programs[i]: n for i, n in windows.items()},
        lost=lost.total,
        lost_keys=lost_keys.total,
        incomplete=incomplete,
        metadata=read_metadata(path),
    )


class _Losses:
    """The least loss over time that accounts for what every window reports of its own span."""

    def __init__(self) -> None:
        self._times: list[int] = [0]
        self._levels: list[int] = [0]

    @property
    def total(self) -> int:
        return self._levels[-1]

    def add(self, t_start: IntArray, t_end: IntArray, lost: IntArray) -> None:
        some = np.flatnonzero(lost)
        spans = np.unique(np.stack([t_end[some], t_start[some], lost[some]], axis=1), axis=0)
        # One step a distinct span that lost something: none at all in a healthy recording.
        for end, start, count in spans.tolist():
            before = self._levels[bisect_right(self._times, start) - 1]
            level = max(self._levels[-1], before + count)
            if end > self._times[-1]:
                self._times.append(end)
                self._levels.append(level)
            else:
                self._levels[-1] = level
