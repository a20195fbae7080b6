"""What the loop is fed: the shape of a sensor, so that any iterable of ticks will do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from oddcall.sensor.sensor import Tick


class Source(Protocol):
    """Yields ticks until it is stopped; ``oddcall.sensor.sensor.Sensor`` is one, once entered."""

    def ticks(self) -> Iterator[Tick]:
        """Iterate over ticks, the last one with every open window closed."""

    def stop(self) -> None:
        """Bring the last tick about; safe in a signal handler."""
