"""How calls go together in a trace: a mixture of Gaussians in the leading directions."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.training.trace_detector import cross_scores, firsts, in_chunks, sample
from oddcall.training.trace_sets import shares
from oddcall.training.traces import TraceSet

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

#: Least variance along a direction, as a part of the length of a vector (1).
_LEAST = 1e-3
#: Different traces that a Gaussian must have to itself.
_TRACES_A_GAUSSIAN = 20


class Composition:
    """Minus the log-likelihood of how calls are combined, under up to eight Gaussians.

    Shares to the power of a tenth, so that a call counts almost alike however often it is
    made, scaled to unit length, in their twenty leading directions. Every program or kind of
    work may have a Gaussian of its own: one for all of them takes rare programs for attacks.
    Copies are learned once. Fails on what lies outside the leading directions, which
    ``call-set`` is for.
    """

    name: ClassVar[str] = "composition"
    directions: ClassVar[int] = 20
    gaussians: ClassVar[int] = 8
    power: ClassVar[float] = 0.1

    held_out: FloatArray
    _mixture: GaussianMixture

    def fit(self, traces: TraceSet) -> Self:
        """Learn from clean traces."""
        known = sample(traces)
        self.held_out = cross_scores(known, lambda part: type(self)().learn(part).score)
        return self.learn(known)

    def score(self, traces: TraceSet) -> FloatArray:
        """Minus the log-likelihood, (n,)."""
        return in_chunks(traces, self._score)

    def learn(self, traces: TraceSet) -> Self:
        """Learn without held-out scores."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        known = traces.take(np.flatnonzero(firsts(traces)))
        self._width = len(known.vocabulary)
        vectors = self._vectors(known)
        self._mean = vectors.mean(axis=0)
        spread, axes = np.linalg.eigh(np.cov(vectors.T).reshape(self._width, self._width))
        self._axes = axes[:, np.argsort(-spread)[: self.directions]]
        self._mixture = GaussianMixture(
            min(self.gaussians, len(known) // _TRACES_A_GAUSSIAN + 1),
            reg_covar=_LEAST,
            init_params="k-means++",
            max_iter=30,
            random_state=0,
        )
        with warnings.catch_warnings():
            # Thirty rounds are near enough, and the same each time.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._mixture.fit((vectors - self._mean) @ self._axes)
        return self

    def _score(self, traces: TraceSet) -> FloatArray:
        along = (self._vectors(traces) - self._mean) @ self._axes
        score: FloatArray = -self._mixture.score_samples(along)
        return score

    def _vectors(self, traces: TraceSet) -> FloatArray:
        raised = shares(traces, self._width) ** self.power
        length = np.sqrt((raised**2).sum(axis=1, keepdims=True))
        vectors: FloatArray = raised / np.maximum(length, 1e-12)
        return vectors
