"""``replay --what-if``: one's own history under another budget, interval or model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oddcall.models.budget import LAXEST
from oddcall.models.durations import parse_duration
from oddcall.models.errors import SettingError
from oddcall.models.window import WindowBatch
from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.context import unknown
from oddcall.service.alerts.judging import steps
from oddcall.service.config.settings import AlertSection
from oddcall.service.failed_calls import differing
from oddcall.service.judgeable import LEARNED
from oddcall.service.learning.memory import recalled
from oddcall.service.origin import host_of
from oddcall.service.quantities import BUDGETS, Budget
from oddcall.service.replay.replay import Account, check_fit
from oddcall.service.session import open_episodes
from oddcall.service.trust import named_model
from oddcall.training.lake import Source
from oddcall.training.merging import merged, require_longer
from oddcall.training.recording import Summary, read_batches
from oddcall.training.splits import has_learned

if TYPE_CHECKING:
    from oddcall.models.model import Model
    from oddcall.service.alerts.episode import Episodes

#: More cannot be told apart in a table.
MOST = 8
_EXPECTED = "budget=5/day, interval=5s or model=FILE, joined by + to have several at once"


@dataclass(frozen=True, slots=True)
class Alternative:
    """What would be otherwise; None where nothing would.

    Attributes
    ----------
    name : str
        As it was asked for.
    """

    name: str
    budget: Budget | None = None
    interval_s: float | None = None
    model: Path | None = None


#: The first column of every comparison.
AS_IT_IS = Alternative("as it is")


@dataclass(slots=True)
class Outcome:
    """What an alternative gave.

    Attributes
    ----------
    alternative : Alternative
    model : Model
        What judged, with its budget.
    account : Account
    by_program, by_day : Counter
        Alerts by executable, and by day (UTC).
    """

    alternative: Alternative
    model: Model
    account: Account
    by_program: Counter[str] = field(default_factory=Counter)
    by_day: Counter[str] = field(default_factory=Counter)

    def see(self, alert: Alert) -> None:
        """Count a line of an alert."""
        self.account.count(alert)
        if alert["state"] == "open":
            self.by_program[alert["program"]["exe"]] += 1
            self.by_day[alert["time"][:10]] += 1


def parse(texts: Sequence[str]) -> list[Alternative]:
    """Read what was asked for, with what is as it is before it.

    Parameters
    ----------
    texts : sequence of str
        Each one or more alternatives, separated by commas.

    Raises
    ------
    SettingError
        When one cannot be understood, or there are too many.
    """
    words = [word.strip() for text in texts for word in text.split(",") if word.strip()]
    asked = [_one(word) for word in dict.fromkeys(words)]
    if not asked or len(asked) > MOST:
        raise SettingError(
            "there is nothing to compare" if not asked else "there is too much to compare",
            expected=f"one to {MOST} alternatives: {_EXPECTED}",
            got=f"{len(asked)}",
        )
    return [AS_IT_IS, *asked]


def _one(word: str) -> Alternative:
    found = Alternative(word)
    for part in word.split("+"):
        key, _, value = part.partition("=")
        try:
            found = replace(found, **_OTHERWISE[key](value))
        except (KeyError, ValueError) as error:
            more = f"; a budget is {BUDGETS}" if key == "budget" else ""
            raise SettingError(
                "--what-if does not know what would be otherwise",
                expected=_EXPECTED + more,
                got=part,
            ) from error
    return found


def _interval(text: str) -> dict[str, Any]:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise ValueError(text)
    return {"interval_s": seconds}


def _file(text: str) -> dict[str, Any]:
    if not text:
        raise ValueError(text)
    return {"model": Path(text)}


#: Key -> what its value makes otherwise; raises ValueError for one that means nothing.
_OTHERWISE: dict[str, Callable[[str], dict[str, Any]]] = {
    "budget": lambda text: {"budget": Budget.parse(text)},
    "interval": _interval,
    "model": _file,
}


def compare(
    recording: Path,
    summed: Summary,
    model: Model,
    alternatives: Sequence[Alternative],
    alerts: AlertSection,
    prepare: Callable[[Episodes], None],
    progress: Callable[[str, float], None],
    trusted_key: Path | None = None,
) -> list[Outcome]:
    """Judge a recording in every way, one after another.

    The cap on alerts an hour does not count: what it would hold back is compared too. The cooldown
    does: what comes back within it is the same alert.

    Parameters
    ----------
    summed : Summary
        Of the recording.
    prepare : callable
        Told of the episodes of each way before they begin, to lay feedback over them.
    progress : callable
        Told what is being done and how much is done, 0 to 1.
    trusted_key : Path, optional
        Who must have signed the models that are named; see `named_model`.

    Raises
    ------
    SettingError
        When an interval is shorter than the recording's.
    RecordingError, BundleError
        When a model cannot be read, is not trusted, or does not fit the recording.
    """
    metadata = summed.metadata
    models = [
        _budgeted(way, named_model(way.model, trusted_key) if way.model else model)
        for way in alternatives
    ]
    for way, judge in zip(alternatives, models, strict=True):
        if way.interval_s is not None:
            require_longer(metadata, way.interval_s)
        check_fit(judge, metadata, recording)
    outcomes = []
    for i, (alternative, judge) in enumerate(zip(alternatives, models, strict=True)):
        outcome = Outcome(alternative, judge, Account(judge.budget_per_day))
        episodes = open_episodes(judge, host_of(metadata), alerts, unknown)
        prepare(episodes)
        episodes.learned = recalled(recording)
        read = 0
        for step in steps(_batches(recording, alternative), episodes):
            outcome.account.see(step.batch)
            outcome.account.judgeable.see(step.batch, step.verdicts)
            for alert in (*step.alerts, *step.held):
                outcome.see(alert)
            read += len(step.batch)
            done = min(read / max(summed.rows, 1), 1.0)
            progress(f"judging {alternative.name}", (i + done) / len(alternatives))
        told = episodes.end()
        for alert in (*told.sent, *told.held):
            outcome.see(alert)
        outcomes.append(outcome)
    return outcomes


def _batches(recording: Path, alternative: Alternative) -> Iterable[WindowBatch]:
    batches = read_batches(recording)
    interval_s = alternative.interval_s
    return batches if interval_s is None else merged(batches, interval_s)


def _budgeted(alternative: Alternative, model: Model) -> Model:
    return model.for_budget(alternative.budget.per_day) if alternative.budget else model


def notes(outcomes: Sequence[Outcome], source: Source) -> list[str]:
    """Say what a reader of the comparison of a recording must know."""
    said = []
    learned = [o.alternative.name for o in outcomes if has_learned(o.model.metadata, source)]
    if learned:
        said.append(f"{', '.join(learned)}: {LEARNED}")
    warned: dict[str, list[str]] = {}
    for outcome in outcomes:
        other = differing(outcome.model.metadata, source.metadata, str(source.path))
        warned.setdefault(other, []).append(outcome.alternative.name)
    said += [f"{', '.join(names)}: {other}" for other, names in warned.items() if other]
    longer = [o.alternative.name for o in outcomes if o.alternative.interval_s is not None]
    if longer:
        said.append(
            f"{', '.join(longer)}: counts are added up exactly, but the model knows windows of "
            "its own interval; to compare fairly, train one at the other interval"
        )
    mute = [o.alternative.name for o in outcomes if o.account.judgeable.warning(o.model)]
    if mute:
        said.append(
            f"{', '.join(mute)}: none of the windows could alert, as the model has no settled "
            "baseline of a program in this recording"
        )
    lax = [o.alternative.name for o in outcomes if o.model.threshold >= LAXEST]
    if lax:
        said.append(f"{', '.join(lax)}: no threshold is laxer than {LAXEST:g}")
    return said
