"""Whole traces: what a process called, in order, one score a trace.

Nothing is known of a call but that it is the same as another: names and numbers are tokens,
so traces of any kernel and architecture are read alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from oddcall.models.sparse import IntArray

Progress = Callable[[str, float], None]

#: Parts that the training traces are divided into, to score each by the others: fewer traces that
#: differ cannot be learned from.
FOLDS = 5
#: Calls of one trace that are read; what comes after is left out. Bounds memory.
MOST_CALLS = 1_000_000
#: Calls of one set of traces that are read; of a larger set, a sample of its files.
MOST_CALLS_OF_SET = 32_000_000


class Vocabulary:
    """Number of each call met, in the order of meeting. Sets that are compared share one."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Call of every number, as it was written."""
        return tuple(self._ids)

    def id(self, token: str) -> int:
        """Give the number of a call, a new one if it is new."""
        return self._ids.setdefault(token, len(self._ids))


@dataclass(frozen=True, slots=True, eq=False)
class TraceSet:
    """Traces laid end to end.

    Attributes
    ----------
    calls : int64 (sum of lengths,)
        Number of each call in ``vocabulary``.
    indptr : int64 (n + 1,)
        Trace ``i`` is ``calls[indptr[i]:indptr[i + 1]]``; none is empty.
    labels : tuple of str
        Where each trace came from.
    vocabulary : Vocabulary
    unread : int
        Files that were left out, as the set is too large.
    cut : int
        Traces whose end was left out, as they are too long.
    empty : int
        Files that hold no call.
    damaged : tuple of str
        What is wrong with each file that was left out as it cannot be read.
    partly : int
        Files of which only the first lines or rows were read, as they are too large.
    lists : tuple of str
        Files that name the calls there are, and were left out.
    twice : int
        Packed files that were left out, as they are there unpacked, or in another archive, as well.
    links : int
        Links in archives that were left out, as they lead to no file in them.
    read_as : tuple of str
        What was a trace in the files.
    keys : tuple of tuple of str
        Columns of tables that together told processes apart.
    """

    calls: IntArray
    indptr: IntArray
    labels: tuple[str, ...]
    vocabulary: Vocabulary = field(repr=False)
    unread: int = 0
    cut: int = 0
    empty: int = 0
    damaged: tuple[str, ...] = ()
    partly: int = 0
    lists: tuple[str, ...] = ()
    twice: int = 0
    links: int = 0
    read_as: tuple[str, ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def of(
        cls, traces: Sequence[IntArray], vocabulary: Vocabulary, labels: Iterable[str] = ()
    ) -> TraceSet:
        """Lay traces end to end; empty ones are an error of the caller's."""
        indptr = np.zeros(len(traces) + 1, np.int64)
        np.cumsum([len(trace) for trace in traces], out=indptr[1:])
        calls = np.concatenate(traces) if traces else np.zeros(0, np.int64)
        named = tuple(labels) or tuple(str(i) for i in range(len(traces)))
        return cls(calls.astype(np.int64, copy=False), indptr, named, vocabulary)

    @classmethod
    def joined(cls, sets: Sequence[TraceSet], place: TraceSet | None = None) -> TraceSet:
        """Join sets of one vocabulary; what was left out and how it was read is as of ``place``."""
        about = place or sets[0]
        lengths = np.concatenate([each.lengths for each in sets])
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return replace(
            about,
            calls=np.concatenate([each.calls for each in sets]),
            indptr=indptr,
            labels=tuple(label for each in sets for label in each.labels),
        )

    @property
    def lengths(self) -> IntArray:
        """Calls of each trace, (n,)."""
        return np.diff(self.indptr)

    @property
    def row(self) -> IntArray:
        """Trace of every call."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def trace(self, i: int) -> IntArray:
        """Give the calls of one trace."""
        return self.calls[self.indptr[i] : self.indptr[i + 1]]

    def take(self, rows: IntArray) -> TraceSet:
        """Pick traces by position."""
        picked = [self.trace(int(i)) for i in rows]
        return TraceSet.of(picked, self.vocabulary, (self.labels[int(i)] for i in rows))

    def chunks(self, most_calls: int) -> Iterator[tuple[int, TraceSet]]:
        """Split into runs of about ``most_calls`` calls, each with its first trace's position."""
        begin = 0
        while begin < len(self):
            limit = self.indptr[begin] + most_calls
            end = max(begin + 1, int(np.searchsorted(self.indptr, limit, "right")) - 1)
            part = slice(self.indptr[begin], self.indptr[end])
            indptr = self.indptr[begin : end + 1] - self.indptr[begin]
            yield (
                begin,
                TraceSet(self.calls[part], indptr, self.labels[begin:end], self.vocabulary),
            )
            begin = end

    def same(self) -> IntArray:
        """Give identical traces the same number, (n,): copies must not vouch for each other."""
        seen: dict[bytes, int] = {}
        return np.array(
            [seen.setdefault(self.trace(i).tobytes(), len(seen)) for i in range(len(self))],
            np.int64,
        )


def copies(traces: TraceSet, learned: TraceSet) -> int:
    """Count the traces that are the same as one that was learned from."""
    known = {_digest(learned, i) for i in range(len(learned))}
    return sum(_digest(traces, i) in known for i in range(len(traces)))


def _digest(traces: TraceSet, i: int) -> bytes:
    return blake2b(traces.trace(i).tobytes(), digest_size=16).digest()


class Labelled(NamedTuple):
    """Traces of one label.

    Attributes
    ----------
    label : str
        In small letters; empty for those without one.
    attack : bool or None
        What it was taken for; None for no label, so that the place decided.
    traces : int
    """

    label: str
    attack: bool | None
    traces: int


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """What is learned from, and what is judged.

    Attributes
    ----------
    name : str
    train, normal, attack : TraceSet
        Of one vocabulary.
    held_out : bool, default False
        Whether the normal traces are a part of those given to learn from.
    labelled : tuple of Labelled, default empty
        How the labels of the traces were taken, the commonest first; empty where none has one.
    kinds : tuple of str, default empty
        Label of each attack; empty, or a word that is, where it has none.
    """

    name: str
    train: TraceSet
    normal: TraceSet
    attack: TraceSet
    held_out: bool = False
    labelled: tuple[Labelled, ...] = ()
    kinds: tuple[str, ...] = ()
