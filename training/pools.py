"""Which windows each profile learns from: a program's own, or its neighbours'.

A program with too few windows is held against a pool: its own few and those of the programs
most like it. What such a verdict is worth cannot be calibrated on the program itself, so it is
calibrated by *transfer*: every program with a settled baseline is in turn judged as if it were
the small one, by a pool that has never seen it. The number of programs, not of windows, is then
the size of the evidence. Pools that had met it as little were tried: past what so few programs can
count they promise too much (docs/measured/calibration.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from oddcall.models.features import FeatureSpec
from oddcall.models.sparse import IntArray
from oddcall.training.reservoir import Gathered

#: Programs whose windows make up a pool, beside the small program itself.
NEIGHBOURS = 4
#: Windows each member gives to a pool, and to the calibration by transfer.
MEMBER_WINDOWS = 64
#: Programs judged in turn as if they were small; more add little.
TRANSFERS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Windows one profile learns from, and the symbols its members ever met.

    Attributes
    ----------
    rows : int64 (m,)
        Rows of ``Gathered``.
    members : int64 (k,)
        Programs that gave them.
    symbols : bool (D,)
    """

    rows: IntArray
    members: IntArray
    symbols: NDArray[np.bool_]


def nearest_programs(gathered: Gathered, donors: IntArray) -> IntArray:
    """Donors by falling likeness to each program, (P, len(donors)), itself left out.

    Likeness is the cosine of the programs' mean vectors; a program that is itself a donor
    comes last for itself.
    """
    n, count = len(gathered.program), len(gathered.programs)
    member = csr_matrix(
        (np.ones(n, np.float32), (gathered.program, np.arange(n))), shape=(count, n)
    )
    mean = (member @ gathered.vectors).toarray()[:, : FeatureSpec().starts["scalars"]]
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    likeness = mean @ mean[donors].T
    likeness[donors, np.arange(len(donors))] = -np.inf
    order: IntArray = donors[np.argsort(-likeness, axis=1, kind="stable")]
    return order


def pool(gathered: Gathered, members: IntArray, most: int = MEMBER_WINDOWS) -> Pool:
    """Pool at most so many windows of each member, spread over its time."""
    edges = np.searchsorted(gathered.program, np.arange(len(gathered.programs) + 1))
    rows = np.concatenate([spread(edges[m], edges[m + 1], most) for m in members])
    symbols = np.logical_or.reduce(gathered.symbols()[members], axis=0)
    return Pool(rows.astype(np.int64), np.asarray(members, np.int64), symbols)


def spread(begin: int, end: int, most: int) -> IntArray:
    """At most so many whole numbers of a range, evenly spread, the ends among them."""
    size = min(int(end - begin), most)
    return np.linspace(begin, end - 1, size).round().astype(np.int64) if size else np.zeros(0, int)


def transfers(gathered: Gathered, donors: IntArray, near: IntArray) -> tuple[list[Pool], IntArray]:
    """Pools that stand in for a settled program, and the program each has never seen."""
    chosen = donors[spread(0, len(donors), TRANSFERS)]
    return [pool(gathered, near[q, : min(NEIGHBOURS, len(donors) - 1)]) for q in chosen], chosen
