"""Judging over time: each window by itself, and what a program's news add up to.

All that is remembered between batches is kept here, and follows from the batches alone: a
recording judged again gives the verdicts its host gave. It is bounded by the number of programs and
by how many windows with news of one a few ticks hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from oddcall.models import calls
from oddcall.models.adaptation import FAR, UNLIKELY, Adaptation
from oddcall.models.detectors import Novelty
from oddcall.models.features import FloatArray
from oddcall.models.learned import (
    NEVER_NS,
    Learned,
    fitting,
    having_learned,
    learned_since,
    newest,
    novelty_of,
    spaces_of,
    taught,
)
from oddcall.models.model import Model
from oddcall.models.sequence import News
from oddcall.models.sparse import IntArray
from oddcall.models.verdict import Verdicts
from oddcall.models.weighed import Weighed
from oddcall.models.window import Program, WindowBatch

#: Seconds after an alert in which nothing is learned of its program.
QUIET_S = 600.0
#: After so long what was news of a program once is news again.
_TOLD_NS = 86_400_000_000_000
#: Ticks whose windows are kept of a sum, to be shown as one if it comes to an alert: the latest.
_KEPT = 32
#: Calls named where a program drifts.
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Drift:
    """A program that has moved away from its baseline, further than is learned by itself.

    Attributes
    ----------
    program : Program
    since_ns : int
        UTC.
    evidence : float
        Mean evidence of its windows, in nats; 1 where a baseline holds.
    moved : float
        Part of what its baseline may move in a day that it has moved today, in [0, 1].
    why : str
        A sentence.
    """

    program: Program
    since_ns: int
    evidence: float
    moved: float
    why: str


class Judgement:
    """Judges batches in the order of time.

    Parameters
    ----------
    model : Model
        As it was trained.
    learned : sequence of Learned, default nothing
        What its programs learned while an earlier judgement went on.
    """

    def __init__(self, model: Model, learned: Sequence[Learned] = ()) -> None:
        self._begin(model, learned)

    def _begin(self, model: Model, learned: Sequence[Learned]) -> None:
        self._given, self._model = model, having_learned(model, learned)
        count = len(model.profiles)
        self._news = News.none(count)
        self._told = np.zeros((count, model.spec.bytes), np.uint8)
        self._told_ns = np.zeros(count, np.int64)
        self._parts: dict[int, list[WindowBatch]] = {}
        self._alerted_ns = np.full(count, NEVER_NS, np.int64)
        self._adaptation = adaptation = _adaptation(self._model)
        fitted = fitting(model, learned)
        kept = {id(one) for _, one in fitted}
        #: Of other lessons: who watches by another model for an hour has them again after it.
        self._carried = [one for one in learned if id(one) not in kept]
        for profile, one in fitted:
            self._alerted_ns[profile] = one.alerted_ns
            if adaptation:
                adaptation.spend(profile, one.day, one.way_of_day, one.symbols_of_day)

    @property
    def model(self) -> Model:
        """The model in use, with what was learned since it was trained.

        May be set between batches. With other tolerances, or for another budget, it keeps what
        is remembered; one that was trained anew begins afresh, but for what programs learned
        whose lesson is the same.
        """
        return self._model

    @model.setter
    def model(self, model: Model) -> None:
        if model is self._given:
            return
        if model.id != self._given.id:
            self._begin(model, self.learned())
            return
        self._given = model
        self._model = replace(model, detectors=self._model.detectors)

    def judge(self, batch: WindowBatch) -> Verdicts:
        """Judge every window of a batch, in its order, and learn from those it trusts."""
        weighed = self._model.weigh(batch)
        verdicts = self._model.verdicts(batch, weighed)
        own = weighed.ready[weighed.rows] & (weighed.level[weighed.rows] == "program")
        # Most ticks hold nothing new of anybody.
        mine = np.flatnonzero(own & self._novel(weighed))
        if len(mine):
            verdicts = self._summed(batch, weighed, verdicts, mine)
        if self._adaptation and own.any():
            self._learn(self._adaptation, batch, weighed, verdicts, np.flatnonzero(own))
        return verdicts

    def learned(self) -> list[Learned]:
        """Say what programs have learned since the model was trained."""
        adaptation = self._adaptation
        if adaptation is None:
            return self._carried
        alerted_ns = self._alerted_ns

        def spent(profile: int) -> tuple[int, float, int, int]:
            return (*adaptation.spent(profile), int(alerted_ns[profile]))

        now = learned_since(self._given, self._model, spent)
        return newest([*now, *self._carried])

    def drift(self) -> list[Drift]:
        """Programs whose windows have for some time not been like their baselines."""
        adaptation = self._adaptation
        if adaptation is None:
            return []
        return [
            Drift(
                known.program,
                int(adaptation.since_ns[known.profile]),
                float(adaptation.evidence[known.profile]),
                float(adaptation.moved_today[known.profile] / FAR),
                _why(adaptation, self._model, known.profile),
            )
            for known in self._model.programs
            if known.level == "program" and adaptation.since_ns[known.profile] > 0
        ]

    def _learn(
        self,
        adaptation: Adaptation,
        batch: WindowBatch,
        weighed: Weighed,
        verdicts: Verdicts,
        own: IntArray,
    ) -> None:
        """Learn from the windows ``weighed.rows[own]``, as far as they can be trusted."""
        rows = weighed.rows[own]
        profile = weighed.profile[rows]
        alert = verdicts.alert[rows]
        self._alerted_ns[profile[alert]] = NEVER_NS
        np.maximum.at(self._alerted_ns, profile[alert], batch.t_end_ns[rows[alert]])
        # The absolute gap: a clock set back must not keep programs from learning for hours.
        quiet = np.abs(batch.t_start_ns[rows] - self._alerted_ns[profile]) > QUIET_S * 1e9
        covered = (batch.lost[rows] == 0) & (batch.lost_keys[rows] == 0)
        calm = quiet & covered & batch.identity_complete[rows] & ~weighed.tolerated[own]
        if not calm.any():
            return
        now_ns = int(batch.t_end_ns[rows].max())
        nats = -np.log(weighed.found.mixture[own])
        adaptation.watch(nats[calm], profile[calm], now_ns)
        everybody = weighed.profile[weighed.rows]
        # News of a settled program makes any window unlikely: were it not trusted for that, what
        # is harmless and here to stay would never become known, nor anything else be learned.
        likely = verdicts.p_value[rows] >= UNLIKELY
        new = self._entries(weighed, everybody)
        harmless = adaptation.harmless(weighed.vectors, new)[own]
        trusted = calm & (weighed.found.mixture[own] >= UNLIKELY) & (likely | harmless)
        # Beside what is harmless, known calls in bulk are not: few windows come so far.
        doubtful = np.flatnonzero(trusted & ~likely)
        trusted[doubtful] = ~self._bulky(weighed, own[doubtful])
        teaches = np.zeros(len(weighed.rows), np.bool_)
        teaches[own[trusted]] = True
        spaces, symbols = adaptation.learn(weighed.vectors, everybody, teaches, new, now_ns)
        if spaces is None and not symbols:
            return
        self._model = taught(self._model, spaces, symbols)

    def _entries(self, weighed: Weighed, profile: IntArray) -> NDArray[np.bool_]:
        """Mask of the entries of the vectors that are news to their programs."""
        new = np.zeros(weighed.vectors.nnz, np.bool_)
        for detector in self._model.detectors:
            if isinstance(detector, Novelty):
                new |= detector.new(weighed.vectors, profile)
        return new

    def _bulky(self, weighed: Weighed, at: IntArray) -> NDArray[np.bool_]:
        """Whether windows, by their place in ``weighed``, hold known calls in unknown amounts."""
        found = np.zeros(len(at), np.bool_)
        for detector in self._model.detectors:
            if isinstance(detector, Novelty) and len(at):
                found |= detector.bulky(weighed.vectors[at], weighed.profile[weighed.rows[at]])
        return found

    def _novel(self, weighed: Weighed) -> NDArray[np.bool_]:
        novel = np.zeros(len(weighed.rows), np.bool_)
        for detector in self._model.detectors:
            if isinstance(detector, Novelty):
                novel |= weighed.found.detectors[detector.name] < 1
        return novel

    def _summed(
        self, batch: WindowBatch, weighed: Weighed, verdicts: Verdicts, mine: IntArray
    ) -> Verdicts:
        """Add the news of the windows ``weighed.rows[mine]`` up, and let the sums speak as well."""
        rows = weighed.rows[mine]
        profile = weighed.profile[rows]
        self._forget_told(profile, int(batch.t_end_ns[rows].max()))
        fresh = self._fresh(weighed, mine, profile)
        self._news, level = self._news.after(
            fresh, profile, batch.t_start_ns[rows], batch.t_end_ns[rows]
        )
        self._keep(batch.take(rows), profile)
        calibration = self._model.calibration
        p = calibration.sequence.p_values(level, calibration.group[profile])
        # Where a window of the program speaks by itself, that is the cause: its parent's, say,
        # which forked once in this tick, must not tell the same sum as its own.
        spoken = np.isin(profile, profile[verdicts.alert[rows]])
        loud = (p <= self._model.sequence_threshold) & (level > 0) & ~spoken
        if loud.any():
            verdicts = self._spoken(verdicts, rows[loud], profile[loud], p[loud])
        # Whatever alerts, by itself or by what led to it, has been told.
        told = np.unique(profile[verdicts.alert[rows]])
        self._news = self._news.spent(told)
        for i in told.tolist():
            self._parts.pop(i, None)
        return verdicts

    def _forget_told(self, profile: IntArray, now_ns: int) -> None:
        """Begin anew, a day after the first of it, with what was news of programs."""
        used = np.unique(profile)
        over = used[np.abs(now_ns - self._told_ns[used]) > _TOLD_NS]
        self._told[over], self._told_ns[over] = 0, now_ns

    def _fresh(self, weighed: Weighed, mine: IntArray, profile: IntArray) -> FloatArray:
        """Novelty of windows, leaving out what was news of their program within a day."""
        fresh = np.zeros(len(mine))
        vectors = weighed.vectors[mine]
        used, place = np.unique(profile, return_inverse=True)
        for detector in self._model.detectors:
            if isinstance(detector, Novelty):
                fresh += detector.knowing(self._told, used).score(vectors, place)
                self._told[used] |= detector.symbols(vectors, place, len(used))
        return fresh

    def _keep(self, odd: WindowBatch, profile: IntArray) -> None:
        """Keep the windows that make up each program's sum, as long as it lasts."""
        # Few programs show anything new in one tick.
        for i in np.unique(profile).tolist():
            kept = [*self._parts.get(i, []), odd.take(profile == i)][-_KEPT:]
            onset = self._news.onset_ns[i]
            self._parts[i] = [part for part in kept if part.t_end_ns.max() > onset]

    def _spoken(
        self, verdicts: Verdicts, rows: IntArray, profile: IntArray, p: FloatArray
    ) -> Verdicts:
        """Raise windows by what led to them, on the scale of the windows' own threshold."""
        p_value, alert = verdicts.p_value.copy(), verdicts.alert.copy()
        extrapolated, onset = verdicts.extrapolated.copy(), verdicts.onset_ns.copy()
        by_detector = {**verdicts.detectors, "sequence": np.ones(len(verdicts))}
        by_detector["sequence"][rows] = p
        p_value[rows] = p * (verdicts.threshold / self._model.sequence_threshold)
        alert[rows], extrapolated[rows] = True, True
        onset[rows] = np.minimum(self._news.onset_ns[profile], onset[rows])
        together = {
            row: WindowBatch.concat(self._parts[i]).as_one()
            for row, i in zip(rows.tolist(), profile.tolist(), strict=True)
        }
        return replace(
            verdicts,
            p_value=p_value,
            alert=alert,
            extrapolated=extrapolated,
            onset_ns=onset,
            detectors=by_detector,
            together=together,
        )


def _adaptation(model: Model) -> Adaptation | None:
    spaces, novelty = spaces_of(model), novelty_of(model)
    if spaces is None or novelty is None:
        return None
    return Adaptation(spaces, novelty.weight)


def _why(adaptation: Adaptation, model: Model, profile: int) -> str:
    columns, far = adaptation.away(profile)
    names = calls.names(model.metadata.get("arch") or "x86_64")
    start = model.spec.starts["syscalls"]
    # Calls say more to a reader than hashed transitions or scalars do.
    made = [
        (names[column - start], away)
        for column, away in zip(columns.tolist(), far.tolist(), strict=True)
        if start <= column < start + len(names) and away
    ]
    said = f"{adaptation.evidence[profile]:.1f} nats on average, against 1 while its baseline held"
    more = [name for name, away in made[:_NAMED] if away > 0]
    less = [name for name, away in made[:_NAMED] if away < 0]
    told = [f"{word} {', '.join(of)}" for word, of in (("more", more), ("less", less)) if of]
    return f"Its windows lie at {said}" + (f"; {'; '.join(told)}." if told else ".")
