"""How far along its own directions, and away from them, a window lies for this program.

Coordinates in the leading directions of a program's subspace and the distance from all of them,
held against the mean and covariance of clean windows (Mahalanobis 1936). The residual says that
a window left the subspace; this one also knows how much of leaving is usual, and which places
within it are not.

One Gaussian for a program: weak where a program has several quite different kinds of windows,
whose middle is then the most usual place of all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix

from oddcall.models.detector import Evidence, Prior, State, profiles_of, require_ready
from oddcall.models.features import FeatureSpec, FloatArray
from oddcall.models.projection import SPREAD_FLOOR, Subspaces
from oddcall.models.sparse import IntArray

#: Clean windows that a unit covariance counts as much as: a few windows fix no covariance.
_PRIOR_WINDOWS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Mahalanobis:
    """Squared Mahalanobis distance in the leading directions, over their number.

    Parameters
    ----------
    dimensions : int, default 9
        Coordinates: the distance from the leading directions, and the place along them.
    """

    name: ClassVar[str] = "mahalanobis"
    evidence: ClassVar[Evidence] = "mixture"
    prior: ClassVar[Prior] = Prior(scale=1.0, weight=20, shape=0.1)

    dimensions: int = 9
    subspaces: Subspaces | None = None
    mean: FloatArray | None = None
    whiten: FloatArray | None = None

    @property
    def ready(self) -> bool:
        """Whether it was fitted."""
        return self.whiten is not None

    def fit(self, vectors: csr_matrix, profile: IntArray | None = None) -> Self:
        """Fit the projection, then a Gaussian a profile on it."""
        rows = profiles_of(vectors.shape[0], profile)
        return self.fit_within(Subspaces.fit(vectors, rows, self.dimensions - 1), vectors, rows)

    def fit_within(self, subspaces: Subspaces, vectors: csr_matrix, rows: IntArray) -> Self:
        """Fit on the leading directions of subspaces that another detector has fitted."""
        spaces = subspaces.leading(self.dimensions - 1)
        placed = _placed(spaces, vectors, rows)
        count, d = len(spaces), self.dimensions
        windows = np.bincount(rows, minlength=count).astype(np.float64)
        mean = np.stack([np.bincount(rows, placed[:, i], count) for i in range(d)], axis=1)
        mean /= windows[:, None]
        whiten = np.zeros((count, d, d))
        order = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[order], np.arange(count + 1))
        # One small matrix a program.
        for i in range(count):
            away = placed[order[bounds[i] : bounds[i + 1]]] - mean[i]
            covariance = away.T @ away + _PRIOR_WINDOWS * _usual(away)
            covariance /= len(away) + _PRIOR_WINDOWS
            whiten[i] = np.linalg.inv(np.linalg.cholesky(covariance)).T
        return replace(self, subspaces=spaces, mean=mean, whiten=whiten)

    def score(self, vectors: csr_matrix, profile: IntArray | None = None) -> FloatArray:
        """Score each row: around 1 for a clean window, unbounded above."""
        rows = profiles_of(vectors.shape[0], profile)
        require_ready(self.name, 0 if self.whiten is None else len(self.whiten), rows)
        assert self.subspaces is not None  # noqa: S101  # require_ready has raised otherwise
        return self.at(_placed(self.subspaces, vectors, rows), rows)

    def at(self, placed: FloatArray, profile: IntArray) -> FloatArray:
        """Score places, (n, dimensions)."""
        assert self.mean is not None and self.whiten is not None  # noqa: S101, PT018
        away = placed - self.mean[profile]
        white = np.einsum("ni,nij->nj", away, self.whiten[profile])
        score: FloatArray = np.einsum("nj,nj->n", white, white) / self.dimensions
        return score

    def about(self, spaces: Subspaces) -> Self:
        """Build the same Gaussians about means that have moved."""
        return replace(self, subspaces=spaces.leading(self.dimensions - 1))

    def state(self) -> State:
        """Everything learned, as plain arrays."""
        state: State = {"dimensions": np.array(self.dimensions)}
        if self.subspaces is None or self.mean is None or self.whiten is None:
            return state
        state |= {f"subspaces.{name}": part for name, part in self.subspaces.state().items()}
        return state | {"mean": self.mean, "whiten": self.whiten}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Build the detector that ``state`` was taken from."""
        made = cls(int(state["dimensions"]))
        if "whiten" not in state:
            return made
        spaces = {
            name.removeprefix("subspaces."): part
            for name, part in state.items()
            if name.startswith("subspaces.")
        }
        return replace(
            made,
            subspaces=Subspaces.from_state(spaces),
            mean=state["mean"].astype(np.float64),
            whiten=state["whiten"].astype(np.float64),
        )


def _usual(away: FloatArray) -> FloatArray:
    """Variance of each coordinate by itself, and never so little that rounding looks far."""
    variance = away.var(axis=0) if len(away) else np.zeros(away.shape[1])
    return np.diag(np.maximum(variance, SPREAD_FLOOR))


def _placed(spaces: Subspaces, vectors: csr_matrix, profile: IntArray) -> FloatArray:
    """Distance from the leading directions, and coordinates along them, (n, 1 + directions).

    Coordinates are drawn towards the mean, and the distance is measured, as far as sampling
    noise scatters windows of so few events: a change of load must not look odd.
    """
    energy, coordinates = spaces.project(vectors, profile)
    spread = spaces.spread[profile]
    usual = spread + spaces.noise_at(FeatureSpec().events(vectors), profile)
    outside = np.sqrt(np.maximum(energy - (coordinates**2).sum(axis=1), 0) / usual)
    steadied = coordinates * np.sqrt(spread / usual)[:, None]
    return np.concatenate([outside[:, None], steadied], axis=1)
