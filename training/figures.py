"""How well scores tell attacks from what is normal, and how well a method kept its own promise.

Of traces there is one score each, of recordings one a window; higher is more unusual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray

#: False-positive rates at which detection is read off.
RATES = (0.01, 0.05, 0.10)
#: False-positive rate that a method is asked to keep by its own threshold.
TARGET = 0.05

#: A promised rate of clean windows is kept while no more than so many times as much comes.
HALF_AGAIN = 1.5

#: Weights held at once while resampling.
_DRAWN = 10_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """Middle 95 % of a figure over resampled traces."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Result:
    """What a detector did.

    Attributes
    ----------
    auc : float
        Part of the pairs of a normal and an attack in which the attack scores higher.
    ap : float
        Average precision, at the share of attacks in the data.
    detected : dict of float
        False-positive rate -> most attacks found at that rate or less. Of all ``RATES``, or of
        those that the normals can tell (``told``).
    target, fpr, found : float
        Rate asked for; rates of normals and of attacks above the threshold that the detector
        took for it from its own held-out scores, having seen neither.
    intervals : dict of Interval
        Of ``"auc"`` and of each rate as text; empty when nothing was resampled. Without those of
        no width where ``told``.
    normal, attack : float64 (n,), (m,)
        The scores that all this is of; of repeated runs, those of the first.
    threshold : float
        The detector's own.
    """

    auc: float
    ap: float
    detected: dict[float, float]
    target: float
    fpr: float
    found: float
    intervals: dict[str, Interval]
    normal: FloatArray = field(repr=False, compare=False)
    attack: FloatArray = field(repr=False, compare=False)
    threshold: float


def own_threshold(held_out: FloatArray, target: float = TARGET) -> float:
    """Score that another clean trace exceeds with a probability of ``target`` at most.

    The conformal rank: of n held-out scores the one at ``(n + 1) * (1 - target)``, the largest
    where n is too small to promise anything.

    Parameters
    ----------
    held_out : float64 (n,)
    target : float, default ``TARGET``
    """
    n = len(held_out)
    rank = int(np.ceil((n + 1) * (1 - target) - 1e-9))
    return float(np.sort(held_out)[min(rank, n) - 1])


def written(share: float) -> str:
    """Write a share with three decimals, and one that is smaller with two figures; 0 is none."""
    if share == 0:
        return "0"
    return f"{share:.3f}" if share >= 0.01 else f"{share:.2g}"


def chance_of(false: int, normal: int, learned: int, target: float = TARGET) -> float:
    """Probability of so many false positives or more where the promise of ``own_threshold`` holds.

    The threshold is one of ``learned`` scores of the same kind, so that the rate it comes to is
    itself by chance: the count is beta-binomial (Vovk 2012, Conditional validity of inductive
    conformal predictors), which is the binomial where much was learned from.

    Parameters
    ----------
    false, normal : int
        Scores of clean traces above the threshold, of so many.
    learned : int
        Held-out scores that it was taken from, ``1 / target - 1`` or more.
    target : float, default ``TARGET``
    """
    from scipy.stats import betabinom

    rank = int(np.ceil((learned + 1) * (1 - target) - 1e-9))
    return float(betabinom.sf(false - 1, normal, learned + 1 - rank, rank))


def measure(
    normal: FloatArray,
    attack: FloatArray,
    threshold: float,
    *,
    resamples: int = 0,
    seed: int = 0,
    blocks: tuple[IntArray, IntArray] | None = None,
) -> Result:
    """Compare scores of normal and attack traces, or of whatever is scored.

    Parameters
    ----------
    normal : float64 (n,)
    attack : float64 (m,)
    threshold : float
        The detector's own, for a rate of ``TARGET``; scores above it count as found.
    resamples : int, default 0
    seed : int, default 0
        Of the resampling.
    blocks : pair of int64 (n,), (m,), optional
        Block of each score. Scores that hang together, such as windows of one program that
        follow each other, are drawn together: drawn one by one they would promise too much.
        Without it each is a block of its own.
    """
    ranks = _Ranks(normal, attack)
    ones, others = np.ones((1, len(normal))), np.ones((1, len(attack)))
    return Result(
        auc=float(ranks.auc(ones, others)[0]),
        ap=average_precision(normal, attack),
        detected={rate: float(ranks.detected(ones, others, rate)[0]) for rate in RATES},
        target=TARGET,
        fpr=float(np.mean(normal > threshold)),
        found=float(np.mean(attack > threshold)),
        intervals=_intervals(ranks, resamples, seed, blocks),
        normal=normal,
        attack=attack,
        threshold=threshold,
    )


def tells(normal: int, rate: float) -> bool:
    """Whether so many normals can tell a rate: one of them is no more than that part."""
    return normal * rate >= 1 - 1e-9


def told(result: Result, normal: int) -> Result:
    """Keep what so many normals that differ can tell.

    At a rate of less than one of them, what is found is what none of them reaches, and would be
    the same at any lower rate. An interval without width says that resampling met nothing else,
    not that the figure is certain.
    """
    rates = [rate for rate in result.detected if tells(normal, rate)]
    keys = {"auc", *(f"{rate:.2f}" for rate in rates)}
    wide = {key: span for key, span in result.intervals.items() if span.low < span.high}
    return replace(
        result,
        detected={rate: result.detected[rate] for rate in rates},
        intervals={key: span for key, span in wide.items() if key in keys},
    )


def average_precision(normal: FloatArray, attack: FloatArray) -> float:
    """Mean precision over the attacks found, from the highest score down; ties count together."""
    levels = np.unique(attack)[::-1]
    found = len(attack) - np.searchsorted(np.sort(attack), levels, "left")
    false = len(normal) - np.searchsorted(np.sort(normal), levels, "left")
    gained = np.diff(found, prepend=0) / len(attack)
    return float(np.sum(gained * found / (found + false)))


def mean_result(results: Sequence[Result]) -> Result:
    """Mean figures of repeated runs, of the rates that all tell; the intervals span the runs."""

    def mean(values: list[float]) -> float:
        return float(np.mean(values))

    def span(values: list[float]) -> Interval:
        return Interval(min(values), max(values))

    rates = [rate for rate in RATES if all(rate in r.detected for r in results)]
    return Result(
        mean([r.auc for r in results]),
        mean([r.ap for r in results]),
        {rate: mean([r.detected[rate] for r in results]) for rate in rates},
        TARGET,
        mean([r.fpr for r in results]),
        mean([r.found for r in results]),
        {
            "auc": span([r.auc for r in results]),
            **{f"{rate:.2f}": span([r.detected[rate] for r in results]) for rate in rates},
        },
        results[0].normal,
        results[0].attack,
        results[0].threshold,
    )


class _Ranks:
    """Both samples on one scale of distinct scores, so that resampling is a matter of weights."""

    def __init__(self, normal: FloatArray, attack: FloatArray) -> None:
        levels, place = np.unique(np.concatenate([normal, attack]), return_inverse=True)
        self.levels = len(levels)
        self.normal, self.attack = place[: len(normal)], place[len(normal) :]

    def auc(self, normal: FloatArray, attack: FloatArray) -> FloatArray:
        """Area for each row of weights, (k,)."""
        at, below = self._at(normal, attack)
        lower = np.cumsum(at, axis=1) - at / 2
        area: FloatArray = (below * lower).sum(axis=1) / (at.sum(axis=1) * below.sum(axis=1))
        return area

    def detected(self, normal: FloatArray, attack: FloatArray, rate: float) -> FloatArray:
        """Most attacks at or above a level that at most ``rate`` of the normals reach, (k,)."""
        at, found = self._at(normal, attack)
        false = np.cumsum(at[:, ::-1], axis=1) / at.sum(axis=1, keepdims=True)
        reached = np.cumsum(found[:, ::-1], axis=1) / found.sum(axis=1, keepdims=True)
        most: FloatArray = np.where(false <= rate + 1e-12, reached, 0).max(axis=1)
        return most

    def _at(self, normal: FloatArray, attack: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self._gathered(self.normal, normal), self._gathered(self.attack, attack)

    def _gathered(self, place: NDArray[np.intp], weights: FloatArray) -> FloatArray:
        """Weight at each level, (k, levels)."""
        return np.stack([np.bincount(place, row, self.levels) for row in weights])


def _intervals(
    ranks: _Ranks, resamples: int, seed: int, blocks: tuple[IntArray, IntArray] | None
) -> dict[str, Interval]:
    if not resamples:
        return {}
    random = np.random.default_rng(seed)
    sides = blocks or (np.arange(len(ranks.normal)), np.arange(len(ranks.attack)))
    normal_block, attack_block = (np.unique(side, return_inverse=True)[1] for side in sides)
    found: dict[str, list[FloatArray]] = {}
    # A few at a time: memory stays small however many scores there are.
    step = min(max(_DRAWN // (len(normal_block) + len(attack_block)), 1), 50)
    for begin in range(0, resamples, step):
        k = min(step, resamples - begin)
        normal, attack = _drawn(random, k, normal_block), _drawn(random, k, attack_block)
        found.setdefault("auc", []).append(ranks.auc(normal, attack))
        for rate in RATES:
            detected = ranks.detected(normal, attack, rate)
            found.setdefault(f"{rate:.2f}", []).append(detected)
    return {name: _middle(np.concatenate(values)) for name, values in found.items()}


def _drawn(random: np.random.Generator, k: int, block: IntArray) -> FloatArray:
    """How often each score is drawn in k resamples of its block, (k, n)."""
    n = int(block.max()) + 1
    drawn = random.multinomial(n, np.full(n, 1 / n), size=k).astype(np.float64)
    weights: FloatArray = drawn[:, block]
    return weights


def _middle(values: FloatArray) -> Interval:
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))
