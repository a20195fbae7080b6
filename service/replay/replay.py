"""``replay``: the line from a recording on, with the verdicts ``watch`` would have given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oddcall.models.durations import format_duration
from oddcall.models.errors import RecordingError
from oddcall.models.window import WindowBatch
from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.episode import Episodes
from oddcall.service.alerts.judging import judge
from oddcall.service.alerts.notice import Notice, is_notice
from oddcall.service.judgeable import Judgeable
from oddcall.service.quantities import Budget, counted
from oddcall.service.screen import Screen, Status
from oddcall.service.sinks.base import Delivery

if TYPE_CHECKING:
    from oddcall.models.model import Model


@dataclass(slots=True)
class Account:
    """What a replay went through."""

    budget_per_day: float
    windows: int = 0
    start_ns: int = 0
    end_ns: int = 0
    alerts: int = 0
    lines: int = 0
    judgeable: Judgeable = field(default_factory=Judgeable)

    @property
    def days(self) -> float:
        """Span of the recording, days."""
        return max(self.end_ns - self.start_ns, 0) / 86400e9

    @property
    def per_day(self) -> float | None:
        """Alerts a day; none of less than one, which says little of a day."""
        return self.alerts / self.days if self.days >= 1 else None

    def see(self, batch: WindowBatch) -> None:
        """Add one batch."""
        self.windows += len(batch)
        if len(batch):
            first = int(batch.t_start_ns.min())
            self.start_ns = min(self.start_ns or first, first)
            self.end_ns = max(self.end_ns, int(batch.t_end_ns.max()))

    def count(self, alert: Alert) -> None:
        """Add one line of an alert."""
        self.lines += 1
        self.alerts += alert["state"] == "open"

    def as_dict(self) -> dict[str, Any]:
        """Give the numbers for a machine."""
        return {
            "windows": self.windows,
            "could_alert": self.judgeable.ready,
            "days": round(self.days, 6),
            "alerts": self.alerts,
            "lines": self.lines,
            "alerts_per_day": None if self.per_day is None else round(self.per_day, 3),
            "budget_per_day": self.budget_per_day,
        }

    def __str__(self) -> str:
        span = format_duration(max(self.days * 86400, 1))
        return (
            f"{counted(self.windows, 'window')} over {span}: {counted(self.alerts, 'alert')} "
            f"(the budget is {Budget.of_day(self.budget_per_day)})"
        )


def check_fit(model: Model, metadata: Mapping[str, str], recording: Path) -> None:
    """Raise RecordingError where the recording's numbers mean other things than the model's."""
    seed = str(model.spec.seed)
    for key, ours in (("arch", model.metadata.get("arch", "")), ("hash_seed", seed)):
        theirs = metadata.get(key, "")
        if ours and theirs and ours != theirs:
            raise RecordingError(
                f"{recording} cannot be judged by this model",
                expected=f"{key} {ours}",
                got=theirs,
                fix="Use a model trained on recordings of that kind of host.",
            )


def replay(
    batches: Iterable[WindowBatch],
    episodes: Episodes,
    delivery: Delivery,
    screen: Screen,
) -> Account:
    """Judge a recording's batches; returns what was gone through.

    Raises
    ------
    RecordingError
        When a part cannot be read; alerts of the parts before it are delivered.
    """
    account = Account(episodes.model.budget_per_day)

    def send(line: Alert | Notice) -> None:
        if not is_notice(line):
            account.count(line)
        delivery.send(line)

    judge(_seen(batches, account, screen), episodes, send, account.judgeable.see)
    return account


def _seen(
    batches: Iterable[WindowBatch], account: Account, screen: Screen
) -> Iterator[WindowBatch]:
    for batch in batches:
        account.see(batch)
        yield batch
        screen.show(Status(f"replaying: {account}"))
