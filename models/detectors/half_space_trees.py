"""Half-space trees on a program's own projection: learned by river, scored here in columns.

Tan, Ting and Liu 2011. Trees cut the unit cube at random, once; learning only counts how many
windows pass each node. river does the learning, one window at a time, and may go on for as
long as the host lives; its counts are kept as arrays, so a batch is scored without a Python
object a window, to the same numbers as river's ``score_one``.

Three things river leaves to its caller are seen to here: coordinates are scaled to [0, 1]
(unscaled data scores 0), every vector carries every feature (a feature missing from the first
is ignored for ever), and a profile is fitted on whole windows (river scores 0 until the first
one is full). Scores are bounded: the trees say *where* clean windows are few, not how far away
one lies. That is the residual's part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from scipy.sparse import csr_matrix

from oddcall.models.detector import Evidence, Prior, State, profiles_of, require_ready
from oddcall.models.features import FeatureSpec, FloatArray
from oddcall.models.forest import Forest
from oddcall.models.projection import SPREAD_FLOOR, Subspaces
from oddcall.models.sparse import IntArray

if TYPE_CHECKING:
    from river.anomaly import HalfSpaceTrees as RiverTrees
    from river.tree.padded import PaddedBranch

#: Room beyond the clean windows' range on either side, as a share of the range.
_MARGIN = 0.15
#: Most windows that make up one of river's windows.
_WINDOW = 256


@dataclass(frozen=True, slots=True, eq=False)
class HalfSpaceTrees:
    """Sparsely visited regions of the projection.

    Parameters
    ----------
    trees : int, default 25
    height : int, default 6
    dimensions : int, default 8
        Coordinates that the trees cut: the distance from the leading directions of a profile's
        subspace, and the place along them.
    seed : int, default 0
        Of the cuts; the same for every profile.
    """

    name: ClassVar[str] = "half_space_trees"
    evidence: ClassVar[Evidence] = "mixture"
    prior: ClassVar[Prior] = Prior(scale=0.1, weight=20)

    trees: int = 25
    height: int = 6
    dimensions: int = 8
    seed: int = 0
    subspaces: Subspaces | None = None
    low: FloatArray | None = None
    high: FloatArray | None = None
    forest: Forest | None = None

    @property
    def ready(self) -> bool:
        """Whether it was fitted."""
        return self.forest is not None

    def fit(self, vectors: csr_matrix, profile: IntArray | None = None) -> Self:
        """Fit the projection, then count one full window of rows a profile, spread over time."""
        rows = profiles_of(vectors.shape[0], profile)
        return self.fit_within(Subspaces.fit(vectors, rows, self.dimensions - 1), vectors, rows)

    def fit_within(self, subspaces: Subspaces, vectors: csr_matrix, rows: IntArray) -> Self:
        """Fit on the leading directions of subspaces that another detector has fitted."""
        spaces = subspaces.leading(self.dimensions - 1)
        raw = _steadied(spaces, vectors, rows)
        count = len(spaces)
        low = np.full((count, self.dimensions), np.inf)
        high = -low
        np.minimum.at(low, rows, raw)
        np.maximum.at(high, rows, raw)
        # A steady program's tiny differences must not fill the cube.
        room = _MARGIN * (high - low) + np.sqrt(SPREAD_FLOOR)
        low, high = low - room, high + room
        scaled = (raw - low[rows]) / (high - low)[rows]
        order = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[order], np.arange(count + 1))
        river = self._river(_WINDOW)
        learned = []
        # One count a program: river learns one window at a time.
        for i in range(count):
            mine = order[bounds[i] : bounds[i + 1]]
            window = min(_WINDOW, len(mine))
            even = mine[np.linspace(0, len(mine) - 1, window).round().astype(np.int64)]
            _forget(river, window)
            _learn(river, scaled[even])
            learned.append(_extract(river))
        return replace(self, subspaces=spaces, low=low, high=high, forest=Forest.stack(learned))

    def learn(self, vectors: csr_matrix, profile: IntArray | None = None) -> Self:
        """Go on learning, in the order of the rows; the projection stays as it was fitted."""
        rows = profiles_of(vectors.shape[0], profile)
        forest = self._fitted(rows)
        assert self.subspaces is not None  # noqa: S101
        scaled = self._scale(_steadied(self.subspaces, vectors, rows), rows)
        reference, latest = forest.reference.copy(), forest.latest.copy()
        counter = forest.counter.copy()
        for i in np.unique(rows):
            river = self._restored(forest, int(i))
            _learn(river, scaled[rows == i])
            one = _extract(river)
            reference[i], latest[i], counter[i] = one.reference[0], one.latest[0], one.counter[0]
        grown = replace(forest, reference=reference, latest=latest, counter=counter)
        return replace(self, forest=grown)

    def about(self, spaces: Subspaces) -> Self:
        """Build the same trees about means that have moved."""
        return replace(self, subspaces=spaces.leading(self.dimensions - 1))

    def score(self, vectors: csr_matrix, profile: IntArray | None = None) -> FloatArray:
        """Score each row, in [0, 1)."""
        rows = profiles_of(vectors.shape[0], profile)
        forest = self._fitted(rows)
        return forest.score(self.coordinates(vectors, rows), rows)

    def coordinates(self, vectors: csr_matrix, profile: IntArray | None = None) -> FloatArray:
        """Where the trees see each row, (n, dimensions); clean windows lie within [0, 1]."""
        rows = profiles_of(vectors.shape[0], profile)
        self._fitted(rows)
        assert self.subspaces is not None  # noqa: S101
        return self._scale(_steadied(self.subspaces, vectors, rows), rows)

    def _scale(self, raw: FloatArray, profile: IntArray) -> FloatArray:
        assert self.low is not None and self.high is not None  # noqa: S101, PT018
        low, high = self.low[profile], self.high[profile]
        scaled: FloatArray = (raw - low) / (high - low)
        return scaled

    def _fitted(self, profile: IntArray) -> Forest:
        require_ready(self.name, 0 if self.forest is None else len(self.forest.window), profile)
        assert self.forest is not None  # noqa: S101  # require_ready has raised otherwise
        return self.forest

    def _river(self, window: int) -> RiverTrees:
        from river.anomaly import HalfSpaceTrees as RiverTrees

        return RiverTrees(
            n_trees=self.trees, height=self.height, window_size=window, seed=self.seed
        )

    def _restored(self, forest: Forest, profile: int) -> RiverTrees:
        """Build river's own object, as it was when its arrays were taken."""
        river = self._river(int(forest.window[profile]))
        _learn(river, np.zeros((1, self.dimensions)))  # river plants its trees at the first row
        for t, tree in enumerate(river.trees):
            for i, node in enumerate(_heap(tree)):
                node.r_mass = int(forest.reference[profile, t, i])
                node.l_mass = int(forest.latest[profile, t, i])
                if i < forest.feature.shape[1]:
                    node.feature = int(forest.feature[t, i])
                    node.threshold = float(forest.threshold[t, i])
        river.counter = int(forest.counter[profile])
        river._first_window = False  # noqa: SLF001  # a fitted profile has had a full window
        return river

    def state(self) -> State:
        """Everything learned, as plain arrays."""
        state: State = {
            "parameters": np.array([self.trees, self.height, self.dimensions, self.seed])
        }
        if self.forest is None or self.subspaces is None:
            return state
        assert self.low is not None and self.high is not None  # noqa: S101, PT018
        state |= {f"subspaces.{name}": part for name, part in self.subspaces.state().items()}
        state |= {f"forest.{name}": getattr(self.forest, name) for name in _FOREST}
        return state | {"low": self.low, "high": self.high}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Build the detector that ``state`` was taken from."""
        trees, height, dimensions, seed = (int(value) for value in state["parameters"])
        made = cls(trees, height, dimensions, seed)
        if "low" not in state:
            return made
        spaces = {
            name.removeprefix("subspaces."): part
            for name, part in state.items()
            if name.startswith("subspaces.")
        }
        return replace(
            made,
            subspaces=Subspaces.from_state(spaces),
            low=state["low"].astype(np.float64),
            high=state["high"].astype(np.float64),
            forest=Forest(*(state[f"forest.{name}"] for name in _FOREST)),  # type: ignore[arg-type]
        )


_FOREST = ("feature", "threshold", "reference", "latest", "window", "counter")


def _steadied(spaces: Subspaces, vectors: csr_matrix, profile: IntArray) -> FloatArray:
    """Distance from the leading directions, and coordinates along them, (n, 1 + directions).

    Coordinates are drawn towards the mean, and the distance is measured, as far as sampling
    noise scatters windows of so few events. Without the distance the trees would not see what
    leaves the subspace altogether.
    """
    energy, coordinates = spaces.project(vectors, profile)
    spread = spaces.spread[profile]
    usual = spread + spaces.noise_at(FeatureSpec().events(vectors), profile)
    outside = np.sqrt(np.maximum(energy - (coordinates**2).sum(axis=1), 0) / usual)
    steadied = coordinates * np.sqrt(spread / usual)[:, None]
    return np.concatenate([outside[:, None], steadied], axis=1)


def _learn(river: RiverTrees, coordinates: FloatArray) -> None:
    for row in coordinates.tolist():
        river.learn_one(dict(enumerate(row)))  # type: ignore[no-untyped-call]


def _heap(tree: PaddedBranch) -> list[PaddedBranch]:
    """List the nodes of a full binary tree, level by level."""
    level, nodes = [tree], []
    while level:
        nodes += level
        level = [child for node in level for child in getattr(node, "children", ())]
    return nodes


def _forget(river: RiverTrees, window: int) -> None:
    """Set every count to 0 and keep the cuts, which are planted once."""
    river.window_size, river.counter = window, 0
    for tree in river.trees:
        for node in _heap(tree):
            node.l_mass = node.r_mass = 0


def _extract(river: RiverTrees) -> Forest:
    """Take the arrays of one profile's forest."""
    heaps = [_heap(tree) for tree in river.trees]
    inner = len(heaps[0]) // 2

    def each(name: str, nodes: int) -> list[list[float]]:
        return [[getattr(node, name) for node in heap[:nodes]] for heap in heaps]

    return Forest(
        np.array(each("feature", inner), np.int64),
        np.array(each("threshold", inner), np.float64),
        np.array([each("r_mass", 2 * inner + 1)], np.int64),
        np.array([each("l_mass", 2 * inner + 1)], np.int64),
        np.array([river.window_size], np.int64),
        np.array([river.counter], np.int64),
    )
