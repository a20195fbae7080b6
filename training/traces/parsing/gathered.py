"""Calls of a file as they are met, held as numbers until it is known what a trace of it is."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from oddcall.models.sparse import IntArray
from oddcall.training.traces.parsing.labels import Labels
from oddcall.training.traces.traces import MOST_CALLS

#: Gives calls their numbers, or refuses them: words, each once, and which of them each call is.
Numbering = Callable[[Sequence[bytes], IntArray], IntArray]

Word = TypeVar("Word", str, bytes)


class Found(NamedTuple):
    """A trace in a file.

    Attributes
    ----------
    name : str
        What tells it from the others of its file; empty when it is the file.
    calls : int64 (length,)
    label : str
        As a table has it, in small letters; empty where there is none.
    """

    name: str
    calls: IntArray
    label: str = ""


class _Numbers(dict[Word, int]):
    """Number of each word met, in the order of meeting."""

    def __missing__(self, word: Word) -> int:
        self[word] = number = len(self)
        return number


class Gathered:
    """Rows of a process, its calls and a label, twenty bytes each.

    Parameters
    ----------
    most : int
        Calls that are held at most; more are taken of one row alone.
    numbering : callable
    meaning : Labels, optional
        How labels are taken.

    Attributes
    ----------
    full : bool
        Whether a row was refused, as there was no room for it.
    several : bool
        Whether some row has two calls or more.
    """

    def __init__(self, most: int, numbering: Numbering, meaning: Labels | None = None) -> None:
        self._most, self._numbering = most, numbering
        self._meaning = meaning or Labels()
        self._words = _Numbers[bytes]()
        self._processes = _Numbers[str]()
        self._labels = _Numbers[str]()
        self._calls, self._ends = array("i"), array("q", [0])
        self._process, self._label = array("i"), array("i")
        self.full = self.several = False

    def add(self, process: str, calls: Sequence[bytes], label: str = "") -> bool:
        """Take a row, and tell whether there was room for it."""
        if self._calls and len(self._calls) + len(calls) > self._most:
            self.full = True
            return False
        if len(calls) == 1:
            self._calls.append(self._words[calls[0]])
        elif calls:
            self._calls.extend([self._words[call] for call in calls])
            self.several = True
        self._ends.append(len(self._calls))
        self._process.append(self._processes[process])
        self._label.append(self._labels[label])
        return True

    def add_each(self, processes: Sequence[bytes], calls: Sequence[bytes]) -> bool:
        """Take rows of one call each, without labels, and tell whether there was room for all."""
        room = max(self._most - len(self._calls), 0 if self._calls else 1)
        if len(calls) > room:
            self.full = True
            processes, calls = processes[:room], calls[:room]
        number = {
            word: self._processes[word.decode("ascii", "replace")]
            for word in dict.fromkeys(processes)
        }
        begin = len(self._calls)
        self._calls.extend([self._words[call] for call in calls])
        self._ends.extend(range(begin + 1, len(self._calls) + 1))
        self._process.extend([number[word] for word in processes])
        self._label.extend([self._labels[""]] * len(calls))
        return not self.full

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the rows, each once."""
        return tuple(self._labels)

    def unlabel(self) -> None:
        """Take what was given as labels for none."""
        self._labels = _Numbers({"": 0})
        self._label = array("i", bytes(self._label.itemsize * len(self._label)))

    def by_row(self) -> list[Found]:
        """Give each row that has a call, named by its number from 1."""
        labels, ends = list(self._labels), np.asarray(self._ends)
        rows = np.flatnonzero(np.diff(ends))
        traces = self._numbered(np.asarray(self._calls), ends[rows + 1])
        return [
            Found(str(i + 1), each, labels[self._label[i]])
            for i, each in zip(rows.tolist(), traces, strict=True)
        ]

    def by_process(self) -> list[Found]:
        """Give each process that made a call, in the order that they appear."""
        order, ends = self._order()
        traces = self._numbered(np.asarray(self._calls)[order], ends)
        named = zip(self._processes, traces, self._deciding(), strict=True)
        return [Found(name, each, label) for name, each, label in named if len(each)]

    def joined(self) -> list[Found]:
        """Give all of it as one trace, process after process; no label."""
        order, _ = self._order()
        (calls,) = self._numbered(np.asarray(self._calls)[order], np.array([len(order)]))
        return [Found("", calls)] if len(calls) else []

    def _order(self) -> tuple[IntArray, IntArray]:
        """Places of all calls by process, (n,), and where each process ends, (processes,)."""
        whose = np.repeat(np.asarray(self._process), np.diff(np.asarray(self._ends)))
        each = np.bincount(whose, minlength=len(self._processes))
        return np.argsort(whose, kind="stable"), np.cumsum(each)

    def _deciding(self) -> list[str]:
        """Label of each process, of all that it has."""
        labels, width = list(self._labels), len(self._labels)
        if width < 2:
            return (labels or [""]) * len(self._processes)
        pairs = np.asarray(self._process).astype(np.int64) * width + np.asarray(self._label)
        found: list[str | None] = [None] * len(self._processes)
        for at in np.sort(np.unique(pairs, return_index=True)[1]).tolist():
            process, label = self._process[at], labels[self._label[at]]
            before = found[process]
            found[process] = label if before is None else self._meaning.deciding(before, label)
        return [label or "" for label in found]

    def _numbered(self, calls: IntArray, ends: IntArray) -> Iterator[IntArray]:
        """Give the traces that end where it is said, laid end to end in ``calls``."""
        words, begin = list(self._words), 0
        for end in ends.tolist():
            some = calls[begin : min(end, begin + MOST_CALLS)]
            met, place = np.unique(some, return_inverse=True)
            yield self._numbering([words[call] for call in met.tolist()], place)
            begin = end
