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

from oddcall.models.adaptation import learnable
from oddcall.models.baseline import ProgramState
from oddcall.models.detectors import Novelty, PcaResidual
from oddcall.models.features import FeatureSpec, FloatArray
from oddcall.models.model import Model
from oddcall.models.projection import Subspaces
from oddcall.models.sparse import IntArray
from oddcall.models.window import Program

_SPEC = FeatureSpec()
#: From a profile to the day that it learned in last, and way and symbols learned in that.
#: and when it alerted last.
Spent = Callable[[int], tuple[int, float, int, int]]
#: Programs that have learned, of which it is kept.
_MOST = 4096
_LAST_DAY = 100_000
#: When who has not alerted did so last.
NEVER_NS = -(10**18)
_NUMBERS = ("first_ns", "last_ns", "day", "way_of_day", "symbols_of_day", "alerted_ns")


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
    alerted_ns : int
        When it alerted last, UTC; ``NEVER_NS`` where it has not.
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
    alerted_ns: int

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
            "alerted_ns": self.alerted_ns,
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Build what ``as_dict`` was taken from; raises ValueError where it does not fit."""
        try:
            program = Program(**told["program"])
            columns, symbols = (_columns(told[name]) for name in ("columns", "symbols"))
            way = np.array(told["way"], np.float64)
            numbers = [told[name] for name in _NUMBERS]
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"nothing learned: {error!r}") from error
        whole = [*numbers[:3], *numbers[4:], program.dev, program.ino]
        texts = (program.exe, program.unit, program.container, told.get("features"))
        first_ns, last_ns, day, way_of_day, symbols_of_day, alerted_ns = numbers
        fits = (
            all(isinstance(text, str) for text in texts)
            and all(type(number) is int and abs(number) < 2**63 for number in whole)
            and isinstance(way_of_day, int | float)
            and way.shape == columns.shape
            # A coordinate of a Hellinger vector lies between 0 and 1.
            and bool((np.abs(way) <= 1).all())
            and 0 <= way_of_day <= 1
            and day < _LAST_DAY
            and symbols_of_day >= 0
        )
        if not fits:
            raise ValueError("nothing learned: its numbers do not fit")
        lesson = (program, first_ns, last_ns, str(told["features"]))
        return cls(*lesson, columns, way, symbols, day, way_of_day, symbols_of_day, alerted_ns)


def newest(learned: Sequence[Learned]) -> list[Learned]:
    """Of too many, keep those that learned last."""
    return sorted(learned, key=lambda one: -one.day)[:_MOST] if len(learned) > _MOST else [*learned]


def learned_since(trained: Model, now: Model, spent: Spent) -> list[Learned]:
    """Say what the second model, which began as the first, has learned.

    ``spent`` gives of a profile the day that it learned in last, how much in that, and when it
    alerted.
    """
    before, after = spaces_of(trained), spaces_of(now)
    novelty, novelty_now = novelty_of(trained), novelty_of(now)
    if before is None or after is None or novelty is None or novelty_now is None:
        return []
    known, knows = novelty.seen, novelty_now.seen
    if known is None or knows is None:
        return []
    found = []
    for program in _own(trained):
        i = program.profile
        here = slice(int(before.edges[i]), int(before.edges[i + 1]))
        way = after.mean[here].astype(np.float64) - before.mean[here]
        moved = np.flatnonzero(way)
        symbols = np.flatnonzero(np.unpackbits(knows[i] & ~known[i])).astype(np.int64)
        told = spent(i)
        if len(moved) or len(symbols) or told[-1] != NEVER_NS:
            columns = before.features[here][moved].astype(np.int64)
            lesson = (program.program, program.first_ns, program.last_ns, trained.spec.hash)
            found.append(Learned(*lesson, columns, way[moved], symbols, *told))
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
    spaces, matched = spaces_of(model), fitting(model, learned)
    if spaces is None or not matched:
        return model
    mean, symbols, may = spaces.mean.copy(), [], _learnable(model)
    for i, one in matched:
        here = slice(int(spaces.edges[i]), int(spaces.edges[i + 1]))
        _, at, of = np.intersect1d(spaces.features[here], one.columns, return_indices=True)
        mean[here][at] += one.way[of].astype(np.float32)
        symbols += [(i, column) for column in one.symbols.tolist() if may[column]]
    return taught(model, spaces.moved(mean), symbols)


def taught(model: Model, spaces: Subspaces | None, symbols: list[tuple[int, int]]) -> Model:
    """Build the same model about means that have moved, and knowing (profile, column) symbols."""
    detectors = model.detectors
    if spaces is not None:
        detectors = tuple(d.about(spaces) if hasattr(d, "about") else d for d in detectors)
    if symbols:
        detectors = tuple(d.known(symbols) if isinstance(d, Novelty) else d for d in detectors)
    return replace(model, detectors=detectors)


def _columns(told: Any) -> IntArray:  # noqa: ANN401  what JSON held
    columns = np.array(told, np.int64).reshape(-1)
    if len(columns) and not (0 <= columns[0] and columns[-1] < _SPEC.width):
        raise ValueError("nothing learned: columns that no feature has")
    if (np.diff(columns) <= 0).any():
        raise ValueError("nothing learned: columns out of order")
    return columns


def _learnable(model: Model) -> NDArray[np.bool_]:
    """Mask of what may become known: a file that says more is not believed."""
    novelty = novelty_of(model)
    return learnable(novelty.weight) if novelty else np.zeros(_SPEC.width, np.bool_)


def _own(model: Model) -> Iterator[ProgramState]:
    return (known for known in model.programs if known.level == "program")


def spaces_of(model: Model) -> Subspaces | None:
    """Give where the windows of a model's profiles lie, or None where it does not look at that."""
    return next((d.subspaces for d in model.detectors if isinstance(d, PcaResidual)), None)


def novelty_of(model: Model) -> Novelty | None:
    """Give what a model's profiles have met, or None where it does not look at that."""
    return next((d for d in model.detectors if isinstance(d, Novelty)), None)
