"""The line from a batch to an alert, the same for a live host and for a recording."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from oddcall.models.verdict import Verdicts
from oddcall.models.window import WindowBatch
from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.episode import Episodes
from oddcall.service.alerts.notice import Notice

if TYPE_CHECKING:
    from oddcall.models.judgement import Drift
    from oddcall.models.learned import Learned


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One batch as it was counted, what was made of it, and the lines of alerts of that.

    ``alerts`` are for every sink, ``held`` ones for the history only, and ``notices`` say in the
    alerts' place what was held back or counted.
    """

    batch: WindowBatch
    verdicts: Verdicts
    alerts: list[Alert]
    held: list[Alert] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    #: Gives the programs that drift from their baselines by now.
    drift: Callable[[], list[Drift]] = list
    #: Gives what their baselines have learned by now.
    learned: Callable[[], Sequence[Learned]] = list


def steps(batches: Iterable[WindowBatch], episodes: Episodes) -> Iterator[Step]:
    """Judge batches, one step a batch; close what is open with ``episodes.end()``.

    Another model may be put into ``episodes`` between two batches: the same one under other
    tolerances or another budget goes on with what it remembers, a newly learned one begins.
    """
    # A recorder imports this line's types, not the arithmetic behind it.
    from oddcall.models.judgement import Judgement

    judgement = Judgement(episodes.model, episodes.learned)
    for batch in batches:
        judgement.model = episodes.model
        episodes.abroad.take(episodes.model)
        known = episodes.abroad.told(batch)
        verdicts = judgement.judge(known)
        told = episodes.step(known, verdicts, judgement.model)
        yield Step(
            batch,
            verdicts,
            told.sent,
            told.held,
            told.notices,
            drift=judgement.drift,
            learned=judgement.learned,
        )


def judge(
    batches: Iterable[WindowBatch],
    episodes: Episodes,
    send: Callable[[Alert | Notice], None],
    saw: Callable[[WindowBatch, Verdicts], None],
) -> None:
    """Judge batches to their end, telling of each and its verdicts; close what is open then."""
    for step in steps(batches, episodes):
        saw(step.batch, step.verdicts)
        for line in (*step.notices, *step.alerts):
            send(line)
    told = episodes.end()
    for line in (*told.notices, *told.sent):
        send(line)
