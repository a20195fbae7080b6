"""From a pair of consecutive calls of one thread to its bucket, and back.

The kernel program computes the same hash (``bpf/oddcall.h``); a test on the
real kernel holds the two together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oddcall.models.sparse import IntArray
from oddcall.models.window import CALLS, TRANSITIONS

#: A symbol is a native call's number, or a 32-bit call's number plus this.
COMPAT = CALLS
#: The symbol before a thread's first call.
START = 2 * CALLS
#: Part of every recording's metadata: another seed is another set of features.
SEED = 0


def bucket(
    previous: NDArray[np.integer] | int, current: NDArray[np.integer] | int, seed: int = SEED
) -> IntArray:
    """Bucket of each transition, in ``[0, TRANSITIONS)``; arguments broadcast."""
    mask = np.uint64(0xFFFFFFFF)
    prev, cur = np.asarray(previous, np.uint64), np.asarray(current, np.uint64)
    h = ((prev << np.uint64(11)) | cur) + np.uint64(seed)
    h = (h * np.uint64(0x9E3779B1)) & mask
    h ^= h >> np.uint64(15)
    h = (h * np.uint64(0x85EBCA77)) & mask
    return (h >> np.uint64(32 - 10)).astype(np.int64)


def decode(
    buckets: NDArray[np.integer], symbols: NDArray[np.integer], seed: int = SEED
) -> dict[int, list[tuple[int, int]]]:
    """Name the pairs that may stand behind each bucket.

    Parameters
    ----------
    buckets : (k,) buckets to explain.
    symbols : (m,) symbols seen in the window; ``START`` is always considered.

    Returns
    -------
    For each bucket the pairs ``(previous, current)`` of those symbols that hash to it:
    nearly always one. Empty when the symbols do not explain it.
    """
    known = np.union1d(np.asarray(symbols, np.int64), [START])
    pairs = bucket(known[:, None], known[None, :], seed)
    found: dict[int, list[tuple[int, int]]] = {}
    for wanted in np.unique(np.asarray(buckets, np.int64)):
        prev, cur = np.nonzero(pairs == wanted)
        found[int(wanted)] = [
            (int(known[p]), int(known[c]))
            for p, c in zip(prev, cur, strict=True)
            if known[c] != START
        ]
    return found


assert 1 << 10 == TRANSITIONS, "the shift in bucket() gives ten bits"  # noqa: S101
