"""Several queued sinks as one: all are asked to stop before any is waited for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from oddcall.models.errors import OddcallError
from oddcall.service.alerts.alert import Alert
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

    def exchange(self, gone: Collection[str], fresh: Sequence[Callable[[], Queued]]) -> None:
        """Let the sinks of some names go, then open others in their place.

        Raises
        ------
        OddcallError
            When one could not be closed or opened; the others are in place.
        """
        wrong: OddcallError | None = None
        for step in [*(s.leave for s in self._sinks if s.name in gone), *fresh]:
            try:
                opened = step()
            except OddcallError as error:
                wrong = wrong or error
            else:
                self._sinks += [opened] if opened else []
        self._sinks = [s for s in self._sinks if not s.closed]
        if wrong:
            raise wrong

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
