"""Baselines: what is kept of a program to judge it by, and to explain a verdict with.

A **profile** is one baseline that detectors know by its number. Most profiles belong to one
program; programs with too little history share the pool of those most like them (level
``"similar"``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from oddcall.models.detector import State
from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.models.window import Program

if TYPE_CHECKING:
    from oddcall.models.calibration import Calibration

#: What a baseline is good for. ``collecting``: too few windows. ``learning``: windows enough,
#: but still meeting new behaviour too often. ``ready``: may raise alerts.
Readiness = Literal["collecting", "learning", "ready"]
#: Quantiles kept of every feature a baseline has ever seen.
QUANTILES = (0.05, 0.5, 0.95)
#: Windows kept whole per profile, to show what is nearest to an odd one.
EXEMPLARS = 64


@dataclass(frozen=True, slots=True)
class ProgramState:
    """One program in a model: how much was seen of it and which profile judges it.

    Attributes
    ----------
    program : Program
    windows : int
        Clean windows seen in training, kept or not.
    first_ns, last_ns : int
        Span of those windows, UTC.
    readiness : {"collecting", "learning", "ready"}
    new_rate : float
        Share of its later windows that held behaviour its earlier ones did not.
    level : str
        ``"program"`` or ``"similar"``: whose baseline judges it.
    profile : int
        That baseline's number.
    windows_per_day : float
        Expected, from training.
    expected_alerts_per_day : float
        Its share of the budget, in episodes; 0 when it cannot alert.
    forgotten_ns : int, default 0
        When people asked to forget it, UTC, where a watch learned it anew for that alone.
    """

    program: Program
    windows: int
    first_ns: int
    last_ns: int
    readiness: Readiness
    new_rate: float
    level: str
    profile: int
    windows_per_day: float
    expected_alerts_per_day: float = 0.0
    forgotten_ns: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Give everything as JSON; what few programs have, of those alone."""
        told = asdict(self)
        if not self.forgotten_ns:
            # So that models which hold none keep their ids, and are read by earlier versions.
            del told["forgotten_ns"]
        return told

    @property
    def can_alert(self) -> bool:
        """Whether its own baseline is settled, or another's stands in for it."""
        stood_in_for = (self.readiness, self.level) == ("collecting", "similar")
        return self.readiness == "ready" or stood_in_for

    def judged_by(self, calibration: Calibration) -> str:
        """Whose baseline judges it, as ``level``: ``"unknown"`` where nothing stands behind that.

        Programs like it are held against each other to calibrate by; on a host with too few of
        them nothing can alert by theirs.
        """
        vouched = self.level == "program" or calibration.ready(self.profile)
        return self.level if vouched else "unknown"


@dataclass(frozen=True, slots=True, eq=False)
class Exemplars:
    """Typical windows of one profile, whole, with where they were seen.

    Attributes
    ----------
    vectors : float32 CSR (m, D), m at most EXEMPLARS
    t_start_ns, t_end_ns, pid, n_events : int64 (m,)
    """

    vectors: csr_matrix
    t_start_ns: IntArray
    t_end_ns: IntArray
    pid: IntArray
    n_events: IntArray

    @property
    def mean(self) -> csr_matrix:
        """Their mean, (1, D)."""
        return csr_matrix(self.vectors.mean(axis=0), dtype=np.float32)

    def nearest(self, vector: csr_matrix, k: int = 3) -> tuple[IntArray, FloatArray]:
        """Find the k windows nearest to a (1, D) vector: their rows, and Euclidean distances.

        Each count block adds at most sqrt(2) to a distance, reached where nothing is shared.
        """
        distance = self._distances(vector)
        order = np.argsort(distance, kind="stable")[:k].astype(np.int64)
        return order, distance[order]

    def usual(self, row: int) -> float | None:
        """Distance from one of them to the nearest other; None where there is no other."""
        others = np.delete(self._distances(self.vectors[row]), row)
        return float(others.min()) if len(others) else None

    def _distances(self, vector: csr_matrix) -> FloatArray:
        cross = (self.vectors @ vector.T).toarray()[:, 0].astype(np.float64)
        norms = np.asarray(self.vectors.multiply(self.vectors).sum(axis=1), np.float64).ravel()
        squared = norms - 2 * cross + float(vector.multiply(vector).sum())
        distance: FloatArray = np.sqrt(np.maximum(squared, 0))
        return distance


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """A view of one profile for people and for explanations.

    Attributes
    ----------
    name : str
        Program's short name, or what all pools are called.
    windows : int
        Windows of its programs that were seen in training, kept or not.
    first_ns, last_ns : int
        Their span, UTC.
    features : int64 (m,)
        Columns of every feature ever seen, increasing. What is not here is novel.
    quantiles : float32 (m, 3)
        q05, q50, q95 of each, in the units of the vectors (square them for shares). A feature
        that is not listed was 0 in every window.
    exemplars : Exemplars
    """

    name: str
    windows: int
    first_ns: int
    last_ns: int
    features: IntArray
    quantiles: NDArray[np.float32]
    exemplars: Exemplars

    def typical(self, features: IntArray) -> NDArray[np.float32]:
        """Quantiles of any columns, (k, 3); zeros for what was never seen."""
        found = np.zeros((len(features), len(QUANTILES)), np.float32)
        if not len(self.features):
            return found
        place = np.minimum(np.searchsorted(self.features, features), len(self.features) - 1)
        known = self.features[place] == features
        found[known] = self.quantiles[place[known]]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """Which features drove one verdict, largest first.

    Attributes
    ----------
    features : int64 (k,)
        Columns (``FeatureSpec.address`` says what they are).
    observed : float32 (k,)
        The window's value, in the units of the vectors.
    typical : float32 (k, 3)
        q05, q50, q95 of the baseline.
    novel : bool (k,)
        Never seen in that baseline.
    mixture : float64 (k,)
        Part of the squared distance from the baseline.
    novelty : float64 (k,)
        Part of the novelty score: of what is novel, or was never seen nearly as often.
    most : int64 (k,)
        Largest count in any one window of the baseline; 0 where it is not kept.
    contribution : float64 (k,)
        Share of the verdict, summing to 1 over all features: each detector's parts, weighed
        by how much of the evidence that detector brought.
    usual : int64 (u,)
        Columns of the window that are no news: in the baseline, learned since, or said to be
        normal. Default none.
    """

    features: IntArray
    observed: NDArray[np.float32]
    typical: NDArray[np.float32]
    novel: NDArray[np.bool_]
    mixture: FloatArray
    novelty: FloatArray
    most: IntArray
    contribution: FloatArray
    usual: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """Every profile's view, packed: profile i owns features ``edges[i]:edges[i + 1]``.

    Attributes
    ----------
    names : tuple of str, one a profile
    windows, first_ns, last_ns : int64 (P,)
    edges : int64 (P + 1,)
    features : int64 (R,)
    quantiles : float32 (R, 3)
    exemplars : Exemplars
        Of all profiles, stacked; profile i owns rows ``exemplar_edges[i]:exemplar_edges[i + 1]``.
    exemplar_edges : int64 (P + 1,)
    """

    names: tuple[str, ...]
    windows: IntArray
    first_ns: IntArray
    last_ns: IntArray
    edges: IntArray
    features: IntArray
    quantiles: NDArray[np.float32]
    exemplars: Exemplars
    exemplar_edges: IntArray

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, profile: int) -> Baseline:
        """View of one profile."""
        here = slice(self.edges[profile], self.edges[profile + 1])
        rows = slice(self.exemplar_edges[profile], self.exemplar_edges[profile + 1])
        kept = self.exemplars
        return Baseline(
            self.names[profile],
            int(self.windows[profile]),
            int(self.first_ns[profile]),
            int(self.last_ns[profile]),
            self.features[here],
            self.quantiles[here],
            Exemplars(
                kept.vectors[rows],
                kept.t_start_ns[rows],
                kept.t_end_ns[rows],
                kept.pid[rows],
                kept.n_events[rows],
            ),
        )

    def arrays(self) -> State:
        """Everything but the names, as plain arrays."""
        vectors = self.exemplars.vectors
        packed = {name: getattr(self, name) for name in _PACKED}
        seen = {f"exemplars.{name}": getattr(self.exemplars, name) for name in _SEEN}
        matrix = {f"exemplars.{name}": getattr(vectors, name) for name in _CSR}
        return {**packed, **seen, **matrix, "exemplars.shape": np.array(vectors.shape, np.int64)}

    @classmethod
    def from_arrays(cls, names: tuple[str, ...], arrays: State) -> Profiles:
        """Build what ``arrays`` was taken from."""
        found = {
            name.removeprefix("exemplars."): part
            for name, part in arrays.items()
            if name.startswith("exemplars.")
        }
        shape = (int(found["shape"][0]), int(found["shape"][1]))
        vectors = csr_matrix(tuple(found[name] for name in _CSR), shape=shape)
        exemplars = Exemplars(vectors, *(found[name] for name in _SEEN))  # type: ignore[arg-type]
        packed = {name: arrays[name] for name in _PACKED}
        return cls(names=names, exemplars=exemplars, **packed)  # type: ignore[arg-type]


_PACKED = ("windows", "first_ns", "last_ns", "edges", "features", "quantiles", "exemplar_edges")
_SEEN = ("t_start_ns", "t_end_ns", "pid", "n_events")
_CSR = ("data", "indices", "indptr")
