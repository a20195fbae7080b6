"""A bounded queue of alerts in memory: what does not outlive the process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from oddcall.service.alerts.alert import Alert, tells_more
from oddcall.service.alerts.notice import is_notice
from oddcall.service.alerts.severity import LEVELS
from oddcall.service.sinks.losses import Losses, Toll


@dataclass(frozen=True, slots=True)
class Waiting:
    """An alert in a queue, and its place there."""

    place: int
    alert: Alert


class Queue(Protocol):
    """Holds alerts until they are delivered. Not safe for several threads by itself."""

    toll: Toll
    #: Whether what waits outlives the process.
    durable: bool

    def __len__(self) -> int:
        """How many wait."""

    def put(self, alert: Alert) -> None:
        """Let an alert wait; drops, and counts, the least worthy one where there is no room."""

    def first(self, most: int) -> list[Waiting]:
        """Give the oldest ones; they cannot be dropped until the next call of ``done``."""

    def done(self, taken: Sequence[Waiting]) -> None:
        """Forget what ``first`` gave: it was delivered."""

    def told(self, losses: Losses) -> None:
        """Note that these losses are known to whoever reads the alerts."""

    def close(self) -> None:
        """Give everything back."""


def worth(alert: Alert) -> int:
    """Rank an alert among those that might be dropped: higher is kept longer.

    Graver ones outlast slighter ones, and first lines of an episode, and those that tell more,
    its other lines: a flood of small alerts must not push the one that matters out of the queue.
    """
    grade = LEVELS.index(alert["severity"]) if alert.get("severity") in LEVELS else 0
    first = is_notice(alert) or alert.get("state") == "open" or tells_more(alert)
    return 2 * grade + first


class Memory:
    """A queue in memory.

    Parameters
    ----------
    most : int
        Alerts held at once.
    toll : Toll, optional
        Where losses are counted; its own by default.
    """

    durable = False

    def __init__(self, most: int, toll: Toll | None = None) -> None:
        self._most = most
        self._held: list[Waiting] = []
        self._next = 0
        self._flying = 0
        self.toll = toll or Toll()

    def __len__(self) -> int:
        return len(self._held)

    def put(self, alert: Alert) -> None:
        """Let an alert wait."""
        self._held.append(Waiting(self._next, alert))
        self._next += 1
        if len(self._held) > self._most:
            least = min(self._held[self._flying :], key=lambda w: (worth(w.alert), w.place))
            self._held.remove(least)
            self.toll.lost += Losses(full=1)

    def first(self, most: int) -> list[Waiting]:
        """Give the oldest ones."""
        taken = self._held[:most]
        self._flying = len(taken)
        return taken

    def done(self, taken: Sequence[Waiting]) -> None:
        """Forget what was delivered."""
        places = {waiting.place for waiting in taken}
        self._held = [waiting for waiting in self._held if waiting.place not in places]
        self._flying = 0

    def told(self, losses: Losses) -> None:
        """Note that these losses are known."""
        self.toll.told += losses

    def close(self) -> None:
        """Do nothing: memory needs no closing."""
