"""The line from a batch to an alert, the same for a live host and for a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from oddcall.models.verdict import Verdicts
from oddcall.models.window import WindowBatch
from oddcall.service.alert import Alert
from oddcall.service.episode import Episodes


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One batch, what was made of it, and the lines of alerts that came of that."""

    batch: WindowBatch
    verdicts: Verdicts
    alerts: list[Alert]


def steps(batches: Iterable[WindowBatch], episodes: Episodes) -> Iterator[Step]:
    """Judge batches, one step a batch; close what is open with ``episodes.end()``.

    Another model may be put into ``episodes`` between two batches.
    """
    for batch in batches:
        verdicts = episodes.model.judge(batch)
        yield Step(batch, verdicts, episodes.step(batch, verdicts))


def judge(
    batches: Iterable[WindowBatch], episodes: Episodes, send: Callable[[Alert], None]
) -> None:
    """Judge batches to their end, and close what is open then."""
    for step in steps(batches, episodes):
        for alert in step.alerts:
            send(alert)
    for alert in episodes.end():
        send(alert)
