"""Behaviour that people have called normal, laid over a model without changing it.

A **behaviour** is what one program did in the windows of an alert: the symbols that its baseline
had never seen, and some of those windows whole. A baseline that tolerates it

- counts those symbols as seen, and the steps of calls into and out of its new calls, and
- holds a window against the nearest tolerated window as well as against its own subspace, and
  takes the kinder of the two. The window is moved by what separates the tolerated one from the
  baseline's mean, and then scored by the same detectors, calibrated by the same clean time: as
  near to what was tolerated as clean windows are to the mean is not odd, and no farther.

So a tolerated behaviour makes nothing else tolerated: another call never seen, or the tolerated
ones in quite another amount, alert as before. The program is named by its place, so an upgrade
keeps what was said. A behaviour holds for windows that begin within its span: a recording is
judged as its host judged it, and taking it back leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from oddcall.models.baseline import Profiles
from oddcall.models.features import SCALARS, FeatureSpec
from oddcall.models.sparse import IntArray
from oddcall.models.transitions import START, bucket
from oddcall.models.window import BLOCKS, Program, WindowBatch

#: Windows of a behaviour that are kept whole: spread over what it did, not over time.
KEPT = 12
#: Symbols that are no counts.
_LIFE = ("forks", "execs")
_SPEC = FeatureSpec()
_COUNTED = _SPEC.starts["scalars"]


@dataclass(frozen=True, slots=True, eq=False)
class Behaviour:
    """What one program did in the windows of an alert.

    Attributes
    ----------
    program : Program
    features : str
        Hash of the feature set its columns belong to.
    novel : int64 (k,)
        Columns of the symbols its baseline had not seen, increasing.
    calls : int64 (c,)
        Native calls that its windows made, increasing.
    windows : float32 CSR (m, D), m from 1 to KEPT
    """

    program: Program
    features: str
    novel: IntArray
    calls: IntArray
    windows: csr_matrix

    @classmethod
    def of(cls, program: Program, novel: IntArray, vectors: csr_matrix) -> Self:
        """Build from at least one window of a program and the columns that were new to it."""
        empty = csr_matrix((0, vectors.shape[1]), dtype=np.float32)
        nothing = np.zeros(0, np.int64)
        return cls(program, _SPEC.hash, nothing, nothing, empty).joined(novel, vectors)

    def joined(self, novel: IntArray, vectors: csr_matrix) -> Self:
        """Build the same with more windows; those most unlike each other are kept whole."""
        calls = np.unique(vectors.indices[vectors.indices < BLOCKS["syscalls"]])
        return replace(
            self,
            novel=np.union1d(self.novel, novel).astype(np.int64),
            calls=np.union1d(self.calls, calls).astype(np.int64),
            windows=_spread(self.windows, vectors),
        )

    @property
    def symbols(self) -> IntArray:
        """Columns that count as seen: what was new, and every step to and from a new call."""
        fresh = self.novel[self.novel < BLOCKS["syscalls"]][:, None]
        others = np.append(self.calls, START)[None, :]
        steps = np.union1d(bucket(fresh, others), bucket(others, fresh))
        return np.union1d(self.novel, steps + _SPEC.starts["transitions"]).astype(np.int64)

    def as_dict(self) -> dict[str, Any]:
        """Give everything as JSON; the numbers come back as they were."""
        return {
            "program": asdict(self.program),
            "features": self.features,
            "novel": self.novel.tolist(),
            "calls": self.calls.tolist(),
            "windows": [_row_as_dict(row) for row in self.windows],
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Build what ``as_dict`` was taken from; raises ValueError where it does not fit."""
        try:
            program = Program(**told["program"])
            novel, calls = (_columns(told[name]) for name in ("novel", "calls"))
            rows = [_row_of(row) for row in told["windows"][:KEPT]]
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not a behaviour: {error!r}") from error
        if not rows:
            raise ValueError("not a behaviour: it has no window")
        windows = vstack(rows, format="csr").astype(np.float32)
        return cls(program, str(told["features"]), novel, calls, windows)


@dataclass(frozen=True, slots=True)
class Span:
    """Time that something holds for: of windows that begin at or after it, UTC.

    ``until_ns`` None is for ever.
    """

    since_ns: int
    until_ns: int | None = None

    def holds(self, start_ns: IntArray) -> NDArray[np.bool_]:
        """Whether it holds for windows that begin then."""
        inside: NDArray[np.bool_] = start_ns >= self.since_ns
        return inside if self.until_ns is None else inside & (start_ns < self.until_ns)

    def meets(self, start_ns: int, end_ns: int) -> bool:
        """Whether it holds at some time of a stretch."""
        return self.since_ns < end_ns and (self.until_ns is None or start_ns < self.until_ns)


#: Of what was taken back before anything that is judged.
NEVER = Span(0, 0)


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Everything people have said of the programs of a model.

    Attributes
    ----------
    tolerated : sequence of (Behaviour, Span)
    forgotten : sequence of (Program, int, Span)
        Programs whose baseline, where it began to be learned before a time (UTC, nanoseconds),
        is to judge no more.
    """

    tolerated: Sequence[tuple[Behaviour, Span]] = ()
    forgotten: Sequence[tuple[Program, int, Span]] = ()

    def views(
        self, batch: WindowBatch, vectors: csr_matrix, profile: IntArray, profiles: Profiles
    ) -> tuple[IntArray, csr_matrix, csr_matrix]:
        """See windows as baselines that tolerate would.

        Returns
        -------
        Rows of the batch that are tolerated anything, (m,); their vectors without tolerated
        symbols, CSR (m, D); and moved as the nearest tolerated window asks, CSR (m, D).
        """
        rows, freed, beside = [np.zeros(0, np.int64)], [vectors[:0]], [vectors[:0]]
        for members, behaviours in self._groups(batch):
            symbols = np.unique(np.concatenate([behaviour.symbols for behaviour in behaviours]))
            # One baseline's mean at a time; a program has one.
            for number in np.unique(profile[members]).tolist():
                here = members[profile[members] == number]
                mean = profiles[number].exemplars.mean
                rows.append(here)
                freed.append(_without(vectors[here], symbols))
                beside.append(_moved(vectors[here], behaviours, mean))
        stacked = [vstack(part, format="csr") for part in (freed, beside)]
        return np.concatenate(rows), stacked[0], stacked[1]

    def within(self, start_ns: int, end_ns: int) -> Self:
        """Give what of it holds at some time of a stretch."""
        return replace(
            self,
            tolerated=[said for said in self.tolerated if said[-1].meets(start_ns, end_ns)],
            forgotten=[said for said in self.forgotten if said[-1].meets(start_ns, end_ns)],
        )

    def symbols(self, batch: WindowBatch) -> IntArray:
        """Columns that people have said count as seen, of the programs of a batch by then."""
        told = [behaviour.symbols for _, group in self._groups(batch) for behaviour in group]
        return np.unique(np.concatenate([np.zeros(0, np.int64), *told]))

    def _groups(self, batch: WindowBatch) -> list[tuple[IntArray, list[Behaviour]]]:
        """Rows of a batch that are tolerated anything, by what that is; each row once."""
        current = [
            (behaviour, span)
            for behaviour, span in self.tolerated
            if behaviour.features == _SPEC.hash
        ]
        if not current:
            return []
        holds = np.zeros((len(batch), len(current)), np.bool_)
        places = [program.place for program in batch.programs]
        # One turn a tolerated behaviour: a person has said each of them.
        for i, (behaviour, span) in enumerate(current):
            same = [place == behaviour.program.place for place in places]
            holds[:, i] = np.array(same, np.bool_)[batch.program] & span.holds(batch.t_start_ns)
        rows = np.flatnonzero(holds.any(axis=1))
        kinds, which = np.unique(holds[rows], axis=0, return_inverse=True)
        return [
            (rows[which.ravel() == k], [current[i][0] for i in np.flatnonzero(kind)])
            for k, kind in enumerate(kinds)
        ]

    @property
    def undone(self) -> list[tuple[Program, int, Span]]:
        """What of ``forgotten`` was taken back since."""
        return [said for said in self.forgotten if said[-1].until_ns is not None]

    def undone_ns(self, program: Program, forgotten_ns: int) -> int | None:
        """When it was undone that a program was forgotten then, UTC; None where it was not."""
        ends = [
            span.until_ns
            for known, before_ns, span in self.undone
            if before_ns == forgotten_ns and known.place == program.place
        ]
        return ends[-1] if ends else None

    def taken_back(
        self, batch: WindowBatch, first_ns: Mapping[Program, int] | None = None
    ) -> NDArray[np.bool_]:
        """Whether each window, (n,), is of a time in which its baseline was dropped by mistake.

        It was not judged, as its program was to be forgotten, and that was undone since.

        Parameters
        ----------
        batch : WindowBatch
        first_ns : mapping of Program to int, optional
            When each binary was first met. One that was not met before its program was to be
            forgotten had no baseline to drop, and is left alone.
        """
        gone = np.zeros(len(batch), np.bool_)
        # One turn a saying: a person has said each of them.
        for known, before_ns, span in self.undone:
            same = [
                program.place == known.place
                and (first_ns is None or first_ns.get(program, before_ns) < before_ns)
                for program in batch.programs
            ]
            gone |= np.array(same, np.bool_)[batch.program] & span.holds(batch.t_start_ns)
        return gone

    def forgets(self, program: Program, learned_ns: int) -> list[Span]:
        """Spans in which a baseline that was begun at ``learned_ns`` is not to be used."""
        return [
            span
            for known, before_ns, span in self.forgotten
            if known.place == program.place and learned_ns < before_ns
        ]


def _without(vectors: csr_matrix, symbols: IntArray) -> csr_matrix:
    """Leave symbols out of vectors, as if they were seen before."""
    lifelike = [_SPEC.column("scalars", SCALARS.index(name)) for name in _LIFE]
    taken = np.zeros(vectors.shape[1], np.bool_)
    taken[symbols] = True
    taken[_COUNTED:][~np.isin(np.arange(_COUNTED, len(taken)), lifelike)] = False
    kept = vectors.copy()
    kept.data[taken[kept.indices]] = 0
    kept.eliminate_zeros()
    return kept


def _moved(vectors: csr_matrix, behaviours: Sequence[Behaviour], mean: csr_matrix) -> csr_matrix:
    """Move each vector by what separates ``mean`` from the nearest tolerated window.

    Counts are moved; scalars say how much was seen, and stay.
    """
    centres = _counts(vstack([behaviour.windows for behaviour in behaviours], format="csr"))
    counts = _counts(vectors)
    squares = np.asarray(centres.multiply(centres).sum(axis=1)).ravel()
    nearest = (squares[None, :] - 2 * (counts @ centres.T).toarray()).argmin(axis=1)
    shift = vstack([_counts(mean)] * vectors.shape[0], format="csr") - centres[nearest]
    return csr_matrix((vectors + shift).astype(np.float32))


def _counts(vectors: csr_matrix) -> csr_matrix:
    kept = vectors.copy()
    kept.data[kept.indices >= _COUNTED] = 0
    kept.eliminate_zeros()
    return kept


def _spread(windows: csr_matrix, more: csr_matrix) -> csr_matrix:
    """Add windows; each time there are too many, leave out one of the two most alike."""
    stacked = vstack([windows, more], format="csr")
    exact = stacked.astype(np.float64)
    product = (exact @ exact.T).toarray()
    square = product.diagonal()
    distance = square[:, None] + square[None, :] - 2 * product
    np.fill_diagonal(distance, np.inf)
    kept = list(range(windows.shape[0]))
    # One at a time, as they came: how many are compared does not grow with how many come.
    for row in range(windows.shape[0], stacked.shape[0]):
        kept.append(row)
        if len(kept) > KEPT:
            here = distance[np.ix_(kept, kept)]
            # Of the closest pair the later one goes: what was first met stays.
            del kept[max(int(i) for i in np.unravel_index(int(here.argmin()), here.shape))]
    return stacked[kept]


def _row_as_dict(row: csr_matrix) -> dict[str, Any]:
    # Nine digits bring back exactly the float32 they were taken from.
    values = [float(f"{value:.9g}") for value in row.data.tolist()]
    return {"columns": row.indices.tolist(), "values": values}


def _row_of(told: Mapping[str, Any]) -> csr_matrix:
    columns, values = _columns(told["columns"]), np.array(told["values"], np.float64)
    most = np.finfo(np.float32).max
    if values.shape != columns.shape or not (np.abs(values) <= most).all():
        raise ValueError("not a window: its values do not fit its columns")
    values = values.astype(np.float32)
    edges = np.array([0, len(columns)])
    return csr_matrix((values, columns.astype(np.int32), edges), shape=(1, _SPEC.width))


def _columns(told: Any) -> IntArray:  # noqa: ANN401  what JSON held
    columns = np.array(told, np.int64).reshape(-1)
    if len(columns) and (
        columns.min() < 0 or columns.max() >= _SPEC.width or (np.diff(columns) <= 0).any()
    ):
        raise ValueError("not a behaviour: columns that no feature has")
    return columns
