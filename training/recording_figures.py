"""Figures of judged recordings: windows told apart, promises kept, attacks found and how soon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, chi2

from oddcall.models.errors import EvidenceError
from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.models.window import Program
from oddcall.training.figures import HALF_AGAIN, RATES, Interval, Result, measure
from oddcall.training.judged import Judged, unlikely
from oddcall.training.labels import Label

#: p-values at which what was promised is held against what came.
PROMISES = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
#: A program of which at least this share of clean windows gets one and the same p-value does the
#: same thing every time: there is nothing between odd and not.
ALIKE = 0.75
#: Name of the verdict that all detectors give together.
TOGETHER = "together"


@dataclass(frozen=True, slots=True)
class Kept:
    """A promised share of clean windows, and the share that came.

    Attributes
    ----------
    promised, realised : float
    between : Interval
        Middle 95 % of ``realised`` over resampled blocks.
    varied : float or None
        The share that came of programs whose windows are not nearly all alike; None without any.
    """

    promised: float
    realised: float
    between: Interval
    varied: float | None

    @property
    def broken(self) -> bool:
        """Whether more came than half again, and more than promised however blocks are drawn."""
        return self.realised > HALF_AGAIN * self.promised and self.between.low > self.promised


@dataclass(frozen=True, slots=True)
class AttackFound:
    """One attack, and what was seen of it.

    Attributes
    ----------
    label : Label
    hosts : tuple of str
        Where its windows are; the host that its label names where it has none.
    windows, known, able : int
        Windows it is in, how many of them were held against a baseline, and how many of these
        might have alerted.
    p_value : float
        Least p-value among those; 1 without any.
    found : bool
        Whether one of them alerted.
    delay_s : float or None
        From its start to the end of the first window that alerted.
    needs : float or None
        Least share of clean windows that a threshold low enough for it would report.
    """

    label: Label
    hosts: tuple[str, ...]
    windows: int
    known: int
    able: int
    p_value: float
    found: bool
    delay_s: float | None
    needs: float | None

    @property
    def judged(self) -> bool:
        """Whether a window of it might have alerted: else it is neither found nor missed."""
        return self.able > 0

    @property
    def counts(self) -> bool:
        """Whether recall speaks of it: it was judged, counts can tell it, and it was done."""
        return self.judged and self.label.counts

    @property
    def lacks(self) -> str:
        """What kept it from being judged; empty where it was."""
        if self.judged:
            return ""
        return "a settled baseline" if self.known else "a baseline" if self.windows else "a window"


@dataclass(frozen=True, slots=True)
class ProgramJudged:
    """One program's part.

    Attributes
    ----------
    program : Program
    windows, clean, attacked : int
        Judged, and of these clean and of an attack (with a baseline that may alert).
    known : float
        Share of its windows that were held against a baseline.
    at_five : float or None
        Share of its clean windows with p at or below 0.05.
    alerting : int
        Clean windows that alerted.
    attacks, found : int
        Visible attacks that were judged in it, and how many of them it alerted in.
    not_judged : int
        Visible attacks in it of which no window might have alerted.
    """

    program: Program
    windows: int
    clean: int
    attacked: int
    known: float
    at_five: float | None
    alerting: int
    attacks: int
    found: int
    not_judged: int


@dataclass(frozen=True, slots=True)
class BarelyMet:
    """Programs of which a model had learned only the first few windows, and how they were judged.

    Programs are told by their places: a replaced binary is the same program.

    Attributes
    ----------
    few : int
        Windows that were learned of each, at most.
    programs : int
        Those of which later windows were judged.
    by_like : int
        Of these, held against programs like them in a way that may alert.
    unvouched : int
        Shown, and not judged: fewer than eight other programs vouch for such verdicts.
    unknown : int
        Not judged: what came later is of another binary than the first few windows.
    least_p : float or None
        Least p-value of a clean window; None without any.
    alerts_from : float
        p-value at or below which the strictest model alerts.
    """

    few: int
    programs: int
    by_like: int
    unvouched: int
    unknown: int
    least_p: float | None
    alerts_from: float


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so much, with the middle 95 % of what is compatible with that."""

    count: int
    of: float
    between: Interval

    @property
    def value(self) -> float:
        """Rate; 0 where there was nothing to count in."""
        return self.count / self.of if self.of else 0.0


def separated(judged: Judged, *, resamples: int = 0) -> dict[str, Result]:
    """Tell windows of attacks from clean ones, by all detectors together and by each.

    Raises
    ------
    EvidenceError
        When there are none of a kind that might have alerted.
    """
    clean, attacked = judged.clean, judged.attacked
    for what, rows in (("clean windows", clean), ("windows of an attack", attacked)):
        if not rows.any():
            raise EvidenceError(
                f"there are no {what} of a program with a baseline",
                expected="at least one",
                got=f"{len(judged):,} windows, {int(judged.known.sum()):,} with a baseline",
            )
    block = judged.blocks()
    # Attacks are drawn as they came: all windows of one or none.
    drawn = (block[clean], judged.attack[attacked])
    of = {TOGETHER: judged.p_value, **judged.detectors}
    return {
        name: measure(
            unlikely(p[clean]),
            unlikely(p[attacked]),
            float(unlikely(np.array([np.median(judged.threshold)]))[0]),
            resamples=resamples,
            blocks=drawn,
        )
        for name, p in of.items()
    }


def kept(judged: Judged, *, resamples: int = 200, seed: int = 0) -> list[Kept]:
    """Hold what p-values promise against what came on clean windows, the laxest promise first."""
    clean = judged.clean
    if not clean.any():
        return []
    p_value, (_, block) = (
        judged.p_value[clean],
        np.unique(judged.blocks()[clean], return_inverse=True),
    )
    varied = p_value[_varied(p_value, judged.program[clean])]
    size = np.bincount(block)
    drawn = np.random.default_rng(seed).multinomial(
        len(size), np.full(len(size), 1 / len(size)), size=resamples
    )
    found = []
    for promised in PROMISES:
        below = np.bincount(block, p_value <= promised)
        shares = (drawn @ below) / np.maximum(drawn @ size, 1)
        low, high = np.quantile(shares, [0.025, 0.975])
        realised = float(below.sum() / len(p_value))
        of_varied = float(np.mean(varied <= promised)) if len(varied) else None
        found.append(Kept(promised, realised, Interval(float(low), float(high)), of_varied))
    return found


def _varied(p_value: FloatArray, program: IntArray) -> NDArray[np.bool_]:
    """Whether a window's program gives fewer than `ALIKE` of its windows one p-value, (n,)."""
    pairs, count = np.unique(np.stack([program, p_value]), axis=1, return_counts=True)
    most = np.zeros(int(program.max(initial=0)) + 1)
    np.maximum.at(most, pairs[0].astype(np.int64), count)
    varied: NDArray[np.bool_] = (most < ALIKE * np.bincount(program))[program]
    return varied


def attacks_found(judged: Judged, labels: Sequence[Label]) -> list[AttackFound]:
    """Say of every attack whether and when it was found, in the order of the labels."""
    clean = np.sort(judged.score[judged.clean])
    return [_attack(judged, judged.attack == i, label, clean) for i, label in enumerate(labels)]


def _attack(
    judged: Judged, rows: NDArray[np.bool_], label: Label, clean: FloatArray
) -> AttackFound:
    able = rows & judged.ready
    p_value = float(judged.p_value[able].min(initial=1.0))
    ends = judged.end_ns[rows & judged.alert]
    delay = max(float(ends.min() - label.start_ns) / 1e9, 0.0) if len(ends) else None
    needs = None
    if able.any() and len(clean):
        score = unlikely(np.array([p_value]))[0]
        needs = float((len(clean) - np.searchsorted(clean, score, "left")) / len(clean))
    where = sorted({judged.hosts[i] for i in np.unique(judged.source[rows]).tolist()})
    return AttackFound(
        label,
        tuple(where) or ((label.host,) if label.host else ()),
        windows=int(rows.sum()),
        known=int((rows & judged.known).sum()),
        able=int(able.sum()),
        p_value=p_value,
        found=bool(len(ends)),
        delay_s=delay,
        needs=needs,
    )


def recall(attacks: Sequence[AttackFound]) -> Rate:
    """Share of the visible attacks that were found, of those that were judged."""
    counted = [attack for attack in attacks if attack.counts]
    return part_of(sum(attack.found for attack in counted), len(counted))


def found_at(attacks: Sequence[AttackFound]) -> dict[float, float]:
    """Share of the same attacks that a threshold at each false-positive rate would find.

    Empty where none was judged.
    """
    counted = [attack for attack in attacks if attack.counts]
    needs = np.array([1.0 if a.needs is None else a.needs for a in counted])
    return {rate: float(np.mean(needs <= rate)) for rate in RATES} if counted else {}


def programs_judged(judged: Judged, labels: Sequence[Label]) -> list[ProgramJudged]:
    """Every program's part, most windows first; of attacks those that `recall` speaks of."""
    counts = np.isin(judged.attack, [i for i, label in enumerate(labels) if label.counts])
    parts = [
        _program(judged, program, judged.program == i, counts)
        for i, program in enumerate(judged.programs)
    ]
    return sorted((p for p in parts if p.windows), key=lambda p: (-p.windows, p.program.exe))


def _program(
    judged: Judged, program: Program, rows: NDArray[np.bool_], counts: NDArray[np.bool_]
) -> ProgramJudged:
    clean, of_attacks = rows & judged.clean, rows & counts
    attacks = np.unique(judged.attack[of_attacks])
    able = np.unique(judged.attack[of_attacks & judged.ready])
    found = np.unique(judged.attack[of_attacks & judged.alert])
    return ProgramJudged(
        program,
        int(rows.sum()),
        int(clean.sum()),
        int((rows & judged.attacked).sum()),
        float(judged.known[rows].mean()) if rows.any() else 0.0,
        float(np.mean(judged.p_value[clean] <= 0.05)) if clean.any() else None,
        int((clean & judged.alert).sum()),
        len(able),
        len(found),
        len(attacks) - len(able),
    )


def barely_met(judged: Judged, few: int) -> BarelyMet:
    """Count the programs that were judged after so few windows, by what was done with them."""
    places = list({program.place: None for program in judged.programs})
    of_program = np.array([places.index(p.place) for p in judged.programs], np.int64)
    place = of_program[judged.program]
    windows, known, ready = (
        np.bincount(place[rows], minlength=len(places)) > 0
        for rows in (slice(None), judged.known, judged.ready)
    )
    return BarelyMet(
        few,
        int(windows.sum()),
        int(ready.sum()),
        int((known & ~ready).sum()),
        int((windows & ~known).sum()),
        float(judged.p_value[judged.clean].min()) if judged.clean.any() else None,
        float(judged.threshold.min()),
    )


def per_day(count: int, days: float) -> Rate:
    """Events a day with the exact interval of a Poisson count (Garwood 1936)."""
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = chi2.ppf(0.975, 2 * count + 2) / 2
    return Rate(count, days, Interval(float(low / days), float(high / days)) if days else _ANY)


def part_of(count: int, total: int) -> Rate:
    """Share with the exact interval of a binomial count (Clopper and Pearson 1934)."""
    low = beta.ppf(0.025, count, total - count + 1) if count else 0.0
    high = beta.ppf(0.975, count + 1, total - count) if count < total else 1.0
    return Rate(count, float(total), Interval(float(low), float(high)) if total else Interval(0, 1))


#: Of a rate over no time at all.
_ANY = Interval(0.0, float("inf"))
