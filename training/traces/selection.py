"""Choosing between detectors without attacks: made-up tests of clean traces alone.

Clean traces are grouped by what they do, by the mixture of calls, by the set of them and by
the pairs, coarsely and finely. Some groups are held out as **foreign** programs; the others
are learned from, and a quarter of their traces are judged as normal. Against these stand

- ``foreign``: traces of the foreign groups, whole;
- ``spliced``: normal traces with a stretch of foreign work of 20 to 100 % of their length;
- ``burst``: the same of 2 to 10 %;
- ``shuffled``: normal traces of which 20 to 60 % are put in another order;
- ``substituted``: normal traces in which a tenth of the calls are others;
- ``shifted``: foreign traces altered in these ways, against other foreign traces as they are.

A detector that is good at all of them knows its programs; which of them real attacks resemble
is not known here, and that is the point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.figures import measure
from oddcall.training.traces.detectors.detector import AtOnce, firsts, in_chunks
from oddcall.training.traces.detectors.groups import apart, grouped
from oddcall.training.traces.detectors.ngrams import run_keys
from oddcall.training.traces.detectors.sets import shares
from oddcall.training.traces.detectors.views import Surprise
from oddcall.training.traces.traces import TraceSet

#: Weight of each kind of test: foreign work counts most, as a whole and as a part.
WEIGHTS = {
    "foreign": 1 / 3,
    "spliced": 1 / 6,
    "burst": 1 / 6,
    "shuffled": 1 / 9,
    "substituted": 1 / 9,
    "shifted": 1 / 9,
}
#: Calls of one set that are used, groups it is divided into (coarsely, finely), traces made.
_MOST_CALLS = 400_000
_GROUPS = (12, 50)
_MADE = 300
_PAIRS = 512
#: Part of the different traces that is foreign: at least, and at most.
_FOREIGN = (0.25, 0.45)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Clean traces to learn from, and made-up tests of what was learned.

    Attributes
    ----------
    train : TraceSet
    normal, attack : dict of TraceSet
        Kind of test -> what is judged as normal, and as an attack.
    """

    train: TraceSet
    normal: dict[str, TraceSet]
    attack: dict[str, TraceSet]


def trials(clean: TraceSet, rounds: int = 6) -> Iterator[Trial]:
    """Make tests of clean traces; each round groups them in another way.

    Parameters
    ----------
    clean : TraceSet
        At least some dozens of different traces.
    rounds : int, default 6
        Mixture, set and pairs of calls, coarsely and then finely.
    """
    for seed in range(rounds):
        yield _trial(_sample(clean, seed), seed)


def quality(normal: FloatArray, attack: FloatArray) -> float:
    """Mean of the area and of what is found at 1 and at 5 % false positives."""
    found = measure(normal, attack, float(np.max(normal)))
    return (found.auc + found.detected[0.01] + found.detected[0.05]) / 3


Rule = Callable[[FloatArray, FloatArray], FloatArray]


def _fisher(surprise: FloatArray, weight: FloatArray) -> FloatArray:
    total: FloatArray = weight @ surprise
    return total


def _harmonic(surprise: FloatArray, weight: FloatArray) -> FloatArray:
    mean: FloatArray = np.logaddexp.reduce(surprise + np.log(weight)[:, None], axis=0)
    return mean


def _e_values(surprise: FloatArray, weight: FloatArray) -> FloatArray:
    # p becomes the e-value p ** -0.5 / 2; their mean is one under any dependence.
    mean: FloatArray = np.logaddexp.reduce(0.5 * surprise + np.log(weight)[:, None], axis=0)
    return mean


def _cauchy(surprise: FloatArray, weight: FloatArray) -> FloatArray:
    p = np.clip(np.exp(-np.minimum(surprise, 30.0)), 0.0, 1 - 1e-9)
    total: FloatArray = weight @ np.tan((0.5 - p) * np.pi)
    return total


def _largest(surprise: FloatArray, weight: FloatArray) -> FloatArray:
    largest: FloatArray = (surprise + np.log(weight)[:, None]).max(axis=0)
    return largest


#: Name -> how surprises (members, n) and weights (members,) become one score (n,).
RULES: dict[str, Rule] = {
    "Fisher's sum": _fisher,
    "harmonic mean": _harmonic,
    "Cauchy": _cauchy,
    "e-values": _e_values,
    "largest": _largest,
}


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What fitted detectors made of one trial: detector -> surprise of each test's traces."""

    normal: dict[str, dict[str, FloatArray]]
    attack: dict[str, dict[str, FloatArray]]

    def quality(self, members: dict[str, float], rule: Rule = _fisher) -> dict[str, float]:
        """Quality of some detectors together, by kind of test.

        Parameters
        ----------
        members : dict of float
            Name -> weight.
        rule : callable, default Fisher's sum
        """
        weight = np.array(list(members.values()))
        return {
            kind: quality(
                *(
                    rule(np.stack([side[name][kind] for name in members]), weight)
                    for side in (self.normal, self.attack)
                )
            )
            for kind in WEIGHTS
        }


def judge(trial: Trial, detectors: dict[str, type[AtOnce]]) -> Judged:
    """Fit each detector on a trial and score its tests."""
    part = apart(trial.train)
    normal: dict[str, dict[str, FloatArray]] = {}
    attack: dict[str, dict[str, FloatArray]] = {}
    for name, detector in detectors.items():
        fitted = detector().fit(trial.train)
        surprise = Surprise(detector.scores_without(trial.train, part))
        normal[name] = {k: surprise.of(in_chunks(t, fitted.score)) for k, t in trial.normal.items()}
        attack[name] = {k: surprise.of(in_chunks(t, fitted.score)) for k, t in trial.attack.items()}
    return Judged(normal, attack)


def overall(by_kind: dict[str, float]) -> float:
    """Weighted mean over the kinds of test."""
    return sum(WEIGHTS[kind] * value for kind, value in by_kind.items())


def _sample(clean: TraceSet, seed: int) -> TraceSet:
    order = np.random.default_rng(seed).permutation(len(clean))
    kept = order[np.cumsum(clean.lengths[order]) <= _MOST_CALLS]
    return clean.take(np.sort(kept if len(kept) else order[:1]))


def _groups(traces: TraceSet, seed: int) -> IntArray:
    """Group of each trace, (n,)."""
    part = shares(traces, len(traces.vocabulary))
    if seed % 3 == 0:
        view = np.sqrt(part)
    elif seed % 3 == 1:
        view = (part > 0).astype(np.float64)
    else:
        pair = (run_keys(traces, 2)[2] % np.uint64(_PAIRS)).astype(np.int64)
        counts = np.bincount(traces.row * _PAIRS + pair, minlength=len(traces) * _PAIRS)
        view = np.sqrt(counts.reshape(len(traces), _PAIRS))
    view /= np.sqrt((view**2).sum(axis=1, keepdims=True))
    first = np.flatnonzero(firsts(traces))
    many = min(_GROUPS[(seed // 3) % len(_GROUPS)], max(len(first) // 4, 2))
    return grouped(view, first, many, seed)


def _foreign_groups(group: IntArray, first: IntArray, random: np.random.Generator) -> list[int]:
    size = np.bincount(group[first], minlength=int(group.max()) + 1)
    low, high = (share * len(first) for share in _FOREIGN)
    chosen: list[int] = []
    total = 0
    for one in random.permutation(len(size)).tolist():
        if total >= low:
            break
        if not chosen or total + size[one] <= high:
            chosen.append(one)
            total += int(size[one])
    return chosen


def _trial(clean: TraceSet, seed: int) -> Trial:
    random, group = np.random.default_rng(seed), _groups(clean, seed)
    first = firsts(clean)
    foreign = np.isin(group, _foreign_groups(group, np.flatnonzero(first), random))
    own = random.permutation(np.flatnonzero(~foreign))
    cut = len(own) * 3 // 4
    train, normal = clean.take(np.sort(own[:cut])), clean.take(own[cut:])
    strange = clean.take(random.permutation(np.flatnonzero(foreign & first)))
    half = max(len(strange) // 2, 1)
    # With a single foreign trace, both are it.
    begin = min(half, len(strange) - 1)
    near, far = strange.take(np.arange(half)), strange.take(np.arange(begin, len(strange)))
    make = _Maker(random, clean)
    attack = {
        "foreign": strange,
        "spliced": make.spliced(normal, strange, 0.2, 1.0),
        "burst": make.spliced(normal, strange, 0.02, 0.1),
        "shuffled": make.shuffled(normal),
        "substituted": make.substituted(normal),
        "shifted": make.mixed(far, train),
    }
    return Trial(train, {k: near if k == "shifted" else normal for k in attack}, attack)


class _Maker:
    """Makes odd traces of clean ones."""

    def __init__(self, random: np.random.Generator, clean: TraceSet) -> None:
        self._random, self._vocabulary = random, clean.vocabulary
        often = np.sqrt(np.bincount(clean.calls, minlength=len(clean.vocabulary)))
        self._often = often / often.sum()

    def spliced(self, base: TraceSet, donors: TraceSet, low: float, high: float) -> TraceSet:
        """Put a stretch of another trace, so long against its own length, somewhere into each."""

        def one(trace: IntArray) -> IntArray:
            donor = donors.trace(int(self._random.integers(len(donors))))
            size = min(len(donor), max(10, int(self._random.uniform(low, high) * len(trace))))
            begin = self._random.integers(0, len(donor) - size + 1)
            at = self._random.integers(0, len(trace) + 1)
            return np.concatenate([trace[:at], donor[begin : begin + size], trace[at:]])

        return self._made(base, one)

    def shuffled(self, base: TraceSet) -> TraceSet:
        """Put a stretch of each into another order."""

        def one(trace: IntArray) -> IntArray:
            size = min(len(trace), max(8, int(self._random.uniform(0.2, 0.6) * len(trace))))
            begin = self._random.integers(0, len(trace) - size + 1)
            trace[begin : begin + size] = self._random.permutation(trace[begin : begin + size])
            return trace

        return self._made(base, one)

    def substituted(self, base: TraceSet) -> TraceSet:
        """Replace a tenth of the calls of each."""

        def one(trace: IntArray) -> IntArray:
            at = self._random.choice(len(trace), max(1, len(trace) // 10), replace=False)
            trace[at] = self._random.choice(len(self._often), len(at), p=self._often)
            return trace

        return self._made(base, one)

    def mixed(self, base: TraceSet, donors: TraceSet) -> TraceSet:
        """Give as many of each kind."""
        parts = (self.shuffled(base), self.substituted(base), self.spliced(base, donors, 0.2, 1.0))
        traces = [part.trace(i) for part in parts for i in range(len(part))]
        return TraceSet.of(traces, self._vocabulary)

    def _made(self, base: TraceSet, one: Callable[[IntArray], IntArray]) -> TraceSet:
        rows = self._random.integers(0, len(base), _MADE)
        return TraceSet.of([one(base.trace(int(i)).copy()) for i in rows], self._vocabulary)
