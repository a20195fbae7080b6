"""The order of calls once more: a guess that generalises where counted runs only remember."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.ngrams import chain, worst_mean
from oddcall.training.trace_detector import FOLDS, firsts, folds, in_chunks, sample
from oddcall.training.traces import TraceSet


class Linear:
    """Squared error of a linear guess of each call from the twelve before it.

    Every place before the call votes for what comes next, so a known step in a new
    surrounding is still half expected: this generalises where counted runs only remember.
    Least squares with a small ridge, solved at once. Fails on long-known programs, where
    remembering is better.
    """

    name: ClassVar[str] = "linear"
    #: Calls looked back at, the most calls told apart, and the ridge.
    back: ClassVar[int] = 12
    most_calls_known: ClassVar[int] = 200
    ridge: ClassVar[float] = 0.1

    held_out: FloatArray

    def fit(self, traces: TraceSet) -> Self:
        """Learn from clean traces."""
        known = sample(traces)
        part, first = folds(known), firsts(known)
        count = np.bincount(known.calls, minlength=len(known.vocabulary))
        self._kept = np.flatnonzero(count)[np.argsort(-count[count > 0], kind="stable")]
        self._kept = np.sort(self._kept[: self.most_calls_known])
        # What is learned without a part still has the traces of which a copy is elsewhere.
        home = _home(known.same(), part)
        moments = [
            self._moments(known.take(np.flatnonzero(first & (home == where))))
            for where in range(FOLDS + 1)
        ]
        g, b = (np.sum(each, axis=0) for each in zip(*moments, strict=True))
        self.held_out = np.zeros(len(known))
        for fold in range(FOLDS):
            self._weights = self._solve(g - moments[fold][0], b - moments[fold][1])
            kept = np.flatnonzero(part == fold)
            self.held_out[kept] = self.score(known.take(kept))
        self._weights = self._solve(g, b)
        return self

    def score(self, traces: TraceSet) -> FloatArray:
        """Mean squared error over the worst stretch, (n,): 0 for foreseen, about 1 for the rest."""
        return in_chunks(traces, lambda part: worst_mean(part, self._errors(part)))

    @property
    def _symbols(self) -> int:
        # The calls told apart, any other call, and what stands before a trace.
        return len(self._kept) + 2

    def _encode(self, traces: TraceSet) -> IntArray:
        place = np.minimum(np.searchsorted(self._kept, traces.calls), len(self._kept) - 1)
        found: IntArray = np.where(self._kept[place] == traces.calls, place, len(self._kept))
        return found

    def _windows(self, traces: TraceSet) -> NDArray[np.int16]:
        """Symbols of each call and of the ``back`` before it, (back + 1, calls)."""
        symbols = self._encode(traces).astype(np.int16)
        age = np.arange(len(symbols)) - np.repeat(traces.indptr[:-1], traces.lengths)
        windows = np.full((self.back + 1, len(symbols)), self._symbols - 1, np.int16)
        for lag in range(self.back + 1):
            inside = age >= lag
            windows[lag, inside] = symbols[np.flatnonzero(inside) - lag]
        return windows

    def _moments(self, traces: TraceSet) -> tuple[FloatArray, FloatArray]:
        """Count pairs of symbols at every two places: X'X and X'Y of one-hot columns."""
        s, k = self._symbols, self.back
        g, b = np.zeros((k, s, k, s)), np.zeros((k, s, s))
        for _, part in traces.chunks(1_000_000):
            windows = self._windows(part).astype(np.int64)
            for i in range(1, k + 1):
                b[i - 1] += _pairs(windows[i], windows[0], s)
                for j in range(i, k + 1):
                    both = _pairs(windows[i], windows[j], s)
                    g[i - 1, :, j - 1, :] += both
                    if j > i:
                        g[j - 1, :, i - 1, :] += both.T
        return g.reshape(k * s, k * s), b.reshape(k * s, s)

    def _solve(self, g: FloatArray, b: FloatArray) -> NDArray[np.float32]:
        used = np.flatnonzero(np.diag(g))
        system = g[np.ix_(used, used)]
        system[np.diag_indices_from(system)] += self.ridge
        weights = np.zeros(b.shape, np.float32)
        weights[used] = solve(system, b[used], assume_a="pos", check_finite=False)
        return weights.reshape(self.back, self._symbols, self._symbols)

    def _errors(self, traces: TraceSet) -> FloatArray:
        windows = self._windows(traces)
        # Long runs repeat: each different window is judged once.
        key = np.zeros(windows.shape[1], np.uint64)
        for symbols in windows:
            key = chain(key, symbols.astype(np.int64))
        _, first, place = np.unique(key, return_index=True, return_inverse=True)
        unique = windows[:, first]
        errors = np.empty(len(first))
        for begin in range(0, unique.shape[1], 16_384):
            part = unique[:, begin : begin + 16_384]
            guess = np.zeros((part.shape[1], self._symbols), np.float32)
            for lag in range(self.back):
                guess += self._weights[lag][part[lag + 1]]
            right = guess[np.arange(len(guess)), part[0]]
            errors[begin : begin + 16_384] = 1 - 2 * right + np.einsum("ij,ij->i", guess, guess)
        return errors[place]


def _home(same: IntArray, part: IntArray) -> IntArray:
    """Part that all copies of each trace are in, ``FOLDS`` where they are in several, (n,)."""
    lowest = np.full(int(same.max()) + 1, FOLDS)
    highest = np.full(len(lowest), -1)
    np.minimum.at(lowest, same, part)
    np.maximum.at(highest, same, part)
    home: IntArray = np.where(lowest == highest, lowest, FOLDS)[same]
    return home


def _pairs(first: IntArray, second: IntArray, symbols: int) -> FloatArray:
    counted = np.bincount(first * symbols + second, minlength=symbols * symbols)
    return counted.reshape(symbols, symbols).astype(np.float64)
