"""Subspaces that hold a program's clean windows, one a profile, packed so a batch is one product.

The features a profile has seen own consecutive rows of one long matrix; a lookup takes
(profile, feature) to its row, and row 0 stands for everything never seen. A batch whose rows
belong to many programs is then projected by a single sparse product, without a loop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse import csr_matrix

from oddcall.models.detector import State
from oddcall.models.features import FeatureSpec, FloatArray
from oddcall.models.sparse import IntArray

#: Squared Hellinger distance that does not matter in practice, however steady a program is.
SPREAD_FLOOR = 0.05
#: Windows that are worth one direction: fewer and the direction is noise.
_WINDOWS_PER_COMPONENT = 5
#: A steady program's windows do not differ beyond rounding.
_NO_VARIANCE = 1e-9
#: Sampling noise is tabled at 1, 2, 4, ... events.
_OCTAVES = 25

_SPEC = FeatureSpec()


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """Where n windows lie, each under its profile.

    Attributes
    ----------
    energy : float64 (n,)
        Squared distance from the mean.
    coordinates : float64 (n, k)
        Along the directions.
    usual : float64 (n,)
        Squared distance from the subspace that clean windows of so many events keep.
    """

    energy: FloatArray
    coordinates: FloatArray
    usual: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Subspaces:
    """Mean, directions, spread and sampling noise of P profiles.

    Attributes
    ----------
    edges : int64 (P + 1,)
        Profile i owns packed rows ``1 + edges[i]`` to ``edges[i + 1]``.
    features : int32 (R,)
        Column of the vectors behind packed row ``1 + r``, increasing within a profile.
    mean : float32 (R,)
    basis : float32 (R, k)
        Orthonormal directions of each profile, by falling variance; unused ones are 0.
    variance : float64 (P, k)
        Variance along each; 0 where unused.
    spread : float64 (P,)
        Squared distance that clean windows keep from the subspace, without sampling noise.
    noise : float64 (P, 25)
        Squared distance that sampling alone brings to windows of 1, 2, 4, ... events.
    """

    edges: IntArray
    features: NDArray[np.int32]
    mean: NDArray[np.float32]
    basis: NDArray[np.float32]
    variance: FloatArray
    spread: FloatArray
    noise: FloatArray
    _lookup: NDArray[np.int32]
    _packed: NDArray[np.float32]
    _offset: FloatArray
    _norm: FloatArray

    def __len__(self) -> int:
        return len(self.edges) - 1

    @property
    def components(self) -> int:
        """Directions kept per profile, k."""
        return int(self.basis.shape[1])

    @classmethod
    def fit(cls, vectors: csr_matrix, profile: IntArray, components: int) -> Subspaces:
        """Fit one subspace a profile by principal components of the features it has seen."""
        count = int(profile.max()) + 1
        order = np.argsort(profile, kind="stable")
        bounds = np.searchsorted(profile[order], np.arange(count + 1))
        events = _SPEC.events(vectors)
        parts = []
        # One decomposition a program: each has its own few features.
        for i in range(count):
            rows = order[bounds[i] : bounds[i + 1]]
            parts.append(_fit_one(vectors[rows], events[rows], components))
        features, means, bases, variance, spread, noise = zip(*parts, strict=True)
        edges = np.concatenate([[0], np.cumsum([len(part) for part in features])])
        return cls.packed(
            edges.astype(np.int64),
            np.concatenate(features).astype(np.int32),
            np.concatenate(means).astype(np.float32),
            np.concatenate(bases).astype(np.float32),
            np.array(variance, np.float64),
            np.array(spread, np.float64),
            np.array(noise, np.float64),
        )

    @classmethod
    def packed(
        cls,
        edges: IntArray,
        features: NDArray[np.int32],
        mean: NDArray[np.float32],
        basis: NDArray[np.float32],
        variance: FloatArray,
        spread: FloatArray,
        noise: FloatArray,
    ) -> Subspaces:
        """Build from what was learned; everything else is derived."""
        count, k = len(edges) - 1, basis.shape[1]
        owner = np.repeat(np.arange(count), np.diff(edges))
        lookup = np.zeros((count, _SPEC.width), np.int32)
        lookup[owner, features] = np.arange(1, len(features) + 1)
        table = np.zeros((len(features) + 1, k + 1), np.float32)
        table[1:, :k], table[1:, k] = basis, mean
        offset = np.zeros((count, k))
        np.add.at(offset, owner, basis.astype(np.float64) * mean[:, None])
        squares = mean.astype(np.float64) ** 2
        norm = np.bincount(owner, weights=squares, minlength=count).astype(np.float64)
        return cls(
            edges,
            features,
            mean,
            basis,
            variance,
            spread,
            noise,
            lookup.ravel(),
            table,
            offset,
            norm,
        )

    def moved(self, mean: NDArray[np.float32]) -> Subspaces:
        """Build the same subspaces about another mean, (R,)."""
        kept = (self.basis, self.variance, self.spread, self.noise)
        return Subspaces.packed(self.edges, self.features, mean, *kept)

    def slots(self, columns: NDArray[np.int32], profile: IntArray) -> NDArray[np.int32]:
        """Packed row of each column under its profile; 0 for one never seen of it."""
        found: NDArray[np.int32] = self._lookup[profile * _SPEC.width + columns]
        return found

    def place(self, vectors: csr_matrix, profile: IntArray) -> Placed:
        """Say where windows lie."""
        energy, coordinates = self.project(vectors, profile)
        usual = self.spread[profile] + self.noise_at(_SPEC.events(vectors), profile)
        return Placed(energy, coordinates, usual)

    def project(self, vectors: csr_matrix, profile: IntArray) -> tuple[FloatArray, FloatArray]:
        """Squared distance from the mean, (n,), and coordinates along the directions, (n, k)."""
        row = np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))
        slots = self.slots(vectors.indices, profile[row])
        shape = (vectors.shape[0], len(self._packed))
        product = csr_matrix((vectors.data, slots, vectors.indptr), shape=shape) @ self._packed
        squares = vectors.data.astype(np.float64) ** 2
        energy = np.bincount(row, weights=squares, minlength=vectors.shape[0]).astype(np.float64)
        energy += self._norm[profile] - 2.0 * product[:, -1]
        return np.maximum(energy, 0.0), product[:, :-1] - self._offset[profile]

    def noise_at(self, events: FloatArray, profile: IntArray) -> FloatArray:
        """Squared distance to expect from sampling alone, (n,)."""
        place = np.clip(np.log2(np.maximum(events, 1.0)), 0, _OCTAVES - 1.001)
        low = place.astype(np.int64)
        part = place - low
        return (1 - part) * self.noise[profile, low] + part * self.noise[profile, low + 1]

    def parts(self, vector: csr_matrix, profile: int, weight: FloatArray) -> FloatArray:
        """Each feature's part, (D,), of ``energy - sum(weight * coordinate ** 2)`` of one row."""
        here = slice(int(self.edges[profile]), int(self.edges[profile + 1]))
        columns, basis = self.features[here], self.basis[here].astype(np.float64)
        away: FloatArray = vector.toarray()[0].astype(np.float64)
        away[columns] -= self.mean[here]
        inside = np.zeros_like(away)
        inside[columns] = basis @ (weight * (basis.T @ away[columns]))
        return away * (away - inside)

    def state(self) -> State:
        """Everything learned, as plain arrays."""
        kept = ("edges", "features", "mean", "basis", "variance", "spread", "noise")
        return {name: getattr(self, name) for name in kept}

    @classmethod
    def from_state(cls, state: State) -> Subspaces:
        """Build what ``state`` was taken from."""
        kept = ("edges", "features", "mean", "basis", "variance", "spread", "noise")
        return cls.packed(*(state[name] for name in kept))  # type: ignore[arg-type]


def _fit_one(
    vectors: csr_matrix, events: FloatArray, components: int
) -> tuple[IntArray, FloatArray, FloatArray, FloatArray, float, FloatArray]:
    columns = np.flatnonzero(vectors.getnnz(axis=0)).astype(np.int64)
    dense = vectors[:, columns].toarray().astype(np.float64)
    mean = dense.mean(axis=0)
    basis = np.zeros((len(columns), components))
    variance = np.zeros(components)
    kept = min(components, len(columns), len(dense) // _WINDOWS_PER_COMPONENT)
    away = dense - mean
    if kept:
        basis[:, :kept], variance[:kept] = _leading(away, kept)
    noise = _sampling_noise(columns, (dense**2).mean(axis=0))
    left = (away**2).sum(axis=1) - ((away @ basis) ** 2).sum(axis=1)
    octave = np.clip(np.log2(np.maximum(events, 1)), 0, _OCTAVES - 1).astype(np.int64)
    spread = max(float(np.mean(np.maximum(left - noise[octave], 0))), SPREAD_FLOOR)
    return columns, mean, basis, variance, spread, noise


def _leading(away: FloatArray, kept: int) -> tuple[FloatArray, FloatArray]:
    """Directions of the most variance, (m, kept), and it, of centred rows (n, m).

    From the smaller of the two products: a program has a few hundred features, or few windows.
    """
    n, m = away.shape
    small = away.T @ away if m <= n else away @ away.T
    values, found = eigh(small / max(n - 1, 1), subset_by_index=[len(small) - kept, len(small) - 1])
    variance, directions = values[::-1], found[:, ::-1]
    # A steady program has directions of no variance at all: they are not directions.
    real = variance > _NO_VARIANCE
    if m > n:
        directions = away.T @ directions
        directions /= np.maximum(np.linalg.norm(directions, axis=0), 1e-12)
    # Either sign is right; the same one every time is what makes training repeat itself.
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(kept)]
    return directions * np.where(largest < 0, -1.0, 1.0) * real, variance * real


def _sampling_noise(columns: IntArray, share: FloatArray) -> FloatArray:
    """Expect so much squared distance of N draws from the mean's shares, for N = 1, 2, 4, ....

    The square root of a Poisson count over N has variance near 1 / (4 N), and never more than
    the share itself.
    """
    counted = columns < _SPEC.starts["scalars"]
    draws = 2.0 ** np.arange(_OCTAVES)
    noise: FloatArray = np.minimum(share[counted][None, :], 0.25 / draws[:, None]).sum(axis=1)
    return noise
