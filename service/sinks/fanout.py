"""Several queued sinks as one: all are asked to stop before any is waited for."""

from __future__ import annotations

from collections.abc import Sequence

from oddcall.models.errors import OddcallError
from oddcall.service.alert import Alert
from oddcall.service.sinks.queued import Queued, State


class FanOut:
    """Sends every alert to every sink, so that stopping takes as long as the slowest one."""

    name = "the sinks"

    def __init__(self, sinks: Sequence[Queued]) -> None:
        self._sinks = list(sinks)

    def send(self, alert: Alert) -> None:
        """Queue one alert everywhere; raises BrokenPipeError once a pipe's reader left."""
        gone: BrokenPipeError | None = None
        for sink in self._sinks:
            try:
                sink.send(alert)
            except BrokenPipeError as error:
                gone = error
        if gone:
            raise gone

    def close(self) -> None:
        """Stop all, then close all; raises StorageError when a sink in memory has some left."""
        wrong: OddcallError | None = None
        for sink in self._sinks:
            sink.stop()
        for sink in self._sinks:
            try:
                sink.close()
            except OddcallError as error:
                wrong = wrong or error
        if wrong:
            raise wrong

    @property
    def states(self) -> list[State]:
        """How each sink stands."""
        return [sink.state for sink in self._sinks]
