"""A second model beside the one that alerts: judged by the same windows, counted, never sent.

What it would have alerted on is told apart by whether the active model opened an episode of the
same program at about the same time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oddcall.models.explanation.explanation import explain
from oddcall.models.window import WindowBatch
from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.episode import Episodes, EpisodeSettings
from oddcall.service.alerts.judging import steps
from oddcall.service.history import titled
from oddcall.service.quantities import counted

if TYPE_CHECKING:
    from oddcall.models.learned import Learned
    from oddcall.models.model import Model

#: Seconds apart at which two models are still said to have seen the same.
_ALIKE_S = 60.0
#: Openings remembered of each model.
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Tally:
    """Episodes of two models: seen by both, by the active one only, by the shadow only."""

    both: int
    active: int
    shadow: int

    def __str__(self) -> str:
        total = self.both + self.shadow
        return (
            f"the shadow opened {counted(total, 'alert')}: {self.both:,} with the active model, "
            f"{self.shadow:,} alone; {self.active:,} of the active model's it did not see"
        )


class Shadow:
    """Judges beside another model.

    Parameters
    ----------
    model : Model
    host : dict of str
    settings : EpisodeSettings
        Of the active model's episodes.
    say : callable
        Told one line an episode that only the shadow opens.
    learned : sequence of Learned, default nothing
        What programs had learned before.
    """

    def __init__(
        self,
        model: Model,
        host: Mapping[str, str],
        settings: EpisodeSettings,
        say: Callable[[str], None],
        learned: Sequence[Learned] = (),
    ) -> None:
        self.model, self._say = model, say
        # The same line as the active model's, fed batch by batch.
        self._batches: deque[WindowBatch] = deque()
        episodes = Episodes(model, explain, host, settings)
        episodes.learned = learned
        self._steps = steps(iter(self._batches.popleft, None), episodes)
        self._ours: deque[tuple[str, float]] = deque(maxlen=_REMEMBERED)
        self._theirs: deque[tuple[str, float]] = deque(maxlen=_REMEMBERED)

    def see(self, batch: WindowBatch, alerts: list[Alert]) -> None:
        """Judge a batch; ``alerts`` are the lines that the active model gave for it."""
        self._theirs.extend(_openings(alerts))
        self._batches.append(batch)
        step = next(self._steps)
        lines = [*step.alerts, *step.held]
        for alert in lines:
            if alert["state"] == "open":
                self._say(f"shadow, not sent: {titled(alert)}: {_sentence(alert)}")
        self._ours.extend(_openings(lines))

    def tally(self) -> Tally:
        """Compare what both opened."""
        left = list(self._theirs)
        both = 0
        for name, at_s in self._ours:
            match = next(
                (i for i, (n, s) in enumerate(left) if n == name and abs(s - at_s) <= _ALIKE_S),
                None,
            )
            if match is not None:
                both += 1
                left.pop(match)
        return Tally(both, len(left), len(self._ours) - both)


def _openings(alerts: list[Alert]) -> list[tuple[str, float]]:
    from oddcall.service.formats.wording import milliseconds

    return [
        (str(alert["program"]["exe"]), milliseconds(alert["time"]) / 1000)
        for alert in alerts
        if alert["state"] == "open"
    ]


def _sentence(alert: Mapping[str, Any]) -> str:
    return str(alert["explanation"]["sentence"])
