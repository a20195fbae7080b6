"""Distance from the program's own windows that are most like this one.

A program does several quite different things; between them lies nothing it does. A subspace
holds the in-between as well, a few dozen of its own windows do not (nearest neighbours as an
outlier score: Ramaswamy, Rastogi and Shim 2000). They are kept as places in the program's
subspace with the distance from it, so that a batch costs one small product.

A path so rare that none of the kept windows took it lies as far as an attack does: that is for
calibration to know, and for novelty to tell apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from oddcall.models.detector import Evidence, Prior, State, profiles_of, require_ready
from oddcall.models.features import FloatArray
from oddcall.models.projection import Placed, Subspaces
from oddcall.models.sparse import IntArray

#: Windows kept of each profile, evenly spread over its time; each once where there are fewer.
LANDMARKS = 64
#: Where a window would be that a profile does not have: nearest to nothing.
_NOWHERE = 1e6
#: Nearest ones whose mean distance counts: one by itself may be an odd one.
_NEAREST = 2


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """Mean squared distance to the two nearest of a profile's windows.

    Parameters
    ----------
    components : int, default 20
        Directions of the subspace that places are along.

    Attributes
    ----------
    places : float32 (P, LANDMARKS, 1 + components)
    """

    name: ClassVar[str] = "nearest"
    evidence: ClassVar[Evidence] = "mixture"
    prior: ClassVar[Prior] = Prior(scale=0.5, weight=20, shape=0.1, resolution=0.05)

    components: int = 20
    subspaces: Subspaces | None = None
    places: NDArray[np.float32] | None = None

    @property
    def ready(self) -> bool:
        """Whether it was fitted."""
        return self.places is not None

    def fit(self, vectors: csr_matrix, profile: IntArray | None = None) -> Self:
        """Fit the projection, then keep windows of every profile on it."""
        rows = profiles_of(vectors.shape[0], profile)
        return self.fit_within(Subspaces.fit(vectors, rows, self.components), vectors, rows)

    def fit_within(self, subspaces: Subspaces, vectors: csr_matrix, rows: IntArray) -> Self:
        """Fit on subspaces that another detector has fitted."""
        order = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[order], np.arange(len(subspaces) + 1))
        few = np.minimum(np.diff(bounds), LANDMARKS)
        number = np.arange(LANDMARKS)
        share = np.minimum(number / np.maximum(few - 1, 1)[:, None], 1.0)
        even = bounds[:-1, None] + (share * (np.diff(bounds) - 1)[:, None]).round().astype(np.int64)
        kept = order[even.ravel()]
        placed = _steadied(subspaces, subspaces.place(vectors[kept], rows[kept]), rows[kept])
        places = placed.reshape(len(subspaces), LANDMARKS, placed.shape[1])
        places[number >= few[:, None]] = _NOWHERE
        return replace(self, subspaces=subspaces, places=places)

    def score(self, vectors: csr_matrix, profile: IntArray | None = None) -> FloatArray:
        """Score each row: unbounded above."""
        rows = profiles_of(vectors.shape[0], profile)
        require_ready(self.name, 0 if self.places is None else len(self.places), rows)
        assert self.subspaces is not None  # noqa: S101
        return self.score_placed(self.subspaces.place(vectors, rows), rows)

    def score_placed(self, place: Placed, rows: IntArray) -> FloatArray:
        """Score windows that lie there, of the profiles ``rows``."""
        assert self.subspaces is not None and self.places is not None  # noqa: S101, PT018
        placed = _steadied(self.subspaces, place, rows)
        score = np.zeros(len(rows))
        order = np.argsort(rows, kind="stable")
        used, begins, count = np.unique(rows[order], return_index=True, return_counts=True)
        # One product a program of the batch: gathering its windows for every row costs more.
        for i, begin, many in zip(used.tolist(), begins.tolist(), count.tolist(), strict=True):
            mine = order[begin : begin + many]
            here, kept = placed[mine], self.places[i]
            squared = (here**2).sum(axis=1)[:, None] + (kept**2).sum(axis=1) - 2 * here @ kept.T
            nearest = np.partition(squared, _NEAREST - 1, axis=1)[:, :_NEAREST]
            score[mine] = np.maximum(nearest, 0.0).sum(axis=1) / _NEAREST
        return score

    def about(self, spaces: Subspaces) -> Self:
        """Build the same about means that have moved: the windows kept move with them."""
        return replace(self, subspaces=spaces)

    def state(self) -> State:
        """Everything learned, as plain arrays."""
        state: State = {"components": np.array(self.components)}
        if self.subspaces is None or self.places is None:
            return state
        state |= {f"subspaces.{name}": part for name, part in self.subspaces.state().items()}
        return state | {"places": self.places}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Build the detector that ``state`` was taken from."""
        made = cls(int(state["components"]))
        if "places" not in state:
            return made
        spaces = {
            name.removeprefix("subspaces."): part
            for name, part in state.items()
            if name.startswith("subspaces.")
        }
        places = state["places"].astype(np.float32)
        return replace(made, subspaces=Subspaces.from_state(spaces), places=places)


def _steadied(spaces: Subspaces, placed: Placed, profile: IntArray) -> NDArray[np.float32]:
    """Distance from the directions, and coordinates along them, (n, 1 + directions).

    Coordinates are drawn towards the mean, and the distance is measured, as far as sampling
    noise scatters windows of so few events: a change of load must not look odd.
    """
    square = (placed.coordinates**2).sum(axis=1)
    outside = np.sqrt(np.maximum(placed.energy - square, 0) / placed.usual)
    drawn = placed.coordinates * np.sqrt(spaces.spread[profile] / placed.usual)[:, None]
    return np.concatenate([outside[:, None], drawn], axis=1).astype(np.float32)
