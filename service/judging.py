"""The line from a batch to an alert, the same for a live host and for a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from oddcall.models.window import WindowBatch
from oddcall.service.alert import Alert
from oddcall.service.episode import Episodes

if TYPE_CHECKING:
    from oddcall.models.model import Model


def judge(
    batches: Iterable[WindowBatch], model: Model, episodes: Episodes, send: Callable[[Alert], None]
) -> None:
    """Judge batches to their end, and close what is open then."""
    for batch in batches:
        verdicts = model.judge(batch)
        for alert in episodes.step(batch, verdicts):
            send(alert)
    for alert in episodes.end():
        send(alert)
