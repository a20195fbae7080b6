"""``evaluate recordings``: learn, judge as ``watch`` would, and hold it against the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.errors import EvidenceError
from oddcall.models.window import WindowBatch
from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.context import recorded
from oddcall.service.alerts.judging import steps
from oddcall.service.config.settings import AlertSection
from oddcall.service.evaluation.recordings_labels import Stretch, Unmatched, unmatched
from oddcall.service.learning.memory import recalled
from oddcall.service.origin import host_of
from oddcall.service.replay.replay import check_fit
from oddcall.service.session import open_episodes
from oddcall.training.fit import FitSettings, fit
from oddcall.training.ground_truth import CLEAN, ground_truth
from oddcall.training.judged import Gathering, Judged
from oddcall.training.labels import Label
from oddcall.training.lake import Source, provenance
from oddcall.training.presence import Presence
from oddcall.training.recording import read_batches
from oddcall.training.recording_figures import (
    AttackFound,
    BarelyMet,
    attacks_found,
    barely_met,
)
from oddcall.training.splits import Fold

if TYPE_CHECKING:
    from oddcall.models.model import Model
    from oddcall.models.sparse import IntArray

Progress = Callable[[str, float], None]


@dataclass(slots=True)
class Evaluation:
    """What came of judging labelled recordings.

    Attributes
    ----------
    judged : Judged
    all_attacks, attacks : list of AttackFound
        Of every label, in their order, and those that lie in the judged time.
    unmatched : Unmatched
        Labels that met nothing that was judged.
    hosts : dict of str to str
        Name of every judged host for people, by its id.
    learned, left_out : int
        Windows that the models learned from, each once in however many of them, and those that
        are neither learned nor judged where they belong, as they lie in the learned time, across
        its ends or in the pause after it.
    budget_per_day : float
    false_alerts, true_alerts : int
        Episodes opened by a clean window, and by one of an attack or what it left behind.
    false_returns, true_returns : int
        Times that such windows opened an earlier episode again, within ``alerts.cooldown``: an
        update of one alert, and no other.
    cooldown_s : float
    host_days : float
        Time judged, summed over the hosts; what two recordings of one share counts once.
    models : list of str
        Ids.
    barely_met : BarelyMet or None
        How programs were judged of which little was learned; None where that was not asked.
    """

    judged: Judged
    all_attacks: list[AttackFound]
    attacks: list[AttackFound]
    unmatched: Unmatched
    hosts: dict[str, str]
    learned: int
    left_out: int
    budget_per_day: float
    false_alerts: int
    true_alerts: int
    false_returns: int
    true_returns: int
    cooldown_s: float
    host_days: float
    models: list[str] = field(default_factory=list)
    barely_met: BarelyMet | None = None

    @property
    def labels(self) -> list[Label]:
        """Every label, in their order."""
        return [attack.label for attack in self.all_attacks]


class _Run:
    """Goes through the folds and adds up."""

    def __init__(self, sources: Sequence[Source], labels: Sequence[Label]) -> None:
        self.sources, self.labels = list(sources), list(labels)
        self.truth = {source.path: ground_truth(source, labels) for source in sources}
        self.gathering = Gathering()
        self.opened = {True: 0, False: 0}
        self.returned = {True: 0, False: 0}
        self.span: dict[int, tuple[int, int]] = {}
        self.left_out = 0
        self._taught = {path: np.zeros(len(truth), np.bool_) for path, truth in self.truth.items()}

    def learn(self, fold: Fold, settings: FitSettings, told: Progress) -> Model:
        """Learn a fold's model, and say in it which recordings it is of."""
        used: dict[Path, Source] = {}
        presence = Presence()
        batches = chain.from_iterable(
            presence.pass_on(self._clean(fold, source, used)) for source in self.sources
        )
        model = fit(batches, settings, self.sources[0].metadata, told, presence)
        return replace(model, metadata=model.metadata | provenance([*used.values()]))

    def _clean(self, fold: Fold, source: Source, used: dict[Path, Source]) -> Iterator[WindowBatch]:
        """Windows that a fold learns from: none of an attack, nor of what one left behind."""
        begin = 0
        for batch, truth in self._labelled(source):
            taken = fold.learns(source, batch) & (truth == CLEAN)
            self._taught[source.path][begin : begin + len(batch)] |= taken
            begin += len(batch)
            if taken.any():
                used[source.path] = source
                yield batch.take(taken)

    def judge(self, fold: Fold, model: Model, alerts: AlertSection, told: Progress) -> None:
        """Judge a fold's windows, recording by recording, as ``watch`` would have."""
        for number, source in enumerate(self.sources):
            check_fit(model, source.metadata, source.path)
            host = host_of(source.metadata)
            episodes = open_episodes(model, host, alerts, recorded(source.path))
            episodes.learned = recalled(source.path)
            taken: list[IntArray] = []
            returns: dict[str, int] = {}
            for step in steps(self._chosen(fold, source, taken), episodes):
                truth = taken.pop()
                self.gathering.add(step.batch, step.verdicts, truth, number)
                self._see(number, step.batch)
                # An alert that the cap held back is an alert of the detector's; what comes back
                # within the cooldown is no other one, and is counted apart.
                for alert in (*step.alerts, *step.held):
                    if alert["state"] == "open":
                        self.opened[_of_attack(alert, step.batch, truth)] += 1
                    elif alert["returns"] > returns.get(alert["episode_id"], 0):
                        returns[alert["episode_id"]] = alert["returns"]
                        self.returned[_of_attack(alert, step.batch, truth)] += 1
            told(f"judging {source.path}", (number + 1) / len(self.sources))

    def _chosen(self, fold: Fold, source: Source, taken: list[IntArray]) -> Iterator[WindowBatch]:
        for batch, truth in self._labelled(source):
            rows = fold.judges(source, batch)
            self.left_out += int((~rows & ~fold.learns(source, batch)).sum())
            if rows.any():
                taken.append(truth[rows])
                yield batch.take(rows)

    def _labelled(self, source: Source) -> Iterator[tuple[WindowBatch, IntArray]]:
        begin = 0
        for batch in read_batches(source.path):
            yield batch, self.truth[source.path][begin : begin + len(batch)]
            begin += len(batch)

    @property
    def learned(self) -> int:
        """Windows that any of the models learned from."""
        return sum(int(taught.sum()) for taught in self._taught.values())

    def met(self) -> set[int]:
        """Give the labels that have a window in any recording, also in one that is learned."""
        return {int(i) for truth in self.truth.values() for i in np.unique(truth)} - {CLEAN}

    def judged_time(self) -> list[Stretch]:
        """Host, begin and end of what was judged of each recording."""
        return [(self.sources[number].host, *span) for number, span in self.span.items()]

    def judged_ns(self) -> int:
        """Time judged, summed over the hosts."""
        stretches = self.judged_time()
        hosts = {host for host, _, _ in stretches}
        return sum(_covered([s[1:] for s in stretches if s[0] == host]) for host in hosts)

    def _see(self, number: int, batch: WindowBatch) -> None:
        first, last = int(batch.t_start_ns.min()), int(batch.t_end_ns.max())
        begin, end = self.span.get(number, (first, last))
        self.span[number] = min(begin, first), max(end, last)


def _of_attack(alert: Alert, batch: WindowBatch, truth: IntArray) -> bool:
    """Whether an alert's window is of an attack, or of what one left behind."""
    return bool((truth[batch.pid == alert["process"]["pid"]] != CLEAN).any())


def evaluate(
    sources: Sequence[Source],
    labels: Sequence[Label],
    folds: Sequence[Fold],
    model: Model | None,
    settings: FitSettings,
    alerts: AlertSection,
    progress: Progress,
) -> Evaluation:
    """Learn a model a fold, or take the one given, and judge.

    Raises
    ------
    EvidenceError
        When there is too little to learn from, or nothing is judged.
    """
    run = _Run(sources, labels)
    ids, budget = [], 0.0
    for i, fold in enumerate(folds):

        def told(what: str, done: float, i: int = i) -> None:
            progress(what, (i + done) / len(folds))

        judge = model or run.learn(fold, settings, lambda w, d: told(w, 0.5 * d))
        run.judge(fold, judge, alerts, lambda w, d: told(w, 0.5 + 0.5 * d))
        ids.append(judge.id)
        budget = judge.budget_per_day
    failed = [i for i, label in enumerate(run.labels) if label.failure]
    judged = run.gathering.judged([source.host for source in run.sources], failed)
    if judged is None:
        raise EvidenceError(
            "nothing was left to judge", expected="windows in the part that is judged", got="none"
        )
    found = attacks_found(judged, run.labels)
    missed = unmatched(found, run.met(), run.judged_time())
    few = max(fold.few for fold in folds)
    return Evaluation(
        judged=judged,
        all_attacks=found,
        attacks=missed.in_judged_time(found),
        unmatched=missed,
        hosts=_hosts([run.sources[number] for number in run.span]),
        learned=run.learned,
        left_out=run.left_out,
        budget_per_day=budget,
        false_alerts=run.opened[False],
        true_alerts=run.opened[True],
        false_returns=run.returned[False],
        true_returns=run.returned[True],
        cooldown_s=alerts.cooldown,
        host_days=run.judged_ns() / 86400e9,
        models=ids,
        barely_met=barely_met(judged, few) if few else None,
    )


def _hosts(sources: Sequence[Source]) -> dict[str, str]:
    """Name hosts for people: by name, or by the begin of their ids where names do not differ."""
    names = {source.host: source.metadata.get("host_name", "") for source in sources}
    alike = len(set(names.values())) < len(names)
    return {host: host[:12] if alike else name or host[:12] for host, name in names.items()}


def _covered(spans: list[tuple[int, int]]) -> int:
    """Length of what stretches of time cover together."""
    length = reached = 0
    for begin, end in sorted(spans):
        length += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return length
