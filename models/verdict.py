"""What a model says of a batch, in columns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.models.window import WindowBatch

#: Which baseline a window was held against, best first.
LEVELS = ("program", "predecessor", "similar", "unknown")
#: The same in the words that people read, wherever they do.
JUDGED_BY = {
    "program": "its own baseline",
    "predecessor": "its predecessor",
    "similar": "programs like it",
    "unknown": "nothing yet",
}


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """Verdicts on the n windows of a batch, in its order. Higher scores are more unusual.

    Attributes
    ----------
    score : float64 (n,)
        Evidence against normality in nats: what the detectors say together. Finite;
        0 where there is no baseline (``profile`` is -1).
    p_value : float64 (n,)
        Chance that a clean window of this baseline scores as high, in (0, 1]; 1 where there
        is no baseline.
    threshold : float
        A window alerts at a p-value at or below it.
    alert : bool (n,)
        Always False where ``ready`` is False.
    extrapolated : bool (n,)
        The p-value lies beyond every clean window that was kept aside: it rests on a
        model of the tail, not on a count.
    level : str array (n,)
        One of ``LEVELS``.
    ready : bool (n,)
        Whether the verdict may alert. False for an unknown program, for one whose baseline
        is not settled yet, and for a changed binary that its predecessor only shadows.
    profile : int64 (n,)
        Baseline used: index into ``Model.profiles``; -1 for ``"unknown"``.
    detectors : dict of str to float64 (n,)
        p-value each detector gives by itself; 1 where there is no baseline.
    onset_ns : int64 (n,)
        Where what is odd about a window began: its own start, or that of the first window of
        the sequence it belongs to.
    together : dict of int to WindowBatch
        For a window that alerts by what led to it: those windows as one, a batch of one row.
    """

    score: FloatArray
    p_value: FloatArray
    threshold: float
    alert: NDArray[np.bool_]
    extrapolated: NDArray[np.bool_]
    level: NDArray[np.str_]
    ready: NDArray[np.bool_]
    profile: IntArray
    detectors: dict[str, FloatArray] = field(default_factory=dict)
    onset_ns: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))
    together: dict[int, WindowBatch] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.p_value)
