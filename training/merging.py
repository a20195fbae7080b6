"""Windows as a longer interval would have cut them.

Counts are sums, so windows of one process that follow each other add up exactly, and the steps
from one into the next are counted in the later one already. What cannot be had from a recording
is a shorter interval, since a window does not say when in it a call was made. Processes that
ended within the interval are as they were: a window is of one process, however long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oddcall.models.errors import SettingError
from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray, Sparse
from oddcall.models.window import BLOCKS, WindowBatch

_SUMMED = ("forks", "execs", "exits", "lost", "lost_keys")


def require_longer(metadata: Mapping[str, str], interval_s: float) -> None:
    """Refuse an interval that is shorter than that of the recording."""
    recorded = metadata.get("interval_s", "")
    try:
        short = interval_s < float(recorded)
    except ValueError:  # a recording that does not say cannot be checked
        return
    if short:
        raise SettingError(
            f"windows cannot be cut to {interval_s:g} s",
            expected=f"an interval of {recorded} s, that of the recording, or longer",
            got=f"{interval_s:g} s",
            fix="Record with a shorter --interval.",
        )


def merged(batches: Iterable[WindowBatch], interval_s: float) -> Iterator[WindowBatch]:
    """Add up the windows of each process that end in the same interval, one batch an interval.

    Parameters
    ----------
    batches : iterable of WindowBatch
        In the order they were recorded.
    interval_s : float
        Seconds; intervals are counted from the epoch.
    """
    length = int(interval_s * 1e9)
    held: list[WindowBatch] = []
    now = None
    for batch in batches:
        if not len(batch):
            continue
        interval = int(batch.t_end_ns.max()) // length
        if held and interval != now:
            yield added_up(WindowBatch.concat(held))
            held = []
        held.append(batch)
        now = interval
    if held:
        yield added_up(WindowBatch.concat(held))


def added_up(batch: WindowBatch) -> WindowBatch:
    """Make one window of all those of a process in one program, in the order of the last ones."""
    _, container = np.unique(batch.container, return_inverse=True)
    who = np.stack([batch.pid, batch.start_time_ns, batch.program, container.ravel()], axis=1)
    _, group = np.unique(who, axis=0, return_inverse=True)
    # Numbered by their last row, so that the order is that in which windows closed.
    last = np.full(int(group.max()) + 1, -1)
    np.maximum.at(last, group, np.arange(len(batch)))
    order = np.argsort(last)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    group, n = number[group.ravel()], len(order)
    whole = batch.take(last[order])
    start = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(start, group, batch.t_start_ns)
    columns: dict[str, Any] = {
        name: _sums(getattr(batch, name), group, n).astype(np.int64) for name in _SUMMED
    }
    columns["observed_s"] = _sums(batch.observed_s, group, n)
    complete = np.ones(n, np.bool_)
    np.logical_and.at(complete, group, batch.identity_complete)
    columns |= {name: _added(getattr(batch, name), group, n) for name in BLOCKS}
    return replace(whole, t_start_ns=start, identity_complete=complete, **columns)


def _sums(column: NDArray[Any], group: IntArray, n: int) -> FloatArray:
    sums = np.zeros(n)
    np.add.at(sums, group, column)
    return sums


def _added(block: Sparse, group: IntArray, n: int) -> Sparse:
    cell = group[block.row_of_entry()] * block.width + block.ids
    cells, place = np.unique(cell, return_inverse=True)
    counts = np.zeros(len(cells), np.int64)
    np.add.at(counts, place.ravel(), block.counts)
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(cells // block.width, minlength=n), out=indptr[1:])
    return Sparse(indptr, cells % block.width, counts, block.width)
