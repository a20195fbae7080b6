"""Where alerts go: the one shape every sink has, and several of them at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from oddcall.models.errors import OddcallError, StorageError
from oddcall.service.alerts.alert import Alert
from oddcall.service.quantities import counted

#: Alerts kept for a sink that fails; past it the oldest is dropped, and counted.
PENDING = 1000


class Sink(Protocol):
    """Takes alerts one at a time."""

    @property
    def name(self) -> str:
        """What to call it when it fails."""

    def send(self, alert: Alert) -> None:
        """Deliver one alert for good, or raise an OddcallError; sending again is harmless."""

    def close(self) -> None:
        """Give everything back."""


class Delivery:
    """Sends every alert to every sink; one that fails is tried again, and never stops the rest.

    Parameters
    ----------
    say : callable
        Told one sentence when a sink begins to fail, and one when it works again.
    """

    def __init__(self, sinks: Sequence[Sink], say: Callable[[str], None]) -> None:
        self._sinks = list(sinks)
        self._say = say
        self._pending: list[deque[Alert]] = [deque() for _ in sinks]
        self._failing = [False for _ in sinks]
        self._cause: OddcallError | None = None
        self.dropped = 0

    def send(self, alert: Alert) -> None:
        """Queue an alert everywhere, then deliver what can be."""
        for pending in self._pending:
            if len(pending) >= PENDING:
                pending.popleft()
                self.dropped += 1
            pending.append(alert)
        self.flush()

    def flush(self) -> None:
        """Deliver what is queued, in order; a sink that fails keeps its own for the next time."""
        for i, (sink, pending) in enumerate(zip(self._sinks, self._pending, strict=True)):
            try:
                while pending:
                    sink.send(pending[0])
                    pending.popleft()
            except OddcallError as error:
                self._fails(i, error)
            else:
                self._works(i)

    def close(self) -> None:
        """Deliver what can be, and close every sink.

        Raises
        ------
        StorageError
            When alerts could not be delivered.
        """
        try:
            self.flush()
        finally:  # a pipe whose reader has left must not keep the others from being drained
            wrong = self._close_all()
        left = sum(map(len, self._pending)) + self.dropped
        if left and self._cause:
            raise StorageError(
                f"{counted(left, 'alert')} {'was' if left == 1 else 'were'} not delivered",
                got=str(self._cause).rstrip("."),
                fix="`oddcall replay` finds them again in a recording of that time.",
            )
        if wrong:
            raise wrong

    def _close_all(self) -> OddcallError | None:
        """Close every sink; returns the first error."""
        wrong: OddcallError | None = None
        for sink in self._sinks:
            try:
                sink.close()
            except OddcallError as error:
                wrong = wrong or error
        return wrong

    def _fails(self, i: int, error: OddcallError) -> None:
        if not self._failing[i]:
            self._say(f"alerts wait for {self._sinks[i].name}: {error}")
        self._failing[i], self._cause = True, error

    def _works(self, i: int) -> None:
        if self._failing[i]:
            self._say(f"{self._sinks[i].name} takes alerts again")
        self._failing[i] = False
