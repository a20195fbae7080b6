"""What we start ourselves, to train and to write, is no behaviour of the host's."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.window import WindowBatch

if TYPE_CHECKING:
    from oddcall.sensor.sensor import Tick


class Own:
    """Leaves windows of our children, and of theirs, out of batches.

    Parameters
    ----------
    pid : int, default ours
    """

    def __init__(self, pid: int | None = None) -> None:
        self._pid = os.getpid() if pid is None else pid
        self._children: set[int] = set()

    def pass_on(self, ticks: Iterable[Tick]) -> Iterator[Tick]:
        """Yield every tick without our own windows."""
        for tick in ticks:
            yield replace(tick, windows=self.left_out(tick.windows))

    def left_out(self, batch: WindowBatch) -> WindowBatch:
        """Give a batch without our own windows."""
        children = batch.ppid == self._pid
        if not self._children and not children.any():
            return batch
        # A pid that comes with another parent was given to somebody else.
        self._children -= set(batch.pid[~children].tolist())
        self._children |= set(batch.pid[children].tolist())
        ours = children | np.isin(batch.ppid, list(self._children))
        self._children -= set(batch.pid[children & (batch.exits > 0)].tolist())
        return batch.take(~ours) if ours.any() else batch
