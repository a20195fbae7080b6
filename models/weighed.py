"""What windows weigh before anything is held against a budget."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from oddcall.models.calibration import Evidences
from oddcall.models.sparse import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Weighed:
    """Scores of a batch before they are held against the budget.

    Attributes
    ----------
    profile : int64 (n,)
    level : str array (n,)
    ready : bool (n,)
    rows : int64 (m,)
        Windows with a baseline.
    vectors : float32 CSR (m, D)
        Of those, as novelty sees them: without what people have said is normal.
    tolerated : bool (m,)
        Whether people have said that something about it is normal.
    found : Evidences
        Of those m windows.
    """

    profile: IntArray
    level: NDArray[np.str_]
    ready: NDArray[np.bool_]
    rows: IntArray
    vectors: csr_matrix
    tolerated: NDArray[np.bool_]
    found: Evidences
