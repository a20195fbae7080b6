"""Why a window was judged odd: a sentence, the features behind it, and its like in the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from oddcall.models.baseline import Baseline
from oddcall.models.explanation import sentence
from oddcall.models.explanation.comparison import observe
from oddcall.models.explanation.hints import Hint, hints
from oddcall.models.explanation.observation import Call, Observation, Scalar, Transition, Typical
from oddcall.models.explanation.sentence import Part
from oddcall.models.verdict import Verdicts
from oddcall.models.window import WindowBatch

if TYPE_CHECKING:
    from oddcall.models.model import Model

#: Features shown with an alert.
TOP = 8
#: Part of the verdict below which a feature is left out, and one that lies within what is usual.
_LITTLE, _LITTLE_WITHIN = 0.01, 0.05
#: The strongest are shown whatever they weigh: by these one behaviour is told from another.
_STRONGEST = 3
#: Windows of the baseline shown with it.
NEAREST = 3
#: How far windows are from each other that share neither a call nor a step between two: sqrt(2)
#: for each, squared and added. Failing calls and numbers about the window add a little.
NOTHING_SHARED = 2.0

_SCALARS = {
    "events": "calls in the window",
    "rate": "calls a second",
    "distinct": "kinds of call",
    "entropy": "entropy of calls (bits)",
    "error_share": "failing calls (share)",
    "forks": "processes begun",
    "execs": "programs begun",
}


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature that drove the verdict, observed against typical.

    Attributes
    ----------
    feature : str
        Name with its unit: ``"connect (share of calls)"``, ``"calls a second"``.
    observed, q05, q50, q95 : float
        The window's value and the baseline's quantiles, in that unit.
    contribution : float
        Share of the verdict, in [0, 1].
    count : int
        How often in the window; 0 for a number about the whole window.
    """

    feature: str
    observed: float
    q05: float
    q50: float
    q95: float
    contribution: float
    count: int = 0

    @property
    def never_before(self) -> bool:
        """Whether the window has of it, and the baseline had next to none."""
        return self.observed > 0 and self.q95 == 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a person is told of one verdict.

    Attributes
    ----------
    sentence : str
        What the program did, against what.
    top : list of Feature
        At most ``TOP``: what the sentence names, in its order, then the others, the largest
        contribution first; empty without a baseline. Left out is what carries next to nothing,
        but for the strongest three and what the baseline never had.
    nearest_windows : list of dict
        The baseline's windows most like this one, nearest first, as JSON objects: ``start``
        and ``end`` (ISO 8601, UTC), ``pid``, ``events``, ``distance`` (Euclidean, of vectors: 0
        for the same, about ``NOTHING_SHARED`` for nothing in common), and ``usual_distance``,
        how far that window itself is from the nearest other that is kept: of windows of one
        kind both are alike. Null where no other is kept.
    hints : list of Hint
    """

    sentence: str
    top: list[Feature]
    nearest_windows: list[dict[str, Any]]
    hints: list[Hint]


def explain(
    model: Model, batch: WindowBatch, row: int, verdicts: Verdicts, arch: str | None = None
) -> Explanation:
    """Explain the verdict on one window.

    Parameters
    ----------
    model : Model
        The one that gave ``verdicts``.
    row : int
        Which window of ``batch``.
    arch : str, optional
        Architecture that the call numbers are of, as ``uname -m`` says; the model's by default.
    """
    arch = arch or model.metadata.get("arch") or "x86_64"
    name = sentence.who(batch.programs[batch.program[row]], str(batch.container[row]))
    profile = int(verdicts.profile[row])
    if profile < 0:
        return Explanation(sentence.unjudged(name, batch, row, arch), [], [], [])
    baseline = model.profiles[profile]
    level = str(verdicts.level[row])
    summed = row in verdicts.together
    if summed:
        # What led to the alert is told, not only its last window.
        batch, row = verdicts.together[row], 0
    drove = model.contributions(batch, row, news_only=summed)
    seen = observe(model.spec, batch, row, baseline, drove, arch)
    found = hints(seen.calls, level)
    first = {call for hint in found for call in hint.calls}
    said = sentence.judged(name, seen, baseline, level, first)
    return Explanation(
        said.text,
        _top(seen, said.parts),
        _nearest(model, batch, row, baseline),
        found,
    )


def _top(seen: Observation, named: Sequence[Part]) -> list[Feature]:
    """Give the features to show: a sentence goes by meaning, so what it names may weigh little."""
    lead = [_named(part) for part in named]
    features = [feature for call in seen.calls for feature in (_made(call), _failed(call))]
    # Of a step that was not made only the calls that were could give the name.
    features += [_taken(step) for step in seen.transitions if step.count]
    features += [_counted(scalar) for scalar in seen.scalars]
    ranked = sorted(features, key=lambda feature: -feature.contribution)
    others = [f for f in ranked if f.contribution > 0 and f not in lead]
    shown = [*lead, *others][:TOP]
    kept = [*lead, *sorted(shown, key=lambda feature: -feature.contribution)[:_STRONGEST]]
    return [feature for feature in shown if feature in kept or _worth_a_row(feature)]


def _worth_a_row(feature: Feature) -> bool:
    """Tell whether a feature is new, or carries enough of the verdict."""
    if feature.never_before:
        return True
    within = feature.q05 <= feature.observed <= feature.q95
    return feature.contribution >= (_LITTLE_WITHIN if within else _LITTLE)


def _named(part: Part) -> Feature:
    """Give the one feature by which a sentence names something."""
    if isinstance(part, Transition):
        return _taken(part)
    if isinstance(part, Scalar):
        return _counted(part)
    return _failed(part) if part.failing and not part.unusual else _made(part)


def _made(call: Call) -> Feature:
    name, own = f"{call.name} (share of calls)", call.contribution - call.failing_contribution
    return _feature(name, call.share, call.typical, own, call.count)


def _failed(call: Call) -> Feature:
    name, weight = f"failing {call.name} (share of calls)", call.failing_contribution
    return _feature(name, call.failed_share, call.failed_typical, weight, call.failed)


def _taken(step: Transition) -> Feature:
    # What no two calls of the window explain follows one that was made before it began.
    pair = step.pair or ("a call before the window", f"one in it, bucket {step.bucket}")
    name = f"{' then '.join(pair)} (share of transitions)"
    return _feature(name, step.share, step.typical, step.contribution, step.count)


def _counted(scalar: Scalar) -> Feature:
    name = _SCALARS[scalar.name]
    return _feature(name, scalar.observed, scalar.typical, scalar.contribution)


def _feature(
    name: str, observed: float, typical: Typical, contribution: float, count: int = 0
) -> Feature:
    return Feature(name, observed, *typical, contribution, count)


def _nearest(
    model: Model, batch: WindowBatch, row: int, baseline: Baseline
) -> list[dict[str, Any]]:
    kept = baseline.exemplars
    if not len(kept.pid):
        return []
    vector = model.spec.vectors(batch.take(np.array([row])))
    rows, distances = kept.nearest(vector, NEAREST)
    return [
        {
            "start": _iso(int(kept.t_start_ns[i])),
            "end": _iso(int(kept.t_end_ns[i])),
            "pid": int(kept.pid[i]),
            "events": int(kept.n_events[i]),
            "distance": round(float(distance), 4),
            "usual_distance": None if (usual := kept.usual(int(i))) is None else round(usual, 4),
        }
        for i, distance in zip(rows, distances, strict=True)
    ]


def _iso(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return moment.replace(microsecond=time_ns % 1_000_000_000 // 1000).isoformat()
