"""What baselines learned while watching, apart from the model that they began as.

A restart, and a training that takes newcomers in, begin from lessons that are days old; what was
followed since is carried over to every program whose lesson is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from oddcall.models.baseline import ProgramState
from oddcall.models.detectors import Novelty, PcaResidual
from oddcall.models.features import FeatureSpec, FloatArray
from oddcall.models.model import Model
from oddcall.models.projection import Subspaces
from oddcall.models.sparse import IntArray
from oddcall.models.window import Program

_SPEC = FeatureSpec()
#: From a profile to the day that it learned in last, and way and symbols learned in that.
Spent = Callable[[int], tuple[int, float, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What one program's baseline learned since its lesson.

    Attributes
    ----------
    program : Program
    first_ns, last_ns : int
        Of the lesson, UTC: what was learned holds for a baseline of that lesson only.
    features : str
        Hash of the feature set its columns belong to.
    columns : int64 (k,)
        Features that its mean moved in, increasing.
    way : float64 (k,)
        How far in each.
    symbols : int64 (s,)
        Columns of what became known.
    day, way_of_day, symbols_of_day : int, float, int
        Day (since 1970) that it learned in last, and how much of that day's bounds is spent.
    """

    program: Program
    first_ns: int
    last_ns: int
    features: str
    columns: IntArray
    way: FloatArray
    symbols: IntArray
    day: int
    way_of_day: float
    symbols_of_day: int

    def as_dict(self) -> dict[str, Any]:
        """Give everything as JSON; the numbers come back as they were."""
        return {
            "program": asdict(self.program),
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
            "features": self.features,
            "columns": self.columns.tolist(),
            "way": self.way.tolist(),
            "symbols": self.symbols.tolist(),
            "day": self.day,
            "way_of_day": self.way_of_day,
            "symbols_of_day": self.symbols_of_day,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Build what ``as_dict`` was taken from; raises ValueError where it does not fit."""
        try:
            columns, symbols = (np.array(told[name], np.int64) for name in ("columns", "symbols"))
            way = np.array(told["way"], np.float64)
            found = cls(
                Program(**told["program"]),
                int(told["first_ns"]),
                int(told["last_ns"]),
                str(told["features"]),
                columns,
                way,
                symbols,
                int(told["day"]),
                float(told["way_of_day"]),
                int(told["symbols_of_day"]),
            )
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"nothing learned: {error!r}") from error
        placed = np.concatenate([columns.ravel(), symbols.ravel()])
        if len(placed) and not 0 <= placed.min() <= placed.max() < _SPEC.width:
            raise ValueError("nothing learned: columns that no feature has")
        if columns.ndim != 1 or symbols.ndim != 1 or way.shape != columns.shape:
            raise ValueError("nothing learned: its numbers do not fit each other")
        if not np.isfinite([*way, found.way_of_day]).all():
            raise ValueError("nothing learned: a way without end")
        return found


def learned_since(trained: Model, now: Model, spent: Spent) -> list[Learned]:
    """Say what the second model, which began as the first, has learned.

    ``spent`` gives of a profile the day that it learned in last, and how much in that.
    """
    before, after = _spaces(trained), _spaces(now)
    known, knows = _seen(trained), _seen(now)
    if before is None or after is None or known is None or knows is None:
        return []
    found = []
    for program in _own(trained):
        i = program.profile
        here = slice(int(before.edges[i]), int(before.edges[i + 1]))
        way = after.mean[here].astype(np.float64) - before.mean[here]
        moved = np.flatnonzero(way)
        symbols = np.flatnonzero(np.unpackbits(knows[i] & ~known[i])).astype(np.int64)
        if len(moved) or len(symbols):
            columns = before.features[here][moved].astype(np.int64)
            lesson = (program.program, program.first_ns, program.last_ns, trained.spec.hash)
            found.append(Learned(*lesson, columns, way[moved], symbols, *spent(i)))
    return found


def fitting(model: Model, learned: Sequence[Learned]) -> list[tuple[int, Learned]]:
    """Profiles of a model whose lesson is that of something learned, with it."""
    lessons = {
        (one.program, one.first_ns, one.last_ns): one
        for one in learned
        if one.features == model.spec.hash
    }
    found = [
        (known.profile, lessons.get((known.program, known.first_ns, known.last_ns)))
        for known in _own(model)
    ]
    return [(profile, one) for profile, one in found if one]


def having_learned(model: Model, learned: Sequence[Learned]) -> Model:
    """Build the same model with what was learned since, where its lessons are the same."""
    spaces, matched = _spaces(model), fitting(model, learned)
    if spaces is None or not matched:
        return model
    mean, symbols = spaces.mean.copy(), []
    for i, one in matched:
        here = slice(int(spaces.edges[i]), int(spaces.edges[i + 1]))
        _, at, of = np.intersect1d(spaces.features[here], one.columns, return_indices=True)
        mean[here][at] += one.way[of].astype(np.float32)
        symbols += [(i, column) for column in one.symbols.tolist()]
    return taught(model, spaces.moved(mean), symbols)


def taught(model: Model, spaces: Subspaces | None, symbols: list[tuple[int, int]]) -> Model:
    """Build the same model about means that have moved, and knowing (profile, column) symbols."""
    detectors = model.detectors
    if spaces is not None:
        detectors = tuple(d.about(spaces) if hasattr(d, "about") else d for d in detectors)
    if symbols:
        detectors = tuple(d.known(symbols) if isinstance(d, Novelty) else d for d in detectors)
    return replace(model, detectors=detectors)


def _own(model: Model) -> Iterator[ProgramState]:
    return (known for known in model.programs if known.level == "program")


def _spaces(model: Model) -> Subspaces | None:
    return next((d.subspaces for d in model.detectors if isinstance(d, PcaResidual)), None)


def _seen(model: Model) -> NDArray[np.uint8] | None:
    return next((d.seen for d in model.detectors if isinstance(d, Novelty)), None)
