"""Which programs changed their ways while they were recorded.

A p-value is a promise about time like that of the recording. Where a program's later windows do
not keep still among themselves, there is no such time. ADWIN (Bifet and Gavalda 2007) looks for
a place where the mean before differs from the mean after by more than chance allows.

It is river's, and here, in training, and not in the watch: importing ``river.drift`` takes 155 MB
of memory, as much as a whole watch may. While watching, drift is found by a control chart of the
same evidence (``adaptation.py``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray

#: Chance of accusing one of all programs of a change that is none.
_DELTA = 0.002
_MOMENT_NS = 1_000_000_000


def unsteady(p_value: FloatArray, t_end_ns: IntArray, profile: IntArray, count: int) -> IntArray:
    """Profiles whose windows changed over time.

    Parameters
    ----------
    p_value : float64 (n,)
        Of clean windows that nobody learned from, under their own profile.
    t_end_ns, profile : int64 (n,)
    count : int
        Profiles.

    Returns
    -------
    int64, increasing.
    """
    # Heavy, and of use once a training.
    from river.drift import ADWIN

    adwin: Any = ADWIN
    found = []
    for i in range(count):
        mine = np.flatnonzero(profile == i)
        look = adwin(delta=_DELTA / count, clock=1)
        changed = False
        for value in _moments(p_value[mine], t_end_ns[mine]).tolist():
            look.update(value)
            changed |= look.drift_detected
        if changed:
            found.append(i)
    return np.array(found, np.int64)


def _moments(p_value: FloatArray, t_end_ns: IntArray) -> FloatArray:
    """Mean p-value of every moment that holds windows, in the order of time."""
    moment = np.unique(t_end_ns // _MOMENT_NS, return_inverse=True)[1]
    means: FloatArray = np.bincount(moment, weights=p_value) / np.bincount(moment)
    return means
