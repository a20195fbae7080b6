"""Slows the sampling while the agent takes more of a processor than it may."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds over which the agent's share is taken: one burst of new processes is no reason.
_SPAN_S = 10.0
#: Intervals that one tick stands for at most: what begins in between is seen that much later.
_MOST = 16
#: What half the interval would take stays well below the cap.
_CALM = 0.4
#: Half as many ticks take half where ticks are what is dear. Where it is each process that comes
#: and goes they take as much as before; less than a fifth saved is not worth looking later.
_HELPED = 0.8
#: Seconds until that is tried again, unless the share doubles before.
_AGAIN_S = 1800.0


class Pace:
    """Says how many intervals the next tick is to wait.

    Doubles while this process takes more than its share, halves when it has long taken less. A
    doubling that saves next to nothing is taken back. Counting goes on in the kernel all the while:
    windows grow, nothing is lost.

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
        #: Share of a processor at which looking less often saved nothing; None when all is calm.
        self.vain_share: float | None = None
        self._again_s = 0.0
        #: Share before the interval doubled; None where it did not.
        self._before_doubling: float | None = None
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
            self._adapt((here[1] - before[1]) / elapsed, here[0])
        if elapsed >= _SPAN_S or self._began is None:
            self._began = here

    def _adapt(self, share: float, now_s: float) -> None:
        """Choose the interval after a span in which this process took `share` of a processor."""
        before, self._before_doubling = self._before_doubling, None
        if share <= self._most_share:
            if share < self._most_share * _CALM:
                self.vain_share = None
                self.intervals = max(self.intervals // 2, 1)
        elif before is not None and share > before * _HELPED:
            self.intervals //= 2
            self.vain_share, self._again_s = share, now_s + _AGAIN_S
        elif self.intervals < _MOST and not self._known_vain(share, now_s):
            self.intervals *= 2
            self.vain_share, self._before_doubling = None, share

    def _known_vain(self, share: float, now_s: float) -> bool:
        """Whether a doubling at about this share lately saved nothing."""
        vain = self.vain_share
        return vain is not None and share < 2 * vain and now_s < self._again_s
