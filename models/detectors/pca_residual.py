"""Distance from the subspace of a program's clean windows.

What lies outside the subspace counts in full; what lies inside counts only as far as it is
larger than that direction's own variance, as in probabilistic PCA (Tipping and Bishop 1999).
The distance is divided by what clean windows of so many events keep anyway: a window of ten
events is far from the mean by sampling alone, and a change of load must not look odd.

Weak where a program does everything in turn: its subspace then holds attacks as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix

from oddcall.models.detector import Evidence, Prior, State, profiles_of, require_ready
from oddcall.models.features import FloatArray
from oddcall.models.projection import Placed, Subspaces
from oddcall.models.sparse import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class PcaResidual:
    """Squared distance from the subspace over what is usual for so many events.

    Parameters
    ----------
    components : int, default 20
        Most directions a profile keeps; one for every five windows at most.
    """

    name: ClassVar[str] = "pca_residual"
    evidence: ClassVar[Evidence] = "mixture"
    prior: ClassVar[Prior] = Prior(scale=0.5, weight=20, shape=0.1, resolution=0.05)

    components: int = 20
    subspaces: Subspaces | None = None

    @property
    def ready(self) -> bool:
        """Whether it was fitted."""
        return self.subspaces is not None

    def fit(self, vectors: csr_matrix, profile: IntArray | None = None) -> Self:
        """Fit one subspace a profile."""
        rows = profiles_of(vectors.shape[0], profile)
        return type(self)(self.components, Subspaces.fit(vectors, rows, self.components))

    def score(self, vectors: csr_matrix, profile: IntArray | None = None) -> FloatArray:
        """Score each row: around 1 for a clean window, unbounded above."""
        rows = profiles_of(vectors.shape[0], profile)
        return self.score_placed(self._fitted(rows).place(vectors, rows), rows)

    def score_placed(self, placed: Placed, rows: IntArray) -> FloatArray:
        """Score windows that lie there, of the profiles ``rows``."""
        inside = np.einsum("ij,ij->i", placed.coordinates**2, self._weight(rows))
        score: FloatArray = np.maximum(placed.energy - inside, 0.0) / placed.usual
        return score

    def about(self, spaces: Subspaces) -> Self:
        """Build the same detector about means that have moved."""
        return replace(self, subspaces=spaces)

    def contributions(self, vector: csr_matrix, profile: int = 0) -> FloatArray:
        """Each feature's part of the distance of one row, (D,), before it is divided."""
        rows = np.array([profile], np.int64)
        return self._fitted(rows).parts(vector, profile, self._weight(rows)[0])

    def _fitted(self, profile: IntArray) -> Subspaces:
        require_ready(self.name, 0 if self.subspaces is None else len(self.subspaces), profile)
        assert self.subspaces is not None  # noqa: S101  # require_ready has raised otherwise
        return self.subspaces

    def _weight(self, profile: IntArray) -> FloatArray:
        """Part of each direction's square that is excused, (n, k), in [0, 1)."""
        assert self.subspaces is not None  # noqa: S101
        spaces = self.subspaces
        share = spaces.spread[:, None] / max(spaces.components, 1)
        excused = np.maximum(0.0, 1 - share / np.maximum(spaces.variance, 1e-12))
        weight: FloatArray = excused[profile]
        return weight

    def state(self) -> State:
        """Everything learned, as plain arrays."""
        fitted = {} if self.subspaces is None else self.subspaces.state()
        return {"components": np.array(self.components), **fitted}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Build the detector that ``state`` was taken from."""
        spaces = Subspaces.from_state(state) if "edges" in state else None
        return cls(int(state["components"]), spaces)
