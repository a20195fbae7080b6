"""The latest window of each process that lately had one, in columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oddcall.models.sparse import IntArray
from oddcall.models.verdict import Verdicts
from oddcall.models.window import WindowBatch

#: Processes kept.
MOST = 4096
#: Seconds without a window after which a process is no longer shown.
_STALE_S = 60.0
#: Or so many intervals between ticks, where they are longer.
_STALE_TICKS = 3


class Processes:
    """A row a process, the newest window first, at most ``most`` of them.

    Attributes
    ----------
    columns : dict of str to array (n,)
        ``pid``, ``start_time_ns``, ``ppid``, ``uid``, ``program`` (row of `Programs`), ``comm``,
        ``t_end_ns``, ``calls_s``, ``errors_s``, ``p`` (NaN where it may not alert), ``alert``,
        ``ended``.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.columns: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self.columns["pid"]) if self.columns else 0

    def count(self, batch: WindowBatch, programs: IntArray) -> None:
        """Put the windows of a batch first; ``programs`` has the row of each one's program."""
        seconds = np.maximum(batch.observed_s, 1e-3)
        fresh: dict[str, NDArray[Any]] = {
            "pid": batch.pid,
            "start_time_ns": batch.start_time_ns,
            "ppid": batch.ppid,
            "uid": batch.uid,
            "program": programs,
            "comm": batch.comm,
            "t_end_ns": batch.t_end_ns,
            "calls_s": batch.n_events / seconds,
            "errors_s": batch.errors.row_sums() / seconds,
            "p": np.full(len(batch), np.nan),
            "alert": np.zeros(len(batch), np.bool_),
            "ended": batch.exits > 0,
        }
        if len(self):
            # Until it is judged, a window shows what the process's last one was judged.
            place, here = self._find(batch)
            for name in ("p", "alert"):
                fresh[name][here] = self.columns[name][place[here]]
            fresh = {name: np.concatenate([fresh[name], old]) for name, old in self.columns.items()}
        _, first = np.unique(_identity(fresh["pid"], fresh["start_time_ns"]), return_index=True)
        self._keep(fresh, np.sort(first)[: self.most])

    def judge(self, batch: WindowBatch, verdicts: Verdicts) -> None:
        """Add the verdicts on windows, where their processes are here."""
        if not len(self):
            return
        place, here = self._find(batch)
        # Of the window that is shown, where a process had several: it may have become another.
        here &= self.columns["t_end_ns"][place] == batch.t_end_ns
        p = np.where(verdicts.ready, verdicts.p_value, np.nan)
        self.columns["p"][place[here]] = p[here]
        self.columns["alert"][place[here]] = verdicts.alert[here]

    def forget_stale(self, now_ns: int, interval_s: float = 1.0) -> None:
        """Drop processes that had no window for a while: a minute, or three ticks if longer."""
        if len(self):
            # The absolute gap: of a clock set back, what lies far ahead was seen long ago.
            age_s = np.abs(now_ns - self.columns["t_end_ns"]) / 1e9
            fresh = age_s < max(_STALE_S, _STALE_TICKS * interval_s)
            if not fresh.all():
                self._keep(self.columns, np.flatnonzero(fresh))

    def _find(self, batch: WindowBatch) -> tuple[IntArray, NDArray[np.bool_]]:
        """Row of each window's process, and whether it is the right one."""
        known = _identity(self.columns["pid"], self.columns["start_time_ns"])
        asked = _identity(batch.pid, batch.start_time_ns)
        order = np.argsort(known)
        place = order[np.minimum(np.searchsorted(known[order], asked), len(known) - 1)]
        return place, known[place] == asked

    def _keep(self, columns: dict[str, NDArray[Any]], rows: IntArray) -> None:
        self.columns = {name: column[rows] for name, column in columns.items()}


def _identity(pid: IntArray, start_time_ns: IntArray) -> IntArray:
    """One number a process: pids have 22 bits, and what overflows of the other is minutes."""
    identity: IntArray = (start_time_ns << 22) | pid
    return identity
