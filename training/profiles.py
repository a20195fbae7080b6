"""What a model keeps of each profile's windows to explain verdicts with."""

from __future__ import annotations

import numpy as np

from oddcall.models.baseline import EXEMPLARS, QUANTILES, Exemplars, Profiles
from oddcall.models.sparse import IntArray
from oddcall.models.verdict import JUDGED_BY
from oddcall.training.division import Division
from oddcall.training.pools import Pool, spread
from oddcall.training.reservoir import NEVER


def profiles(division: Division, pools: list[Pool]) -> Profiles:
    """Quantiles and typical windows of every profile: of all its windows, early and late."""
    gathered = division.gathered
    names = [gathered.programs[p].name for p in division.own]
    names += [JUDGED_BY["similar"]] * len(division.centres)
    features, quantiles, exemplars = [], [], []
    # One pass a profile: each has its own few features.
    for i, part in enumerate(pools):
        rows = part.rows
        if i < len(division.own):
            rows = np.concatenate([rows, division.later(int(division.own[i]))])
        vectors = gathered.vectors[rows]
        columns = np.flatnonzero((gathered.first_met[part.members] < NEVER).any(axis=0))
        dense = vectors[:, columns].toarray()
        features.append(columns)
        quantiles.append(np.quantile(dense, QUANTILES, axis=0).T.astype(np.float32))
        exemplars.append(rows[spread(0, len(rows), EXEMPLARS)])
    kept = np.concatenate(exemplars)
    members = [part.members for part in pools]
    return Profiles(
        tuple(names),
        np.array([gathered.count[m].sum() for m in members], np.int64),
        np.array([gathered.first_ns[m].min() for m in members], np.int64),
        np.array([gathered.last_ns[m].max() for m in members], np.int64),
        _edges(features),
        np.concatenate(features).astype(np.int64),
        np.concatenate(quantiles),
        Exemplars(
            gathered.vectors[kept],
            gathered.t_start_ns[kept],
            gathered.t_end_ns[kept],
            gathered.pid[kept],
            gathered.n_events[kept],
        ),
        _edges(exemplars),
    )


def _edges(parts: list[IntArray]) -> IntArray:
    return np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
