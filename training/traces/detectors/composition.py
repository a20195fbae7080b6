"""How calls go together in a trace: one Gaussian in the leading directions."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.training.traces.detectors.detector import Kindest, firsts
from oddcall.training.traces.detectors.sets import shares
from oddcall.training.traces.traces import TraceSet


class Composition(Kindest):
    """Mahalanobis distance in the ten leading directions of how calls are combined.

    Shares to the power of a tenth, so that a call counts almost alike however often it is
    made, scaled to unit length. Finds traces that do much less, or other things together, than
    known ones; fails on what lies outside those directions, which ``call-set`` is for, and takes
    a rare program for odd: by itself it is no detector, in a sum it tells what others do not.
    """

    name: ClassVar[str] = "composition"
    directions: ClassVar[int] = 10
    power: ClassVar[float] = 0.1

    def _score(self, traces: TraceSet) -> FloatArray:
        """Distance in standard deviations, (n,)."""
        along = (self._vectors(traces) - self._mean) @ self._axes
        distance: FloatArray = np.sqrt((along**2 / self._spread).sum(axis=1))
        return distance

    def _vectors(self, traces: TraceSet) -> FloatArray:
        raised = shares(traces, self._width) ** self.power
        length = np.sqrt((raised**2).sum(axis=1, keepdims=True))
        vectors: FloatArray = raised / np.maximum(length, 1e-12)
        return vectors

    def learn(self, traces: TraceSet) -> Self:
        """Learn without held-out scores."""
        known = traces.take(np.flatnonzero(firsts(traces)))
        self._width = len(known.vocabulary)
        vectors = self._vectors(known)
        self._mean = vectors.mean(axis=0)
        spread, axes = np.linalg.eigh(np.atleast_2d(np.cov(vectors.T)))
        kept = np.argsort(-spread)[: self.directions]
        self._axes, self._spread = axes[:, kept], np.maximum(spread[kept], 1e-6)
        return self
