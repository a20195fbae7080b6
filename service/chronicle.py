"""Writes alerts into the history, and what their programs did, as it happens.

A person may answer an alert while its episode is open, so what was seen of it until then is
written down at the end of each tick.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.tolerance import Behaviour
from oddcall.models.window import Program, WindowBatch
from oddcall.service.alerts.alert import Alert
from oddcall.service.history import History

if TYPE_CHECKING:
    from oddcall.models.model import Model

#: Windows of a program looked at in one tick, and programs of an episode: a storm of processes
#: that all do the same must not cost more than a few.
_WINDOWS, _PROGRAMS = 64, 16


class Chronicle:
    """Keeps what is needed to answer an alert.

    Parameters
    ----------
    history : History
    model : callable
        Gives the model in use now.
    """

    def __init__(self, history: History, model: Callable[[], Model]) -> None:
        self._history, self._model = history, model
        self._open: dict[str, dict[Program, Behaviour]] = {}
        self._fresh: set[str] = set()

    def saw(self, episode_id: str, windows: WindowBatch) -> None:
        """Take the alerting windows that joined an episode."""
        known = self._open.get(episode_id)
        if known is None:
            # One that comes back is answered as a whole.
            before = self._history.behaviours(episode_id)
            known = self._open[episode_id] = {behaviour.program: behaviour for behaviour in before}
        for number in np.unique(windows.program).tolist():
            program = windows.programs[number]
            if program in known or len(known) < _PROGRAMS:
                rows = np.flatnonzero(windows.program == number)[:_WINDOWS]
                known[program] = self._joined(known.get(program), program, windows.take(rows))
        self._fresh.add(episode_id)

    def wrote(self, alert: Alert) -> None:
        """Take one line of an alert."""
        self._history.add(alert)
        if alert["state"] == "close":
            self.flush()
            self._open.pop(str(alert["episode_id"]), None)

    def flush(self) -> None:
        """Write down what was seen since the last time."""
        for episode_id in self._fresh:
            self._history.behaved(episode_id, list(self._open[episode_id].values()))
        self._fresh.clear()

    def close(self) -> None:
        """Close the history."""
        self._history.close()

    def _joined(
        self, before: Behaviour | None, program: Program, windows: WindowBatch
    ) -> Behaviour:
        model = self._model()
        novel, vectors = model.unseen(windows), model.spec.vectors(windows)
        if before is None:
            return Behaviour.of(program, novel, vectors)
        return before.joined(novel, vectors)
