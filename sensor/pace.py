"""Slows the sampling while the agent takes more of a processor than it may."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds over which the agent's share is taken: one burst of new processes is no reason.
_SPAN_S = 10.0
#: Intervals that one tick stands for at most.
_MOST = 64
#: What half the interval would take stays well below the cap.
_CALM = 0.4


class Pace:
    """Says how many intervals the next tick is to wait.

    Doubles while this process takes more than its share, halves when it has long taken less.
    Counting goes on in the kernel all the while: windows grow, nothing is lost.

    Parameters
    ----------
    most_share : float
        Of one processor: 0.05 is 5 %.
    now, cpu : callables
        Monotonic seconds, and processor seconds used by this process so far.
    """

    def __init__(
        self,
        most_share: float,
        now: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._most_share, self._now, self._cpu = most_share, now, cpu
        self.intervals = 1
        #: Intervals until the next tick.
        self.left = 1
        self._began: tuple[float, float] | None = None

    def due(self, passed: int = 1) -> bool:
        """Ask at every beat: whether this one is to have a tick.

        Parameters
        ----------
        passed : int, default 1
            Intervals since the beat before: more than one after a late beat.
        """
        self.left -= passed
        if self.left > 0:
            return False
        self._judge()
        self.left = self.intervals
        return True

    def _judge(self) -> None:
        """Look at the share of the span that ends now, if it is long enough; begin another."""
        here = (self._now(), self._cpu())
        # The first span begins with the first tick: what starting took is not sampling.
        before = self._began or here
        elapsed = here[0] - before[0]
        if elapsed >= _SPAN_S:
            share = (here[1] - before[1]) / elapsed
            if share > self._most_share:
                self.intervals = min(self.intervals * 2, _MOST)
            elif share < self._most_share * _CALM:
                self.intervals = max(self.intervals // 2, 1)
        if elapsed >= _SPAN_S or self._began is None:
            self._began = here
