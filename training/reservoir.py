"""Gather clean windows in bounded memory: exact where it is cheap, a fair sample elsewhere.

Of every program are kept exactly: how many windows it had, when, at which of them each symbol
was first met and beside which others, and the most of it that one of them held. Of its windows
themselves a uniform sample is kept (each draws a random number; the smallest stay), with its place
in the program's own order, so that "earlier" and "later" keep their meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from oddcall.models.features import SCALARS, FeatureSpec
from oddcall.models.peaks import Peaks
from oddcall.models.sparse import IntArray
from oddcall.models.window import Program, WindowBatch

#: A symbol's first window while none has held it.
NEVER = np.iinfo(np.int64).max
#: Windows whose symbols are noted at once: a tick holds a few, and each turn has its cost.
_TOGETHER = 4096
#: Windows that closed so near each other closed at one tick.
TICK_NS = 1_000_000_000
#: What is kept of a window beside its vector.
COLUMNS = (
    "program",
    "ordinal",
    "t_start_ns",
    "t_end_ns",
    "pid",
    "start_time_ns",
    "n_events",
)
#: What is kept of a window that met symbols first, beside these.
_OF_FIRSTS = ("program", "ordinal", "t_start_ns", "t_end_ns")


@dataclass(frozen=True, slots=True, eq=False)
class Firsts:
    """The k windows of ticks in which a program met something for the first time, in their order.

    All of them, however many windows are kept: few, once programs have settled, and what is new
    comes together, which a sample of windows would not show.

    Attributes
    ----------
    vectors : float32 CSR (k, D)
        Only what was met first at their tick, and how many events the window holds.
    program, ordinal, t_start_ns, t_end_ns : int64 (k,)
    """

    vectors: csr_matrix
    program: IntArray
    ordinal: IntArray
    t_start_ns: IntArray
    t_end_ns: IntArray

    def take(self, rows: IntArray) -> Self:
        """Pick rows by position."""
        columns = (getattr(self, name)[rows] for name in _OF_FIRSTS)
        return type(self)(self.vectors[rows], *columns)


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What a recording holds, ready to be learned from: P programs, n windows kept.

    Attributes
    ----------
    programs : tuple of Program
    count, first_ns, last_ns : int64 (P,)
        Windows of each program, kept or not, and their span.
    first_met : int64 (P, D)
        Ordinal of the program's window that first held each feature, or NEVER.
    peaks : Peaks
        Largest amounts of each call that any window of each program held.
    firsts : Firsts
    vectors : float32 CSR (n, D)
        Sorted by program, then by ordinal.
    program, ordinal, t_start_ns, t_end_ns, pid, start_time_ns, n_events : int64 (n,)
    unnamed : int
        Windows left out because their program could not be learned.
    lossy : int
        Windows used during which the sensor lost updates on the host.
    """

    programs: tuple[Program, ...]
    count: IntArray
    first_ns: IntArray
    last_ns: IntArray
    first_met: IntArray
    peaks: Peaks
    firsts: Firsts
    vectors: csr_matrix
    program: IntArray
    ordinal: IntArray
    t_start_ns: IntArray
    t_end_ns: IntArray
    pid: IntArray
    start_time_ns: IntArray
    n_events: IntArray
    unnamed: int
    lossy: int

    def symbols(self, before: IntArray | None = None) -> NDArray[np.bool_]:
        """Features each program met, (P, D): ever, or before its window of that ordinal."""
        limit = np.full(len(self.programs), NEVER) if before is None else before
        met: NDArray[np.bool_] = self.first_met < limit[:, None]
        return met


@dataclass(slots=True, eq=False)
class Reservoir:
    """Takes batches in the order they were recorded.

    Parameters
    ----------
    spec : FeatureSpec
    per_program : int
        Windows kept of each program.
    seed : int
        Of the sample.
    """

    spec: FeatureSpec
    per_program: int
    seed: int
    unnamed: int = 0
    lossy: int = 0
    _table: dict[Program, int] = field(default_factory=dict)
    _count: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    _first_ns: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    _last_ns: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    _first_met: IntArray = field(init=False)
    _peaks: Peaks = field(default_factory=lambda: Peaks.none(0))
    _firsts: list[Firsts] = field(default_factory=list)
    _kept: list[tuple[csr_matrix, dict[str, IntArray]]] = field(default_factory=list)
    _held: int = 0
    #: Of ``_kept`` so many were met, and so many windows of the others were not.
    _met: int = 0
    _unmet: int = 0
    _random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._first_met = np.zeros((0, self.spec.width), np.int64)

    def add(self, batch: WindowBatch) -> None:
        """Take one batch."""
        named = np.array([bool(p.exe) for p in batch.programs], np.bool_)
        usable = batch.identity_complete & (named[batch.program] if len(batch) else True)
        self.unnamed += int(len(batch) - usable.sum())
        rows = batch.take(usable)
        if not len(rows):
            return
        self.lossy += int((rows.lost > 0).sum())
        columns = self._columns(rows)
        self._kept.append((self.spec.vectors(rows), columns))
        self._held += len(rows)
        self._unmet += len(rows)
        if self._unmet >= _TOGETHER:
            self._meet()
        # By what can be kept of each program, not of them all: most may have one window only.
        if self._held > 2 * (np.minimum(self._count, self.per_program).sum() + _TOGETHER):
            self._compact()

    def _columns(self, rows: WindowBatch) -> dict[str, IntArray]:
        used, place = np.unique(rows.program, return_inverse=True)
        mine = [self._table.setdefault(rows.programs[i], len(self._table)) for i in used]
        program = np.array(mine, np.int64)[place]
        self._grow()
        # Place of each row among those of its program in this batch.
        order = np.argsort(program, kind="stable")
        begins = np.searchsorted(program[order], program[order])
        ordinal = np.empty(len(rows), np.int64)
        ordinal[order] = np.arange(len(rows)) - begins
        ordinal += self._count[program]
        self._count += np.bincount(program, minlength=len(self._count))
        np.minimum.at(self._first_ns, program, rows.t_start_ns)
        np.maximum.at(self._last_ns, program, rows.t_end_ns)
        return {
            "program": program,
            "ordinal": ordinal,
            "t_start_ns": rows.t_start_ns,
            "t_end_ns": rows.t_end_ns,
            "pid": rows.pid,
            "start_time_ns": rows.start_time_ns,
            "n_events": rows.n_events,
            "draw": self._random.integers(0, NEVER, len(rows)),
        }

    def _grow(self) -> None:
        more = len(self._table) - len(self._count)
        if not more:
            return
        self._count = np.concatenate([self._count, np.zeros(more, np.int64)])
        self._first_ns = np.concatenate([self._first_ns, np.full(more, NEVER)])
        self._last_ns = np.concatenate([self._last_ns, np.zeros(more, np.int64)])
        fresh = np.full((more, self.spec.width), NEVER)
        self._first_met = np.concatenate([self._first_met, fresh])
        self._peaks = self._peaks.grown(more)

    def _meet(self) -> None:
        """Note what the windows added since the last time held."""
        fresh = self._kept[self._met :]
        vectors = vstack([part for part, _ in fresh], format="csr")
        columns = {name: np.concatenate([part[name] for _, part in fresh]) for name in _OF_FIRSTS}
        tick = columns["t_end_ns"] // TICK_NS
        rows = np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))
        program = columns["program"][rows]
        unmet = np.flatnonzero(self._first_met[program, vectors.indices] == NEVER)
        # Only these: a later window's ordinal is larger than that of any before it.
        row, program, symbol = rows[unmet], program[unmet], vectors.indices[unmet]
        np.minimum.at(self._first_met, (program, symbol), columns["ordinal"][row])
        met = _row_of(columns, program, self._first_met[program, symbol])
        first = np.zeros(vectors.nnz, np.bool_)
        first[unmet] = tick[row] == tick[met]
        self._firsts.append(_firsts(vectors, rows, first, columns))
        self._peaks.meet(vectors, columns["program"])
        self._met, self._unmet = len(self._kept), 0

    def _compact(self) -> None:
        if self._unmet:
            self._meet()
        vectors = vstack([part for part, _ in self._kept], format="csr")
        columns = {
            name: np.concatenate([part[name] for _, part in self._kept])
            for name in (*COLUMNS, "draw")
        }
        order = np.lexsort((columns["draw"], columns["program"]))
        program = columns["program"][order]
        rank = np.arange(len(order)) - np.searchsorted(program, program)
        kept = np.sort(order[rank < self.per_program])
        self._kept = [(vectors[kept], {name: part[kept] for name, part in columns.items()})]
        self._held, self._met = len(kept), 1

    def gathered(self) -> Gathered:
        """Everything kept, sorted by program and ordinal."""
        nothing = np.zeros(0, np.int64)
        vectors = csr_matrix((0, self.spec.width), dtype=np.float32)
        columns: dict[str, IntArray] = dict.fromkeys(COLUMNS, nothing)
        if self._kept:
            self._compact()
            vectors, columns = self._kept[0]
            order = np.lexsort((columns["ordinal"], columns["program"]))
            vectors = vectors[order]
            columns = {name: columns[name][order] for name in COLUMNS}
        return Gathered(
            programs=tuple(self._table),
            count=self._count,
            first_ns=self._first_ns,
            last_ns=self._last_ns,
            first_met=self._first_met,
            peaks=self._peaks,
            firsts=_together(self._firsts, self.spec.width),
            vectors=vectors,
            unnamed=self.unnamed,
            lossy=self.lossy,
            **columns,
        )


def _row_of(columns: dict[str, IntArray], program: IntArray, ordinal: IntArray) -> IntArray:
    """Rows that hold these windows, by program and ordinal."""
    order = np.lexsort((columns["ordinal"], columns["program"]))
    begins = np.searchsorted(columns["program"][order], program)
    # A program's ordinals follow each other.
    rows: IntArray = order[begins + ordinal - columns["ordinal"][order[begins]]]
    return rows


def _firsts(
    vectors: csr_matrix, row: IntArray, first: NDArray[np.bool_], columns: dict[str, IntArray]
) -> Firsts:
    """Keep of windows what they met first, and of those that met nothing first nothing.

    ``row`` is the window of each entry of the vectors, and ``first`` whether it was met first.
    """
    telling = np.unique(row[first])
    # How many events a window holds is no symbol, and is asked of every vector.
    first = first | (vectors.indices == FeatureSpec().column("scalars", SCALARS.index("events")))
    edges = np.concatenate([[0], np.cumsum(first)])[vectors.indptr]
    only = csr_matrix((vectors.data[first], vectors.indices[first], edges), shape=vectors.shape)
    return Firsts(only[telling], *(columns[name][telling] for name in _OF_FIRSTS))


def _together(parts: list[Firsts], width: int) -> Firsts:
    nothing = np.zeros(0, np.int64)
    if not parts:
        return Firsts(csr_matrix((0, width), dtype=np.float32), *[nothing] * len(_OF_FIRSTS))
    vectors = vstack([part.vectors for part in parts], format="csr")
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in _OF_FIRSTS)
    return Firsts(vectors, *columns)
