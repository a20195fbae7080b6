"""From scores of several detectors to one p-value that can be held to a budget.

::

    scores -> p-value of each detector     (conformal, tail extrapolated: tail.py)
           -> the stronger of the mixture detectors, calibrated again
           -> the stronger of that and of novelty, calibrated again
    novelty summed over a program's windows -> a p-value of its own   (sequence.py)

What is joined is held against the same over clean windows that no detector learned from, later
in time than all that was learned: no law is assumed of how detectors hang together.

The kinds are not summed. A call never seen before is novel, and it lies outside the subspace
of what was seen: one cause, told twice. On the rare clean windows where that happens a sum
squares the odds, and too few of them are in any sample for calibration to notice. The stronger
kind by itself is valid whatever the dependence, and behaviour never seen, the best evidence at
low rates, is not watered down by detectors that agree with each other. That two kinds are two
chances to be odd is in the clean sample already, whose windows had the same two. Only past its
largest score, where nothing is left to count, does it take Bonferroni's factor. The same holds
for the mixture detectors among themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from oddcall.models.detector import Evidence, Prior, State
from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.models.tail import Tails

#: Of the strongest of several p-values, in nats: 1 if each keeps its promise.
STRONGEST_PRIOR = Prior(scale=1.15, weight=20)


@dataclass(frozen=True, slots=True, eq=False)
class Evidences:
    """What calibration makes of a batch's scores, all (n,)."""

    detectors: dict[str, FloatArray]
    mixture: FloatArray
    score: FloatArray
    p_value: FloatArray
    extrapolated: NDArray[np.bool_]

    def take(self, rows: IntArray) -> Evidences:
        """Pick rows by position."""
        return Evidences(
            {name: p[rows] for name, p in self.detectors.items()},
            self.mixture[rows],
            self.score[rows],
            self.p_value[rows],
            self.extrapolated[rows],
        )

    def replaced(self, rows: IntArray, other: Evidences) -> Evidences:
        """Build the same with other evidence at some rows, (m,); ``other`` is of m windows."""

        def mixed(ours: NDArray[Any], theirs: NDArray[Any]) -> NDArray[Any]:
            result = ours.copy()
            result[rows] = theirs
            return result

        return Evidences(
            {name: mixed(p, other.detectors[name]) for name, p in self.detectors.items()},
            mixed(self.mixture, other.mixture),
            mixed(self.score, other.score),
            mixed(self.p_value, other.p_value),
            mixed(self.extrapolated, other.extrapolated),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Tails of every detector, of the mixture, and of everything together.

    Attributes
    ----------
    kinds : dict of str to {"mixture", "novelty"}
        Kind of evidence of each detector.
    detectors : dict of str to Tails
    mixture, total : Tails
        Of the strongest mixture detector, and of the stronger kind, in nats.
    sequence : Tails
        Of the news summed over a program's windows.
    group : int64 (P,)
        Tail that calibrates each profile: its own, or one that many small programs share.
    """

    kinds: dict[str, Evidence]
    detectors: dict[str, Tails]
    mixture: Tails
    total: Tails
    sequence: Tails
    group: IntArray

    def independent(self, profile: int) -> int:
        """Independent clean windows behind a profile's p-values.

        With n of them counting can tell no p-value smaller than 1 / (n + 1).
        """
        return int(self.total.effective[self.group[profile]])

    def ready(self, profile: int) -> bool:
        """Whether clean windows stand behind a profile's p-values."""
        return self.independent(profile) > 0

    @classmethod
    def fit(
        cls,
        scores: Mapping[str, FloatArray],
        kinds: Mapping[str, Evidence],
        priors: Mapping[str, Prior],
        tail: IntArray,
        group: IntArray,
        effective: FloatArray,
    ) -> Calibration:
        """Calibrate on the scores of clean windows later than those learned from.

        Parameters
        ----------
        scores : dict of str to float64 (n,)
        kinds, priors : dict by detector
        tail : int64 (n,)
            Tail each row belongs to.
        group : int64 (P,)
            Tail of each profile.
        effective : float64 (tails,)
            Independent observations behind each tail's rows; 0 without rows.
        """
        count = len(effective)
        tails, nats = {}, {}
        for name, score in scores.items():
            tails[name] = Tails.fit(score, tail, count, priors[name], effective)
            nats[name] = -np.log(tails[name].own_p_values(score, tail))
        joined = _joined(nats, kinds, "mixture", len(tail))
        # What a p-value of 1 / (n + 1) is in nats: before there, everything was counted.
        counted = np.log(effective + 1)
        mixture = Tails.fit(joined, tail, count, STRONGEST_PRIOR, effective).of_nats(counted)
        mixed = -np.log(mixture.own_p_values(joined, tail))
        stronger = np.maximum(mixed, _joined(nats, kinds, "novelty", len(tail)))
        total = Tails.fit(stronger, tail, count, STRONGEST_PRIOR, effective).of_nats(counted)
        return cls(dict(kinds), tails, mixture, total, _nothing(count), group)

    def with_sequence(
        self, sums: FloatArray, tail: IntArray, prior: Prior, effective: FloatArray
    ) -> Self:
        """Calibrate summed news on the sums at clean windows in the order of time.

        Parameters
        ----------
        sums : float64 (n,)
            As ``News.after`` gives them: 0 at windows without news.
        tail : int64 (n,)
        prior : Prior
            That of novelty, of which they are made.
        effective : float64 (tails,)
        """
        return replace(self, sequence=Tails.fit(sums, tail, len(effective), prior, effective))

    def evidences(self, scores: Mapping[str, FloatArray], profile: IntArray) -> Evidences:
        """Turn scores of windows into p-values, each under its profile."""
        at = self.group[profile]
        p = {name: tail.p_values(scores[name], at) for name, tail in self.detectors.items()}
        nats = {name: -np.log(value) for name, value in p.items()}
        mixed = _joined(nats, self.kinds, "mixture", len(at))
        chances = sum(kind == "mixture" for kind in self.kinds.values())
        mixture = self.mixture.p_values(_cautious(mixed, self.mixture.largest[at], chances), at)
        total = np.maximum(-np.log(mixture), _joined(nats, self.kinds, "novelty", len(at)))
        total = _cautious(total, self.total.largest[at], len(set(self.kinds.values())))
        return Evidences(
            p, mixture, total, self.total.p_values(total, at), self.total.extrapolated(total, at)
        )

    def state(self) -> State:
        """Everything learned, as plain arrays."""
        tails = {f"detector.{name}": tail for name, tail in self.detectors.items()}
        tails |= {"mixture": self.mixture, "total": self.total, "sequence": self.sequence}
        arrays = {
            f"{name}/{key}": value
            for name, tail in tails.items()
            for key, value in tail.state().items()
        }
        return {**arrays, "group": self.group}

    @classmethod
    def from_state(cls, state: State, kinds: Mapping[str, Evidence]) -> Calibration:
        """Build what ``state`` was taken from."""

        def tails(name: str) -> Tails:
            start = f"{name}/"
            return Tails.from_state(
                {key.removeprefix(start): v for key, v in state.items() if key.startswith(start)}
            )

        detectors = {name: tails(f"detector.{name}") for name in kinds}
        group = state["group"].astype(np.int64)
        return cls(
            dict(kinds), detectors, tails("mixture"), tails("total"), tails("sequence"), group
        )


def _nothing(count: int) -> Tails:
    """Tails that nothing was calibrated on."""
    none, zero = np.zeros(0), np.zeros(0, np.int64)
    return Tails.fit(none, zero, count, STRONGEST_PRIOR, np.zeros(count))


def _joined(
    nats: Mapping[str, FloatArray], kinds: Mapping[str, Evidence], kind: Evidence, n: int
) -> FloatArray:
    """Strongest evidence of the detectors of one kind, (n,)."""
    total = np.zeros(n)
    for name, value in nats.items():
        if kinds[name] == kind:
            total = np.maximum(total, value)
    return total


def _cautious(nats: FloatArray, largest: FloatArray, chances: int) -> FloatArray:
    """Take Bonferroni's factor for so many chances from what lies past the clean sample, (n,)."""
    beyond = np.maximum(nats - np.log(max(chances, 1)), largest)
    return np.where(nats > largest, beyond, nats)
