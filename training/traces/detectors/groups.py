"""Groups of like traces, which stand in for programs where nothing says which made a trace."""

from __future__ import annotations

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.traces.detectors.detector import firsts, folds
from oddcall.training.traces.detectors.sets import shares
from oddcall.training.traces.traces import FOLDS, TraceSet

#: Groups of the mixtures of calls, at most, and different traces to each.
_GROUPS, _TRACES = 20, 4


def grouped(view: FloatArray, different: IntArray, most: int, seed: int) -> IntArray:
    """Group of each row, (n,), by k-means of those that differ.

    Parameters
    ----------
    view : float64 (n, d)
    different : int64
        Rows that the groups are made by; copies weigh nothing.
    most : int
        Groups; fewer where fewer rows differ.
    """
    from sklearn.cluster import KMeans

    many = min(most, len(np.unique(view[different], axis=0)))
    means = KMeans(many, n_init=1, random_state=seed).fit(view[different])
    groups: IntArray = means.predict(view).astype(np.int64)
    return groups


def apart(traces: TraceSet) -> IntArray:
    """Part of each trace, 0 to ``FOLDS - 1``, (n,): like traces in the same part.

    What is learned without a part has not met its programs. Where mixtures of calls do not tell
    traces apart, parts are at random.

    Raises
    ------
    EvidenceError
        There are fewer different traces than parts.
    """
    different = np.flatnonzero(firsts(traces))
    mixtures = np.sqrt(shares(traces, len(traces.vocabulary)))
    most = min(_GROUPS, max(len(different) // _TRACES, FOLDS))
    group = grouped(mixtures, different, most, 0)
    size = np.bincount(group[different], minlength=most)
    if np.count_nonzero(size) < FOLDS:
        return folds(traces)
    part, held = np.zeros(most, np.int64), np.zeros(FOLDS, np.int64)
    for largest in np.argsort(-size, kind="stable"):
        part[largest] = held.argmin()
        held[part[largest]] += size[largest]
    return part[group]
