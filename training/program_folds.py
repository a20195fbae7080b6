"""The split by program: each is judged by a model that has barely met it.

A program that was left out whole is unknown: it has no p-value and never alerts, so nothing can be
measured of it. One that was met a few times is judged by the programs most like it, and that can
be held against what it did later. So a model learns all that the other programs ever did, and of
those that it is to judge only their first few windows.

What is the same program is told as models tell it: by its place, that is path, unit and kind of
container, whichever binary is there, on whichever host, and whatever its pid or the id of its
container. Of each place so many windows are learned, of all its hosts and binaries together.
What is kept apart is more than that: one executable's places in all units, and one file's names
on a host, are in the same fold, so that no place teaches what its like is judged by.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from oddcall.models.errors import EvidenceError
from oddcall.models.sparse import IntArray
from oddcall.models.window import Program, WindowBatch
from oddcall.training.calibrate import PROGRAMS_FOR_TRANSFER
from oddcall.training.columns import ProgramTable, values
from oddcall.training.ground_truth import CLEAN, ground_truth
from oddcall.training.labels import Label
from oddcall.training.lake import Source
from oddcall.training.parts import tables
from oddcall.training.splits import Fold, Mask, pause_ns

#: Models that are learned. Each judges a fifth of the programs by the other four fifths, nearly
#: as many as a host has that meets one newcomer.
FOLDS = 5
#: First windows of a judged program that its model learns. What a daily job of one window has left
#: after ten days, and as many as were taught of programs whose pools were held against a baseline
#: of all (`docs/measured/rules.md`); fewer than ``min_windows``, or it would have its own baseline.
FEW = 10

_ORDER = ("t_end", "t_start", "pid", "start_time_ns")
_COLUMNS = [
    *_ORDER, "identity_complete", "program", "exe", "dev", "ino", "unit", "container_kind",
]  # fmt: skip

_Place = tuple[str, str, str]
#: End, begin, pid and start of the process of a window, and its host: no two windows share them.
_Window = tuple[int, int, int, int, str]


@dataclass(slots=True)
class _Met:
    """What was read of all recordings: bounded by the programs, not by their windows.

    Attributes
    ----------
    windows : dict of Program to int
        Those that can be learned: clean, and of a process whose program is sure.
    first : dict
        Of each place the first few of these, in the order of time.
    named : dict
        Paths that each file of a host was run by.
    """

    few: int
    windows: dict[Program, int] = field(default_factory=lambda: defaultdict(int))
    first: dict[_Place, list[_Window]] = field(default_factory=lambda: defaultdict(list))
    named: dict[tuple[str, int, int], set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, host: str, program: Program, when: IntArray) -> None:
        """Take windows of one program, (n, 4) in the columns of ``_ORDER``."""
        self.windows[program] += len(when)
        if program.dev:
            self.named[host, program.dev, program.ino].add(program.exe)
        early = when[np.lexsort(when.T[::-1])[: self.few]].tolist()
        first = self.first[program.place]
        first += [(*window, host) for window in early]
        first.sort()
        del first[self.few :]


def by_program(sources: Sequence[Source], labels: Sequence[Label], min_windows: int) -> list[Fold]:
    """Judge each program by what the others taught, and its own first few windows.

    Parameters
    ----------
    sources : sequence of Source
    labels : sequence of Label
        A window of an attack is none of the first few.
    min_windows : int
        A program with fewer windows is never judged, only learned from.

    Raises
    ------
    EvidenceError
        When there are too few programs for any to be judged by those like it.
    """
    few = min(FEW, min_windows - 1)
    met = _read(sources, labels, few)
    settled = [program for program, windows in met.windows.items() if windows >= min_windows]
    kin = _kin({program.exe for program in met.windows}, met.named.values())
    fold_of = _dealt({kin[program.exe] for program in settled})
    folds = sorted(set(fold_of.values()))
    of_each = [fold_of[kin[program.exe]] for program in settled]
    most = max((len(of_each) - of_each.count(fold) for fold in folds), default=0)
    if most < PROGRAMS_FOR_TRANSFER:
        raise EvidenceError(
            "there are too few programs to judge one by those like it",
            expected=f"at least {PROGRAMS_FOR_TRANSFER} others that have {min_windows} clean "
            "windows each",
            got=f"{len(settled)} such programs, at most {most} of them beside those of a fold",
            fix="Name more recordings, or use --split time.",
        )
    pause = pause_ns(sources)
    judged = {program.place for program in settled}
    found = []
    for number in folds:
        first = {p: seen for p, seen in met.first.items() if fold_of.get(kin[p[0]]) == number}
        begins = {p: seen[-1][0] + pause for p, seen in first.items() if p in judged}
        found.append(_fold(f"part {number + 1} of the programs", first, begins, few))
    return found


def _read(sources: Sequence[Source], labels: Sequence[Label], few: int) -> _Met:
    met = _Met(few)
    for source in sources:
        truth, begin, known = ground_truth(source, labels), 0, ProgramTable()
        for table in tables(source.path, _COLUMNS):
            rows = slice(begin, begin + table.num_rows)
            begin = rows.stop
            usable = values(table, "identity_complete") & (truth[rows] == CLEAN)
            program = known.rows(table)
            when = np.stack([values(table, name) for name in _ORDER], axis=1)
            # One turn a program of a part of the recording, not one a window.
            for number in np.unique(program[usable]).tolist():
                if known.programs[number].exe:
                    mine = when[usable & (program == number)]
                    met.add(source.host, known.programs[number], mine)
    return met


def _kin(paths: Iterable[str], alike: Iterable[set[str]]) -> dict[str, str]:
    """Name for each path the first of all that lead to its file, on any host."""
    kin = {path: {path} for path in paths}
    for names in alike:
        joined = set().union(*(kin[name] for name in names))
        kin |= dict.fromkeys(joined, joined)
    return {path: min(joined) for path, joined in kin.items()}


def _dealt(executables: set[str]) -> dict[str, int]:
    """Fold of each: by nothing that it does, the same each time, and as many in each as can be."""

    def drawn(path: str) -> bytes:
        return blake2b(path.encode("utf-8", "backslashreplace"), digest_size=8).digest()

    ranked = sorted(executables, key=lambda path: (drawn(path), path))
    return {path: rank % FOLDS for rank, path in enumerate(ranked)}


def _fold(
    name: str, first: Mapping[_Place, list[_Window]], begins: Mapping[_Place, int], few: int
) -> Fold:
    """Learn of these places their first windows only, and judge some from a moment on (ns UTC)."""
    chosen = {place: frozenset(seen) for place, seen in first.items()}
    last = {place: seen[-1][0] for place, seen in first.items()}

    def learns(source: Source, batch: WindowBatch) -> Mask:
        until = _of_each(batch, last)
        taken: Mask = until < 0
        # Hardly more than the few themselves end so early.
        for row in np.flatnonzero(batch.t_end_ns <= until).tolist():
            when = (batch.t_end_ns, batch.t_start_ns, batch.pid, batch.start_time_ns)
            window = (*(int(column[row]) for column in when), source.host)
            taken[row] = window in chosen[batch.programs[batch.program[row]].place]
        return taken

    def judges(_source: Source, batch: WindowBatch) -> Mask:
        since = _of_each(batch, begins)
        later: Mask = (since >= 0) & (batch.t_start_ns >= since)
        return later

    return Fold(name, learns, judges, few)


def _of_each(batch: WindowBatch, times: Mapping[_Place, int]) -> IntArray:
    """Time of each window's place, (n,); -1 where there is none."""
    used, place = np.unique(batch.program, return_inverse=True)
    told = np.array([times.get(batch.programs[i].place, -1) for i in used], np.int64)
    each: IntArray = told[place.ravel()]
    return each
