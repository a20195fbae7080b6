"""One alert as a JSON object of the native schema (``alert.schema.json``).

Everything in it comes from the window, the model and the host, nothing from the
clock: judged again from a recording, the same windows give the same lines.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from oddcall.models.window import Program, WindowBatch
from oddcall.service.alerts.context import Context
from oddcall.service.alerts.severity import Lesson, severity
from oddcall.service.quantities import rounded

if TYPE_CHECKING:
    from oddcall.models.baseline import Baseline
    from oddcall.models.explanation.explanation import Explanation
    from oddcall.models.model import Model
    from oddcall.models.verdict import Verdicts

SCHEMA_VERSION = 1
#: What ids are derived under; another value is another set of ids.
_IDS = uuid.UUID("8d6c2b0e-51c7-5d0a-9a34-0d7c5c0f7a11")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Alert = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sighting:
    """One alerting window, out of its batch: what an alert shows."""

    program: Program
    comm: str
    container: str
    pid: int
    start_time_ns: int
    ppid: int
    uid: int
    start_ns: int
    end_ns: int
    events: int
    observed_s: float
    late_s: float
    lost: int
    lost_keys: int
    identity_complete: bool
    p_value: float
    score: float
    threshold: float
    extrapolated: bool
    level: str
    detectors: dict[str, float]
    baseline_windows: int
    trained_ns: tuple[int, int] | None
    explanation: Explanation

    @property
    def lesson(self) -> Lesson:
        """What its baseline was learned from."""
        first_ns, last_ns = self.trained_ns or (0, 0)
        return Lesson(self.level, self.baseline_windows, (last_ns - first_ns) / 1e9)

    @classmethod
    def of(
        cls,
        batch: WindowBatch,
        row: int,
        verdicts: Verdicts,
        baseline: Baseline | None,
        explanation: Explanation,
    ) -> Sighting:
        """Take row ``row`` out of a batch and its verdicts.

        Of an alert that several windows led to, what counts is all of them as one.
        """
        whole, at = (batch, row)
        if row in verdicts.together:
            whole, at = (verdicts.together[row], 0)
        return cls(
            program=batch.programs[batch.program[row]],
            comm=str(batch.comm[row]),
            container=str(batch.container[row]),
            pid=int(batch.pid[row]),
            start_time_ns=int(batch.start_time_ns[row]),
            ppid=int(batch.ppid[row]),
            uid=int(batch.uid[row]),
            start_ns=int(whole.t_start_ns[at]),
            end_ns=int(whole.t_end_ns[at]),
            events=int(whole.n_events[at]),
            observed_s=float(whole.observed_s[at]),
            late_s=float(whole.late_s[at]),
            lost=int(whole.lost[at]),
            lost_keys=int(whole.lost_keys[at]),
            identity_complete=bool(batch.identity_complete[row]),
            p_value=float(verdicts.p_value[row]),
            score=float(verdicts.score[row]),
            threshold=float(verdicts.threshold),
            extrapolated=bool(verdicts.extrapolated[row]),
            level=str(verdicts.level[row]),
            detectors={name: float(p[row]) for name, p in verdicts.detectors.items()},
            baseline_windows=baseline.windows if baseline else 0,
            trained_ns=(baseline.first_ns, baseline.last_ns) if baseline else None,
            explanation=explanation,
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an episode stands when a line of it is written."""

    state: str
    episode_id: str
    time_ns: int
    onset_ns: int
    windows: int
    worst: Sighting
    suppressed: int
    returns: int
    news: tuple[str, ...] = ()
    severity_before: str | None = None


def alert_id(host: Mapping[str, str], model: str, seen: Sighting, state: str) -> str:
    """Derive an id from what the line is about: judging the same window again gives it again."""
    window = (seen.pid, seen.start_time_ns, seen.program.exe, seen.start_ns, seen.end_ns)
    about = (host["id"], host["boot_id"], model, *window, state)
    return str(uuid.uuid5(_IDS, "\0".join(map(str, about))))


def build(
    seen: Sighting,
    standing: Standing,
    host: Mapping[str, str],
    model: Model,
    context: Context,
) -> Alert:
    """Lay one line of an episode out in the native schema."""
    worst = standing.worst
    grade, limit = severity(
        worst.p_value, seen.threshold, model.budget_per_day, standing.windows, worst.lesson
    )
    return {
        "schema_version": SCHEMA_VERSION,
        "id": alert_id(host, model.id, seen, standing.state),
        "episode_id": standing.episode_id,
        "state": standing.state,
        "time": iso(standing.time_ns),
        "severity": grade,
        "host": {key: host.get(key, "") for key in ("name", "id", "boot_id", "kernel", "arch")},
        "program": {
            "exe": seen.program.exe,
            "comm": seen.comm,
            "container": seen.container or None,
            "unit": seen.program.unit or None,
        },
        "workload": context.workload,
        "process": {
            "pid": seen.pid,
            "start_time": seen.start_time_ns,
            "ppid": seen.ppid,
            "parent": context.parent,
            "uid": seen.uid,
            "cmdline": context.cmdline,
        },
        "window": {"start": iso(seen.start_ns), "end": iso(seen.end_ns), "events": seen.events},
        "coverage": _coverage(seen),
        "score": _score(seen, model.budget_per_day),
        "baseline": {**_baseline(seen, model), "severity_limit": limit or None},
        "explanation": _explanation(seen, standing),
        "attack_hints": [
            {"technique": hint.technique, "why": hint.why} for hint in seen.explanation.hints
        ],
        "suppressed_since_last": standing.suppressed,
        "returns": standing.returns,
        "news": list(standing.news),
        "severity_before": standing.severity_before,
    }


def to_json(alert: Alert) -> str:
    """Write an alert on one line, in ASCII, so that no name in it can break the line."""
    return json.dumps(alert, separators=(",", ":"), allow_nan=False)


def tells_more(alert: Alert) -> bool:
    """Whether whoever read the earlier lines of an alert must read this one, too.

    It shows another kind of behaviour, or is graver. Lines of earlier versions do not say.
    """
    return bool(alert.get("news") or alert.get("severity_before"))


def anew(alert: Alert) -> str:
    """Say what an update tells that no earlier line of its alert did; empty where nothing."""
    named, before = alert.get("news"), alert.get("severity_before")
    said = [f"{', '.join(named)}, which no earlier line of this alert names"] if named else []
    said += [f"graver: {before} before"] if before else []
    return "; ".join(said)


def short(id_: str) -> str:
    """Cut an id to what a person types; unique among a few thousand."""
    return id_[:8]


def iso(time_ns: int) -> str:
    """Write a UTC time with microseconds."""
    moment = _EPOCH + timedelta(microseconds=time_ns // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _coverage(seen: Sighting) -> Alert:
    return {
        "observed_s": _round(seen.observed_s),
        "late_s": _round(seen.late_s),
        "lost": seen.lost,
        "lost_keys": seen.lost_keys,
        "identity_complete": seen.identity_complete,
    }


def _score(seen: Sighting, budget_per_day: float) -> Alert:
    return {
        "p_value": _round(seen.p_value),
        "score": _round(seen.score),
        "threshold": _round(seen.threshold),
        "budget_per_day": _round(budget_per_day),
        "extrapolated": seen.extrapolated,
        "detectors": {name: _round(p) for name, p in sorted(seen.detectors.items())},
    }


def _baseline(seen: Sighting, model: Model) -> Alert:
    span = seen.trained_ns
    return {
        "level": seen.level,
        "windows": seen.baseline_windows,
        "trained_span": {"start": iso(span[0]), "end": iso(span[1])} if span else None,
        "model_id": model.id,
    }


def _explanation(seen: Sighting, standing: Standing) -> Alert:
    said = seen.explanation
    return {
        "sentence": said.sentence,
        "top": [
            {
                "feature": feature.feature,
                "observed": _round(feature.observed),
                "typical": {q: _round(getattr(feature, q)) for q in ("q05", "q50", "q95")},
                "contribution": _round(feature.contribution),
            }
            for feature in said.top
        ],
        "onset": iso(standing.onset_ns),
        "nearest_windows": list(said.nearest_windows),
    }


def _round(value: float) -> float:
    """Round as is told of; JSON has no number that is none."""
    return rounded(float(np.nan_to_num(value)))
