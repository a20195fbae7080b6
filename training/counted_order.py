"""What detectors that count runs of calls have in common, ours and those we compare with."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.training.ngrams import Index, Interpolated, Smoothing
from oddcall.training.trace_detector import FOLDS, folds, in_chunks, sample
from oddcall.training.traces import TraceSet


class CountedOrder:
    """Bits of every call by an interpolated model of runs; subclasses say what a trace makes of it.

    The runs are indexed once: the model of each part of the traces is counts over that index.
    """

    order: ClassVar[int]
    smoothing: ClassVar[Smoothing]

    held_out: FloatArray
    _model: Interpolated

    def fit(self, traces: TraceSet) -> Self:
        """Learn from clean traces."""
        known = sample(traces)
        part, index = folds(known), Index(known, self.order)
        row, held_out = known.row, np.zeros(len(known.calls))
        for fold in range(FOLDS):
            model = index.model((part != fold)[row], self.smoothing)
            p = model.probability[-1][index.orders[-1].place]
            kept = (part == fold)[row]
            held_out[kept] = -np.log2(np.maximum(p[kept], 1e-300))
        self._model = index.model(np.ones(len(row), np.bool_), self.smoothing)
        self.held_out = self._of_traces(known, held_out)
        return self

    def score(self, traces: TraceSet) -> FloatArray:
        """Score each trace, (n,)."""
        return in_chunks(traces, lambda part: self._of_traces(part, self._model.bits(part)))

    def _of_traces(self, traces: TraceSet, bits: FloatArray) -> FloatArray:
        raise NotImplementedError
