"""What others do, for comparison: never part of a verdict.

The autoencoder follows evilsocket's "Process behaviour anomaly detection with eBPF and
unsupervised learning autoencoders" (2022) in what it looks at: the shares of the calls made so
far, at several points of a process's life.
"""

from __future__ import annotations

import warnings
from typing import ClassVar, Self

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.traces.detectors.detector import AtOnce
from oddcall.training.traces.detectors.ngrams import Index, mean_of, run_keys
from oddcall.training.traces.detectors.sets import shares
from oddcall.training.traces.traces import TraceSet


class RawIsolationForest(AtOnce):
    """scikit-learn's IsolationForest on raw counts of calls, as most tools have it."""

    name: ClassVar[str] = "isolation-forest"

    def learn(self, traces: TraceSet) -> Self:
        """Learn without held-out scores."""
        from sklearn.ensemble import IsolationForest

        self._width = len(traces.vocabulary)
        self._forest = IsolationForest(random_state=0).fit(self._counts(traces))
        return self

    def score(self, traces: TraceSet) -> FloatArray:
        """See `AtOnce.score`."""
        # scikit-learn's score is lower for outliers.
        score: FloatArray = -self._forest.score_samples(self._counts(traces))
        return score

    def _counts(self, traces: TraceSet) -> FloatArray:
        return shares(traces, self._width) * traces.lengths[:, None]


class Stide(AtOnce):
    """Share of windows of six calls that were never seen (Forrest et al. 1996)."""

    name: ClassVar[str] = "stide"
    window: ClassVar[int] = 6

    def learn(self, traces: TraceSet) -> Self:
        """Learn without held-out scores."""
        self._known = np.unique(run_keys(traces, self.window)[-1])
        return self

    def score(self, traces: TraceSet) -> FloatArray:
        """See `AtOnce.score`."""
        keys = run_keys(traces, self.window)[-1]
        place = np.minimum(np.searchsorted(self._known, keys), len(self._known) - 1)
        return mean_of(traces, (self._known[place] != keys).astype(np.float64))


class KneserNey(AtOnce):
    """Mean bits a call, over all of a trace, by an interpolated Kneser-Ney model of order six."""

    name: ClassVar[str] = "kneser-ney"
    order: ClassVar[int] = 6

    def learn(self, traces: TraceSet) -> Self:
        """Learn without held-out scores."""
        everything = np.ones(len(traces.calls), np.bool_)
        self._model = Index(traces, self.order).model(everything, "kneser-ney")
        return self

    def score(self, traces: TraceSet) -> FloatArray:
        """Mean bits a call, (n,)."""
        return mean_of(traces, self._model.bits(traces))


class CumulativeAutoencoder(AtOnce):
    """Error of an autoencoder on the shares of calls made so far (evilsocket's idea).

    Shares are taken at each quarter of a trace; a trace's score is its mean error.
    """

    name: ClassVar[str] = "autoencoder"
    points: ClassVar[int] = 4
    #: Rows learned from at most.
    most_rows: ClassVar[int] = 2_000

    def learn(self, traces: TraceSet) -> Self:
        """Learn without held-out scores."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPRegressor

        self._width = len(traces.vocabulary)
        rows = self._ratios(traces)
        self._used = np.flatnonzero(rows.any(axis=0))
        rows = rows[:, self._used]
        rows = rows[np.random.default_rng(0).permutation(len(rows))[: self.most_rows]]
        hidden = max(2, len(self._used) // 3)
        self._net = MLPRegressor(hidden_layer_sizes=(hidden,), max_iter=60, random_state=0)
        with warnings.catch_warnings():
            # A few dozen rounds are what an autoencoder of this size is given.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._net.fit(rows, rows)
        return self

    def score(self, traces: TraceSet) -> FloatArray:
        """See `AtOnce.score`."""
        rows = self._ratios(traces)
        guess = self._net.predict(rows[:, self._used]).reshape(len(rows), -1)
        known = ((rows[:, self._used] - guess) ** 2).sum(axis=1)
        # A call that was never seen has no output: its guess is 0.
        new = (rows**2).sum(axis=1) - (rows[:, self._used] ** 2).sum(axis=1)
        mean: FloatArray = (known + new).reshape(self.points, len(traces)).mean(axis=0)
        return mean

    def _ratios(self, traces: TraceSet) -> FloatArray:
        """Shares of calls so far, (points * n, width), all traces at the first point first."""
        found = []
        for point in range(1, self.points + 1):
            ends = np.maximum(traces.lengths * point // self.points, 1)
            begun = [trace[:end] for trace, end in zip(_all(traces), ends, strict=True)]
            found.append(shares(TraceSet.of(begun, traces.vocabulary), self._width))
        return np.concatenate(found)


def _all(traces: TraceSet) -> list[IntArray]:
    return np.split(traces.calls, traces.indptr[1:-1])
