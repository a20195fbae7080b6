"""Counted runs of calls as every detector of the order learns them, ours and a peer's."""

from __future__ import annotations

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.training.traces.detector import FOLDS, folds
from oddcall.training.traces.ngrams import Index, Interpolated, Smoothing
from oddcall.training.traces.traces import TraceSet


def learn_order(
    known: TraceSet, order: int, smoothing: Smoothing
) -> tuple[Interpolated, FloatArray]:
    """Learn runs of up to ``order`` calls, and judge each trace by what the other parts hold.

    The runs are indexed once: the model of each part of the traces is counts over that index.

    Parameters
    ----------
    known : TraceSet
    order : int
        Longest run.
    smoothing : {"witten-bell", "kneser-ney"}

    Returns
    -------
    model : Interpolated
        Of all traces.
    bits : float64 (calls,)
        What each call takes by the model of the parts that its trace is not in.

    Raises
    ------
    EvidenceError
        There are fewer different traces than ``FOLDS``.
    """
    part, index = folds(known), Index(known, order)
    row, held_out = known.row, np.zeros(len(known.calls))
    for fold in range(FOLDS):
        model = index.model((part != fold)[row], smoothing)
        p = model.probability[-1][index.orders[-1].place]
        kept = (part == fold)[row]
        held_out[kept] = -np.log2(np.maximum(p[kept], 1e-300))
    return index.model(np.ones(len(row), np.bool_), smoothing), held_out
