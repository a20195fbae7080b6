"""Which pair of calls stands behind each hashed transition of one window.

Pairs of a few dozen calls share a thousand buckets, so a bucket alone often fits several. All
buckets of a window together say more: what leads to a call, and what follows it, must add up
to how often it was made. Iterative proportional fitting (Deming and Stephan 1940) spreads each
bucket's count over the pairs that hash to it so that all sums hold as nearly as they can.
"""

from __future__ import annotations

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.models.transitions import COMPAT, START, decode
from oddcall.models.window import WindowBatch

_ROUNDS = 50

Pair = tuple[int, int]


def decoded(window: WindowBatch, seed: int) -> dict[int, list[tuple[Pair, float]]]:
    """Spread the transitions of a window of one row over pairs of its calls.

    Returns
    -------
    For each bucket the pairs ``(previous, current)`` of symbols that may stand behind it, each
    with its part of the bucket's count, in [0, 1], the likeliest first. A bucket that the
    window's calls do not explain has none.
    """
    buckets, counts = window.transitions.row(0)
    symbols, made = _made(window)
    found = [
        (place, before, after)
        for place, pairs in enumerate(decode(buckets, symbols, seed).values())
        for before, after in pairs
    ]
    if not found:
        return {int(bucket): [] for bucket in buckets}
    pairs = np.array(found, np.int64)
    part = _fitted(pairs, counts.astype(np.float64), made) / counts[pairs[:, 0]]
    spread: dict[int, list[tuple[Pair, float]]] = {int(bucket): [] for bucket in buckets}
    for i in np.argsort(-part, kind="stable").tolist():
        place, before, after = found[i]
        spread[int(buckets[place])].append(((before, after), float(part[i])))
    return spread


def _made(window: WindowBatch) -> tuple[IntArray, FloatArray]:
    """Symbols of the window's calls, (m,), and how often each symbol was made, (START + 1,)."""
    native, compat = window.syscalls.to_dense()[0], window.compat.to_dense()[0]
    symbols = np.concatenate([window.syscalls.ids, window.compat.ids + COMPAT])
    # Threads begun are not counted; most windows hold one beginning or none.
    return symbols, np.concatenate([native, compat, [1]]).astype(np.float64)


def _fitted(pairs: IntArray, counts: FloatArray, made: FloatArray) -> FloatArray:
    """Count of each pair, (k,), by proportional fitting to buckets, predecessors, successors."""
    place, before, after = pairs.T
    share = made[before] * made[after]
    margins = ((before, made), (after, made), (place, counts))
    for _ in range(_ROUNDS):
        for index, wanted in margins:
            got = np.bincount(index, weights=share, minlength=len(wanted))
            factor = wanted / np.maximum(got, 1e-300)
            if wanted is made:
                factor[START] = min(factor[START], 1.0)
            share *= np.minimum(factor[index], 1e6)
    return np.asarray(share, np.float64)
