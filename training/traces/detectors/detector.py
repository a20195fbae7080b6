"""What every detector of whole traces promises, and how each trace is judged by the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from oddcall.models.errors import EvidenceError
from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.traces.traces import FOLDS, TraceSet

#: Calls and traces learned from at most: a sample of the traces beyond. Bounds memory and time.
MOST_LEARNED = 4_000_000
MOST_TRACES = 20_000
#: Calls scored at once.
CHUNK = 500_000

#: Told how much of one thing is done, 0 to 1.
Done = Callable[[float], None]


def untold(done: float) -> None:
    """Tell nobody how much is done."""


def step(told: Done, i: int, n: int) -> Done:
    """Tell of the ``i``-th of ``n`` steps, counted from 0, as a part of the whole."""
    return lambda done: told((i + done) / n)


@runtime_checkable
class TraceDetector(Protocol):
    """Scores whole traces against clean ones. Higher is more unusual, always.

    Attributes
    ----------
    name : str
    held_out : float64 (traces learned from,)
        Score of each training trace by what was learned without it and its copies: what the scores
        of clean traces look like, from which a threshold follows.
    """

    name: ClassVar[str]
    held_out: FloatArray

    def fit(self, traces: TraceSet, told: Done = untold) -> Self:
        """Learn from clean traces, telling how much of that is done; returns this detector.

        Raises
        ------
        EvidenceError
            There are fewer different traces than ``FOLDS``.
        """

    def score(self, traces: TraceSet) -> FloatArray:
        """Score each trace, (n,), finite. Changes nothing.

        All at once: ``in_chunks`` bounds the memory for many.
        """


def folds(traces: TraceSet, seed: int = 0) -> IntArray:
    """Part of each trace, 0 to ``FOLDS - 1``, at random, copies of a trace in the same part.

    A trace that is scored by what was learned of its own copy looks like no later one that is new,
    and a threshold by such scores is too low. Where later traces are copies too, it is too high.

    Raises
    ------
    EvidenceError
        There are fewer different traces than parts.
    """
    require_different(traces)
    same = traces.same()
    part: IntArray = np.random.default_rng(seed).permutation(int(same.max()) + 1) % FOLDS
    return part[same]


def require_different(traces: TraceSet) -> None:
    """Raise EvidenceError when there are fewer different traces than ``FOLDS``."""
    kinds = int(firsts(traces).sum())
    if kinds < FOLDS:
        raise EvidenceError(
            "there are too few traces to learn from",
            expected=f"at least {FOLDS} that differ",
            got=f"{kinds} among {len(traces):,}" if kinds < len(traces) else str(kinds),
            fix="Give more clean traces.",
        )


def firsts(traces: TraceSet) -> NDArray[np.bool_]:
    """Whether each trace is the first of its copies, (n,)."""
    found = np.zeros(len(traces), np.bool_)
    found[np.unique(traces.same(), return_index=True)[1]] = True
    return found


def cross_scores(
    traces: TraceSet,
    part: IntArray,
    judges: Iterable[Callable[[TraceSet], FloatArray]],
    told: Done = untold,
) -> FloatArray:
    """Score each part of the traces by the judge that did not learn from it, (n,)."""
    scores = np.zeros(len(traces))
    for fold, judge in enumerate(judges):
        kept = np.flatnonzero(part == fold)
        scores[kept] = in_chunks(traces.take(kept), judge)
        told((fold + 1) / FOLDS)
    return scores


def sample(traces: TraceSet, most_calls: int = MOST_LEARNED, seed: int = 0) -> TraceSet:
    """Give the set back, or what is learned from a larger one.

    At most ``MOST_TRACES`` traces, and of each the same number of calls in a row at most, such
    that all hold ``most_calls``: many pieces of long traces say more than a few whole ones.
    """
    random = np.random.default_rng(seed)
    if len(traces) > MOST_TRACES:
        traces = traces.take(np.sort(random.permutation(len(traces))[:MOST_TRACES]))
    lengths = traces.lengths
    if lengths.sum() <= most_calls:
        return traces
    longest = _level(lengths, most_calls)
    begins = traces.indptr[:-1] + random.integers(0, np.maximum(lengths - longest, 0) + 1)
    ends = begins + np.minimum(lengths, longest)
    pieces = [traces.calls[begin:end] for begin, end in zip(begins, ends, strict=True)]
    return TraceSet.of(pieces, traces.vocabulary, traces.labels)


def _level(lengths: IntArray, most: int) -> int:
    """Length to cut traces to such that they hold about ``most`` calls; at least 1."""
    ordered = np.sort(lengths)
    n = len(ordered)
    # With the k shortest whole, the others share what these leave.
    whole = np.concatenate([[0], np.cumsum(ordered)])[:-1]
    level = (most - whole) // np.arange(n, 0, -1)
    fits = np.flatnonzero(level <= ordered)
    return max(int(level[fits[0]]) if len(fits) else int(ordered[-1]), 1)


def in_chunks(
    traces: TraceSet, judge: Callable[[TraceSet], FloatArray], told: Done = untold
) -> FloatArray:
    """Score many traces, ``CHUNK`` calls at a time, (n,), telling how much of that is done."""
    scores = []
    for begin, part in traces.chunks(CHUNK):
        told(begin / len(traces))
        scores.append(judge(part))
    return np.concatenate(scores or [np.zeros(0)])


class AtOnce:
    """A detector that learns at once: held-out scores come from learning without each part."""

    name: ClassVar[str]
    held_out: FloatArray

    def fit(self, traces: TraceSet, told: Done = untold) -> Self:
        """Learn from clean traces."""
        known = sample(traces)
        self.held_out = self.scores_without(known, folds(known), told)
        return self.learn(known)

    def score(self, traces: TraceSet) -> FloatArray:
        """Score each trace, (n,); higher is more unusual."""
        raise NotImplementedError

    def learn(self, traces: TraceSet) -> Self:
        """Learn without held-out scores."""
        raise NotImplementedError

    @classmethod
    def learn_each(cls, traces: TraceSet, kept: Sequence[NDArray[np.bool_]]) -> Iterator[Self]:
        """Learn, without held-out scores, from each choice of the traces, one when it is asked for.

        Parameters
        ----------
        traces : TraceSet
        kept : sequence of bool (n,)
        """
        return (cls().learn(traces.take(np.flatnonzero(some))) for some in kept)

    @classmethod
    def scores_without(cls, traces: TraceSet, part: IntArray, told: Done = untold) -> FloatArray:
        """Score each part, 0 to ``FOLDS - 1``, by what is learned of the others, (n,)."""
        models = cls.learn_each(traces, [part != fold for fold in range(FOLDS)])
        return cross_scores(traces, part, (model.score for model in models), told)


class Kindest(AtOnce):
    """Learns without each part in turn, and scores a trace by the kindest of what was learned.

    A few traces, of a rare program or odd ones, bend what is learned of all. They do not where they
    are in the part left out, and the model to which a trace is most usual is believed. Held-out
    scores come from the same models, each for the part that it does not know: a new trace has the
    least of five scores, a held-out one the only one it has. So a threshold by these keeps its
    promise for traces of the same kind, with some to spare (as the jackknife-minmax of Barber,
    Candes, Ramdas and Tibshirani 2021; with parts in place of single traces, CV-minmax).
    """

    #: By the rest of each part; none in what was learned at once.
    _models: Sequence[Kindest] = ()

    def fit(self, traces: TraceSet, told: Done = untold) -> Self:
        """Learn from clean traces."""
        known = sample(traces)
        part = folds(known)
        models = []
        for model in self.learn_each(known, [part != fold for fold in range(FOLDS)]):
            models.append(model)
            step(told, 0, 2)(len(models) / FOLDS)
        self._models = models
        judges = (model.score for model in models)
        self.held_out = cross_scores(known, part, judges, step(told, 1, 2))
        return self

    def score(self, traces: TraceSet) -> FloatArray:
        """Least score by the models, (n,)."""
        if not self._models:
            return self._score(traces)
        least: FloatArray = np.min([model.score(traces) for model in self._models], axis=0)
        return least

    def _score(self, traces: TraceSet) -> FloatArray:
        """Score each trace by what was learned at once, (n,)."""
        raise NotImplementedError
