"""From scores to p-values: counted inside a clean sample, modelled beyond it.

Inside the sample the p-value is the split-conformal ``(1 + #{clean >= s}) / (n + 1)``, valid at
any size, with ties counted against us; where scores hang together, none is less than what as many
independent ones as they are worth could tell, ``1 / (m + 1)``. Beyond the largest clean score
there is nothing to count, yet a budget of one alert a day asks for one window in a million: the
tail goes on from there as a generalised Pareto (peaks over threshold, as in SPOT, Siffer et al.
2017).

With ten minutes of evidence a fit by maximum likelihood is worthless, so the tail is held by
priors: the scale is the mean excess drawn towards a prior scale worth so many observations, and
the shape is fixed per kind of score, or heavier where the sample shows it (probability-weighted
moments), or where it has hardly any tail to show. Scores that are nearly always 0 need no special
case: their threshold is 0, their excesses are the few positive scores, and with none at all the
chance of any is at most ``1 / (n + 1)`` and its size falls off at the prior's scale.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from oddcall.models.detector import Prior, State
from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray

#: The tail begins at this quantile of the clean scores.
_TAIL_AT = 0.9
#: Excesses needed before the sample may say that the tail is heavier than the prior.
_EXCESSES_FOR_SHAPE = 15
#: Shape where a sample has fewer different ones, differing by this much: a tool that did the same
#: 150 times has not shown how far it goes when it does not.
_UNTOLD, _DIFFERENT = 0.5, 0.001
_HEAVIEST = 0.8
#: No p-value is smaller: a verdict must stay a positive number.
SMALLEST = 1e-300


@dataclass(frozen=True, eq=False)
class Tails:
    """Clean scores and tails of P profiles.

    Attributes
    ----------
    edges : int64 (P + 1,)
        Profile i owns ``scores[edges[i]:edges[i + 1]]``.
    scores : float64 (N,)
        Clean scores, increasing within a profile.
    effective : float64 (P,)
        Independent observations those count as.
    largest : float64 (P,)
        The largest clean score, or 0 without any.
    begins : float64 (P,)
        Where extrapolation begins: there, or later.
    scale, shape : float64 (P,)
        Of the generalised Pareto beyond.
    resolution : float64 ()
        Scores that differ by no more are ties.
    """

    edges: IntArray
    scores: FloatArray
    effective: FloatArray
    largest: FloatArray
    begins: FloatArray
    scale: FloatArray
    shape: FloatArray
    resolution: FloatArray

    @cached_property
    def _own(self) -> IntArray:
        """Clean scores of each profile, 1 at least."""
        return np.maximum(np.diff(self.edges), 1)

    @cached_property
    def _keys(self) -> FloatArray:
        owner = np.repeat(np.arange(len(self)), np.diff(self.edges))
        return _key(self.scores, owner)

    def __len__(self) -> int:
        return len(self.effective)

    @classmethod
    def fit(
        cls,
        scores: FloatArray,
        profile: IntArray,
        count: int,
        prior: Prior,
        effective: FloatArray | None = None,
    ) -> Tails:
        """Calibrate ``count`` profiles on clean scores.

        Parameters
        ----------
        scores : float64 (n,)
            Of windows the detector did not learn from; not negative.
        profile : int64 (n,)
        count : int
            Profiles; one without scores keeps its prior and promises nothing.
        prior : Prior
        effective : float64 (count,), optional
            Independent observations behind each profile's scores. Default: each score is one.
        """
        order = np.lexsort((scores, profile))
        ranked = scores[order]
        edges = np.searchsorted(profile[order], np.arange(count + 1)).astype(np.int64)
        own = np.diff(edges).astype(np.float64)
        fits = np.array(
            [_tail(ranked[edges[i] : edges[i + 1]], prior) for i in range(count)]
        ).reshape(count, 3)
        largest, scale, shape = fits.T
        return cls(
            edges,
            ranked,
            own if effective is None else effective,
            largest,
            largest,
            scale,
            shape,
            np.array(prior.resolution),
        )

    def of_nats(self, least: FloatArray) -> Tails:
        """Build the same for the strongest of p-values, in nats, whose tails begin here or later.

        Where clean scores are all alike there is nothing between them and the first that counting
        can tell apart: the tail begins there, not at theirs. And it falls no faster than the
        p-values do that were joined: what is the strongest of several is no rarer than each.

        Parameters
        ----------
        least : float64 (P,)
        """
        begins = np.maximum(self.largest, least)
        return replace(self, begins=begins, scale=np.maximum(self.scale, 1.0))

    def p_values(self, scores: FloatArray, profile: IntArray) -> FloatArray:
        """p-value of each score under its profile, (n,), in (0, 1], falling as scores rise."""
        scores = self._resolved(scores)
        above = self._at_least(scores, profile)
        least = 1 / (self.effective[profile] + 1)
        counted: FloatArray = np.maximum((1 + above) / (self._own[profile] + 1), least)
        beyond = np.maximum(scores - self.begins[profile], 0.0)
        if not beyond.any():
            return counted
        shape, scale = self.shape[profile], self.scale[profile]
        # As the shape goes to 0 the Pareto becomes exponential; expm1-like care is not needed
        # because shapes are fixed at 0 or well above it.
        pareto = -np.log1p(shape * beyond / scale) / np.maximum(shape, 1e-12)
        log_tail = np.where(shape > 1e-6, pareto, -beyond / scale)
        return np.maximum(counted * np.exp(np.maximum(log_tail, -690.0)), SMALLEST)

    def own_p_values(self, scores: FloatArray, profile: IntArray) -> FloatArray:
        """p-values of the calibration scores themselves, each left out of its own count.

        None less than independent scores could tell, as with later ones: what is joined of these
        is the sample for what is joined of those.
        """
        above = np.maximum(self._at_least(self._resolved(scores), profile), 1)
        least = 1 / np.maximum(self.effective[profile], 1)
        own: FloatArray = np.maximum(above / self._own[profile], least)
        return own

    def extrapolated(self, scores: FloatArray, profile: IntArray) -> NDArray[np.bool_]:
        """Whether a score lies beyond what counting can tell of its profile, (n,)."""
        return self._resolved(scores) > self.begins[profile]

    def _resolved(self, scores: FloatArray) -> FloatArray:
        """Lower scores by what does not count: a tie counts against the alert."""
        lowered: FloatArray = np.maximum(scores - self.resolution, 0.0)
        return lowered

    def _at_least(self, scores: FloatArray, profile: IntArray) -> FloatArray:
        """Clean scores of the profile at or above each score."""
        place = np.searchsorted(self._keys, _key(scores, profile), side="left")
        above: FloatArray = (self.edges[profile + 1] - place).astype(np.float64)
        return above

    def state(self) -> State:
        """Everything learned, as plain arrays."""
        return {name: getattr(self, name) for name in _KEPT}

    @classmethod
    def from_state(cls, state: State) -> Tails:
        """Build what ``state`` was taken from."""
        return cls(*(state[name] for name in _KEPT))  # type: ignore[arg-type]


_KEPT = ("edges", "scores", "effective", "largest", "begins", "scale", "shape", "resolution")


def _key(scores: FloatArray, profile: IntArray) -> FloatArray:
    """One number that orders by profile, then by score: many profiles, one binary search.

    Scores that differ by less than one part in 10^10 may tie; a tie counts against us.
    """
    key: FloatArray = profile + 0.999 * scores / (1.0 + scores)
    return key


def _tail(ranked: FloatArray, prior: Prior) -> tuple[float, float, float]:
    """Largest score, and scale and shape of what lies beyond it."""
    if not len(ranked):
        return 0.0, prior.scale, prior.shape
    start = float(ranked[int(_TAIL_AT * (len(ranked) - 1))])
    excess = ranked[np.searchsorted(ranked, start, side="right") :] - start
    scale = (prior.weight * prior.scale + float(excess.sum())) / (prior.weight + len(excess))
    shape = max(prior.shape, _shape(excess)) if prior.shape > 0 else 0.0
    largest = float(ranked[-1])
    # Scale of what lies beyond the largest: for a Pareto it grows with the distance from start.
    return largest, scale * (1 - shape) + shape * (largest - start), shape


def _shape(excess: FloatArray) -> float:
    """Shape by probability-weighted moments (Hosking and Wallis 1987), where there are enough.

    At least that of a tail which nothing is known of where too few excesses differ.
    """
    n, different = len(excess), len(np.unique(excess // _DIFFERENT))
    least = _UNTOLD if different < _EXCESSES_FOR_SHAPE else 0.0
    if n < _EXCESSES_FOR_SHAPE:
        return least
    survive = (n - np.arange(1, n + 1)) / (n - 1)
    first, second = float(excess.mean()), float((survive * excess).mean())
    return min(max(2 - first / max(first - 2 * second, 1e-12), least), _HEAVIEST)
