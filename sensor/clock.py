"""Ticks on a grid of absolute deadlines: late ones say so, none of them drift or bunch up."""

from __future__ import annotations

import math
import os
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from oddcall.models.errors import SettingError


@dataclass(frozen=True, slots=True)
class Beat:
    """One tick.

    Attributes
    ----------
    deadline_s : float
        When it was due, on the clock's own time line (monotonic seconds by default).
    late_s : float
        How long after that it came; never negative.
    missed : int
        Later deadlines that had passed by then as well. They get no beat of their own.
    """

    deadline_s: float
    late_s: float
    missed: int


class Clock:
    """Yields a beat at every multiple of the interval after it began, until told to stop.

    Parameters
    ----------
    interval_s : float
        Seconds from one deadline to the next; more than 0.
    now : callable, default time.monotonic
        Reads the time line, in seconds. It stands still while the machine sleeps, so a
        resumed machine is not a flood of missed ticks.
    wait : callable, optional
        ``wait(seconds)`` returns when the time is over or, earlier, when `stop` was called.
        By default a poll on an event descriptor.

    Raises
    ------
    SettingError
        If the interval is not a number above 0.
    """

    def __init__(
        self,
        interval_s: float,
        *,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] | None = None,
    ) -> None:
        if not (math.isfinite(interval_s) and interval_s > 0):
            raise SettingError(
                "the interval is not usable",
                expected="a number of seconds above 0",
                got=repr(interval_s),
                fix="Give for example --interval 1s.",
            )
        self.interval_s = interval_s
        self._now = now
        self._wait = wait or self._poll
        self._stopped = False
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def stop(self) -> None:
        """End the iteration at once, in the middle of a wait too.

        Safe from a signal handler and from any thread: it takes no lock (a
        ``threading.Event`` would, and can deadlock against the wait it interrupts).
        """
        self._stopped = True
        if self._event >= 0:
            os.eventfd_write(self._event, 1)

    def close(self) -> None:
        """Give the descriptor back; the clock has stopped then. Safe to call twice."""
        self._stopped = True
        event, self._event = self._event, -1
        if event >= 0:
            os.close(event)

    def beats(
        self, between: Callable[[], None] | None = None, every_s: float = 0.1
    ) -> Iterator[Beat]:
        """Iterate over the ticks; the first is due one interval from now.

        Parameters
        ----------
        between : callable, optional
            Work to do while waiting, every `every_s` seconds. If it takes too long the next
            beat is late and says so.
        every_s : float, default 0.1
            Pause between two calls of `between`.
        """
        begin = self._now()
        step = 1
        while self._until(begin + step * self.interval_s, between, every_s):
            deadline = begin + step * self.interval_s
            late = max(0.0, self._now() - deadline)
            missed = math.floor(late / self.interval_s)
            yield Beat(deadline, late, missed)
            step += 1 + missed

    def _until(self, deadline: float, between: Callable[[], None] | None, every_s: float) -> bool:
        """Wait for the deadline; False when stopped before it."""
        while (left := self._left(deadline)) > 0:
            self._wait(left if between is None else min(left, every_s))
            if between is not None and self._left(deadline) > 0:
                between()
        return not self._stopped

    def _left(self, deadline: float) -> float:
        return 0.0 if self._stopped else deadline - self._now()

    def _poll(self, seconds: float) -> None:
        # Built for each wait: a poll object remembers nothing worth keeping for a second.
        poll = select.poll()
        poll.register(self._event, select.POLLIN)
        poll.poll(seconds * 1000)
