"""Why a window was judged odd: a sentence, the features behind it, and its like in the baseline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from oddcall.models.baseline import Baseline
from oddcall.models.explanation import sentence
from oddcall.models.explanation.comparison import observe
from oddcall.models.explanation.hints import Hint, hints
from oddcall.models.explanation.observation import Call, Observation, Typical
from oddcall.models.verdict import Verdicts
from oddcall.models.window import WindowBatch

if TYPE_CHECKING:
    from oddcall.models.model import Model

#: Features shown with an alert.
TOP = 8
#: Windows of the baseline shown with it.
NEAREST = 3

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


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a person is told of one verdict.

    Attributes
    ----------
    sentence : str
        What the program did, against what.
    top : list of Feature
        At most ``TOP``, the largest contribution first; empty without a baseline.
    nearest_windows : list of dict
        The baseline's windows most like this one, nearest first, as JSON objects: ``start``
        and ``end`` (ISO 8601, UTC), ``pid``, ``events``, ``distance`` (Euclidean, of vectors).
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
    return Explanation(
        sentence.judged(name, seen, baseline, level, first),
        _top(seen),
        _nearest(model, batch, row, baseline),
        found,
    )


def _top(seen: Observation) -> list[Feature]:
    features = [feature for call in seen.calls for feature in _of_call(call)]
    for part in seen.transitions:
        if not part.count:  # a step that was not made: only the calls that were can name one
            continue
        pair = " then ".join(part.pair) if part.pair else f"transition {part.bucket}"
        name = f"{pair} (share of transitions)"
        features.append(_feature(name, part.share, part.typical, part.contribution, part.count))
    for scalar in seen.scalars:
        name = _SCALARS[scalar.name]
        features.append(_feature(name, scalar.observed, scalar.typical, scalar.contribution))
    ranked = sorted(features, key=lambda feature: -feature.contribution)
    return [feature for feature in ranked[:TOP] if feature.contribution > 0]


def _of_call(call: Call) -> list[Feature]:
    """Give a call's own share, and that of its failures where they carry part of the verdict."""
    failing = call.failing_contribution
    own = call.contribution - failing
    made = _feature(f"{call.name} (share of calls)", call.share, call.typical, own, call.count)
    if not failing:
        return [made]
    name = f"failing {call.name} (share of calls)"
    failed = _feature(name, call.failed_share, call.failed_typical, failing, call.failed)
    return [made, failed]


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
        }
        for i, distance in zip(rows, distances, strict=True)
    ]


def _iso(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    return moment.replace(microsecond=time_ns % 1_000_000_000 // 1000).isoformat()
