"""What every detector of whole traces promises, and how each trace is judged by the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from oddcall.models.errors import EvidenceError
from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.traces import TraceSet

#: Parts that the training traces are divided into, to score each by the others.
FOLDS = 5
#: Calls and traces learned from at most: a sample of the traces beyond. Bounds memory and time.
MOST_LEARNED = 4_000_000
MOST_TRACES = 20_000
#: Calls scored at once.
CHUNK = 500_000


@runtime_checkable
class TraceDetector(Protocol):
    """Scores whole traces against clean ones. Higher is more unusual, always.

    Attributes
    ----------
    name : str
    held_out : float64 (traces learned from,)
        Score of each training trace by what was learned without it and its copies: what the
        scores of clean traces look like, from which a threshold follows.
    """

    name: ClassVar[str]
    held_out: FloatArray

    def fit(self, traces: TraceSet) -> Self:
        """Learn from clean traces; returns this detector.

        Raises
        ------
        EvidenceError
            There are fewer different traces than ``FOLDS``.
        """

    def score(self, traces: TraceSet) -> FloatArray:
        """Score each trace, (n,), finite. Changes nothing."""


def folds(traces: TraceSet, seed: int = 0) -> IntArray:
    """Part of each trace, 0 to ``FOLDS - 1``; copies of a trace are in one part.

    Raises
    ------
    EvidenceError
        There are fewer different traces than parts.
    """
    same = traces.same()
    kinds = int(same.max()) + 1 if len(same) else 0
    if kinds < FOLDS:
        raise EvidenceError(
            "there are too few traces to learn from",
            expected=f"at least {FOLDS} that differ",
            got=str(kinds),
            fix="Give more clean traces.",
        )
    part = np.random.default_rng(seed).permutation(kinds) % FOLDS
    return part[same].astype(np.int64)


def firsts(traces: TraceSet) -> NDArray[np.bool_]:
    """Whether each trace is the first of its copies, (n,)."""
    found = np.zeros(len(traces), np.bool_)
    found[np.unique(traces.same(), return_index=True)[1]] = True
    return found


def cross_scores(
    traces: TraceSet, learn: Callable[[TraceSet], Callable[[TraceSet], FloatArray]]
) -> FloatArray:
    """Score each part of the traces by what ``learn`` makes of the other parts, (n,)."""
    part = folds(traces)
    scores = np.zeros(len(traces))
    for fold in range(FOLDS):
        judge = learn(traces.take(np.flatnonzero(part != fold)))
        kept = np.flatnonzero(part == fold)
        scores[kept] = judge(traces.take(kept))
    return scores


def sample(traces: TraceSet, most_calls: int = MOST_LEARNED, seed: int = 0) -> TraceSet:
    """Give the set back, or of a larger one as many traces as hold ``most_calls`` calls."""
    if len(traces.calls) <= most_calls and len(traces) <= MOST_TRACES:
        return traces
    order = np.random.default_rng(seed).permutation(len(traces))[:MOST_TRACES]
    kept = order[np.cumsum(traces.lengths[order]) <= most_calls]
    return traces.take(np.sort(kept if len(kept) else order[:1]))


def in_chunks(
    traces: TraceSet, judge: Callable[[TraceSet], FloatArray], most_calls: int = CHUNK
) -> FloatArray:
    """Score many traces, so many calls at a time, (n,)."""
    return np.concatenate(list(_chunk_scores(traces, judge, most_calls)) or [np.zeros(0)])


def _chunk_scores(
    traces: TraceSet, judge: Callable[[TraceSet], FloatArray], most_calls: int
) -> Iterator[FloatArray]:
    for _, part in traces.chunks(most_calls):
        yield judge(part)
