"""A trained model: programs, their baselines, detectors, calibration and the alert budget."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack

from oddcall.models.baseline import Contributions, Profiles, ProgramState
from oddcall.models.budget import again, past_counting
from oddcall.models.calibration import Calibration, Evidences
from oddcall.models.detector import Detector, Evidence
from oddcall.models.detectors import DETECTORS
from oddcall.models.errors import BundleError
from oddcall.models.features import FeatureSpec, FloatArray
from oddcall.models.scoring import scores, sharing
from oddcall.models.sparse import IntArray
from oddcall.models.standing import Standing, Standings, dropped_in
from oddcall.models.tolerance import Span, Tolerances
from oddcall.models.verdict import LEVELS, Verdicts
from oddcall.models.weighed import Weighed
from oddcall.models.window import Program, WindowBatch

#: Parts of the state that follow from the budget.
_BUDGETED = {
    "budget_per_day",
    "expected_alerts_per_day",
    "threshold",
    "sequence_threshold",
    "warnings",
}
#: Of what ``state`` returns.
STATE_VERSION = 3


@dataclass(frozen=True, eq=False)
class Model:
    """Judges batches. Pure: judging and explaining change nothing, here or elsewhere.

    Attributes
    ----------
    spec : FeatureSpec
    programs : tuple of ProgramState
        Every program seen in training.
    profiles : Profiles
        ``profiles[i]`` is the Baseline with that number.
    detectors : tuple of Detector
    calibration : Calibration
    budget_per_day : float
        Alerts a day the user is willing to see from this host.
    expected_alerts_per_day : float
        What training promises, in episodes: the budget or less.
    threshold : float
        p-value at or below which a window alerts.
    sequence_threshold : float
        p-value at or below which evidence summed over windows does.
    warnings : tuple of str
        Where a baseline is too small to promise anything, one sentence each.
    metadata : dict of str
        Provenance: host, span, versions, settings.
    tolerances : Tolerances
        What people have said since: laid over what was learned, and no part of ``state`` or
        ``id``.
    """

    spec: FeatureSpec
    programs: tuple[ProgramState, ...]
    profiles: Profiles
    detectors: tuple[Detector, ...]
    calibration: Calibration
    budget_per_day: float
    expected_alerts_per_day: float
    threshold: float
    sequence_threshold: float
    warnings: tuple[str, ...]
    metadata: dict[str, str]
    tolerances: Tolerances = field(default_factory=Tolerances)

    @cached_property
    def id(self) -> str:
        """Sixteen hexadecimal digits that name exactly what was learned, under any budget."""
        manifest, arrays = self.state()
        learned = {name: part for name, part in manifest.items() if name not in _BUDGETED}
        learned["programs"] = [
            {name: part for name, part in known.items() if name not in _BUDGETED}
            for known in manifest["programs"]
        ]
        digest = hashlib.sha256(json.dumps(learned, sort_keys=True).encode())
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()[:16]

    def for_budget(self, per_day: float) -> Self:
        """Build the same under another budget: what was learned and calibrated stays.

        Parameters
        ----------
        per_day : float
            Alerts a day, above zero.
        """
        spent = (self.threshold, self.sequence_threshold, self.expected_alerts_per_day)
        threshold, sequence, expected = again(per_day, self.budget_per_day, spent)
        factor = expected / max(self.expected_alerts_per_day, 1e-300)
        programs = tuple(
            replace(known, expected_alerts_per_day=known.expected_alerts_per_day * factor)
            for known in self.programs
        )
        own = (known.profile for known in self.programs if known.level == "program")
        effective, group = self.calibration.total.effective, self.calibration.group
        most = max((float(effective[group[profile]]) for profile in own), default=0.0)
        before = past_counting(self.threshold, most)
        kept = (text for text in self.warnings if text not in before)
        return replace(
            self,
            programs=programs,
            budget_per_day=per_day,
            expected_alerts_per_day=expected,
            threshold=threshold,
            sequence_threshold=sequence,
            warnings=(*kept, *past_counting(threshold, most)),
        )

    def judge(self, batch: WindowBatch) -> Verdicts:
        """Judge every window of a batch by itself, in its order."""
        return self.verdicts(batch, self.weigh(batch))

    def weigh(self, batch: WindowBatch) -> Weighed:
        """Score the windows of a batch that have a baseline."""
        profile, level, ready = self._standing.columns(batch)
        rows = np.flatnonzero(profile >= 0)
        judged = batch if len(rows) == len(batch) else batch.take(rows)
        found, views, at = self._tolerant(judged, profile[rows])
        tolerated = np.zeros(len(rows), np.bool_)
        tolerated[at] = True
        return Weighed(profile, level, ready, rows, views["novelty"], tolerated, found)

    def verdicts(self, batch: WindowBatch, weighed: Weighed) -> Verdicts:
        """Hold what was weighed against the budget."""
        n, rows, found = len(batch), weighed.rows, weighed.found
        score, p_value = np.zeros(n), np.ones(n)
        extrapolated = np.zeros(n, np.bool_)
        score[rows], p_value[rows] = found.score, found.p_value
        extrapolated[rows] = found.extrapolated
        by_detector = {detector.name: np.ones(n) for detector in self.detectors}
        for name, p in found.detectors.items():
            by_detector[name][rows] = p
        return Verdicts(
            score=score,
            p_value=p_value,
            threshold=self.threshold,
            alert=weighed.ready & (p_value <= self.threshold),
            extrapolated=extrapolated,
            level=weighed.level,
            ready=weighed.ready,
            profile=weighed.profile,
            detectors=by_detector,
            onset_ns=batch.t_start_ns,
        )

    def standing(self, program: Program) -> Standing:
        """How a program's windows are judged; ``"unknown"`` for one never met."""
        return self._standing.of(program)

    def forgetting(self, program: Program) -> list[Span]:
        """Spans in which a program is not judged, as people asked to forget its baseline."""
        return self._standing.forgetting(program)

    @property
    def restored(self) -> dict[Program, int]:
        """Programs to be learned again, as they were forgotten, which was undone then, UTC."""
        return self._standing.restored

    def profile_for(self, batch: WindowBatch) -> tuple[IntArray, NDArray[np.str_]]:
        """Profile that judges each window, (n,), -1 for none, and its level, (n,)."""
        profile, level, _ = self._standing.columns(batch)
        return profile, level

    def contributions(
        self, batch: WindowBatch, row: int, *, news_only: bool = False
    ) -> Contributions:
        """Say which features drove the verdict on one window: all that did, largest first.

        For an unknown program there is no baseline to differ from, and nothing is listed.

        Parameters
        ----------
        news_only : bool, default False
            Leave known behaviour in other proportions out, as sums over windows do.
        """
        one = batch.take(np.array([row]))
        vector = self.spec.vectors(one)
        profile = self.standing(one.programs[one.program[0]]).profile
        mixture, novelty = np.zeros(self.spec.width), np.zeros(self.spec.width)
        share, usual = np.zeros(self.spec.width), np.zeros(0, np.int64)
        if profile >= 0:
            found, views, _ = self._tolerant(one, np.array([profile], np.int64))
            mixture, novelty = self._parts(views, profile)
            mixture *= not news_only
            share = self._shares(found, mixture, novelty)
            usual = np.setdiff1d(vector.indices, self._news(views, profile)).astype(np.int64)
        features = np.argsort(-share, kind="stable")[: np.count_nonzero(share)].astype(np.int64)
        observed = vector.toarray()[0][features]
        typical, most = np.zeros((0, 3), np.float32), np.zeros(len(features), np.int64)
        if profile >= 0:
            typical = self.profiles[profile].typical(features)
            for detector in self.detectors:
                if hasattr(detector, "most"):
                    most = np.maximum(most, detector.most(features, profile))
        return Contributions(
            features,
            observed,
            typical,
            (novelty[features] > 0) & (most == 0),
            mixture[features],
            novelty[features],
            most,
            share[features],
            usual,
        )

    def _news(self, views: dict[Evidence, csr_matrix], profile: int) -> IntArray:
        """Columns of one window that no detector of news has seen."""
        news = [np.zeros(0, np.int64)]
        for detector in self.detectors:
            if hasattr(detector, "new"):
                vector = views[detector.evidence]
                news.append(vector.indices[detector.new(vector, np.array([profile], np.int64))])
        return np.concatenate(news)

    def unseen(self, batch: WindowBatch) -> IntArray:
        """Columns of symbols that a batch holds and baselines never saw, or never so much of."""
        profile, _, _ = self._standing.columns(batch)
        vectors, found = self.spec.vectors(batch), [np.zeros(0, np.int64)]
        look = [d.unseen for d in self.detectors if hasattr(d, "unseen")]
        for row in np.flatnonzero(profile >= 0).tolist():
            found += [unseen(vectors[row], int(profile[row])) for unseen in look]
        return np.unique(np.concatenate(found)).astype(np.int64)

    def _tolerant(
        self, batch: WindowBatch, profile: IntArray
    ) -> tuple[Evidences, dict[Evidence, csr_matrix], IntArray]:
        """Evidence of windows with a baseline, the vectors of each kind, and rows tolerated.

        Where people have said that something is normal, novelty does not see its symbols, and
        the mixture is the kinder of the window as it is and as it is beside what is tolerated.
        """
        vectors = self.spec.vectors(batch)
        views: dict[Evidence, csr_matrix] = {"mixture": vectors, "novelty": vectors}
        found = self._evidences(views, profile)
        if not self.tolerances.tolerated:
            return found, views, np.zeros(0, np.int64)
        at, freed, beside = self.tolerances.views(batch, vectors, profile, self.profiles)
        if not len(at):
            return found, views, at
        plain = self._evidences({"mixture": vectors[at], "novelty": freed}, profile[at])
        kinder = self._evidences({"mixture": beside, "novelty": freed}, profile[at])
        kind = np.flatnonzero(kinder.mixture > plain.mixture)
        found = found.replaced(at, plain.replaced(kind, kinder.take(kind)))
        views["mixture"] = _with_rows(vectors, at[kind], beside[kind])
        views["novelty"] = _with_rows(vectors, at, freed)
        return found, views, at

    def evidence_of(self, vectors: csr_matrix, profile: IntArray) -> Evidences:
        """Score vectors, (n, D), each under its profile, and calibrate; no tolerances."""
        return self._evidences({"mixture": vectors, "novelty": vectors}, profile)

    def _evidences(self, views: dict[Evidence, csr_matrix], profile: IntArray) -> Evidences:
        return self.calibration.evidences(scores(self.detectors, views, profile), profile)

    def _parts(
        self, views: dict[Evidence, csr_matrix], profile: int
    ) -> tuple[FloatArray, FloatArray]:
        """Each feature's part of the mixture's distance and of the novelty, (D,) both."""
        parts = {"mixture": np.zeros(self.spec.width), "novelty": np.zeros(self.spec.width)}
        for detector in self.detectors:
            explain = getattr(detector, "contributions", None)
            if explain is not None:
                found = explain(views[detector.evidence], profile)
                parts[detector.evidence] += np.maximum(found, 0.0)
        return parts["mixture"], parts["novelty"]

    def _shares(self, found: Evidences, mixture: FloatArray, novelty: FloatArray) -> FloatArray:
        """Weigh each kind's parts by the nats that kind brought."""
        mixed = float(-np.log(found.mixture[0]))
        novel = sum(
            float(-np.log(found.detectors[detector.name][0]))
            for detector in self.detectors
            if detector.evidence == "novelty"
        )
        share = mixed * mixture / max(mixture.sum(), 1e-12)
        share += novel * novelty / max(novelty.sum(), 1e-12)
        shares: FloatArray = share / max(share.sum(), 1e-12)
        return shares

    @cached_property
    def _standing(self) -> Standings:
        dropped = dropped_in(self.metadata)
        return Standings(self.programs, self.calibration.ready, self.tolerances, dropped)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Everything, as a JSON manifest and plain arrays (no object arrays), for a bundle."""
        arrays: dict[str, np.ndarray] = {}
        for detector in self.detectors:
            found = detector.state().items()
            arrays |= {f"detector/{detector.name}/{key}": value for key, value in found}
        arrays |= {f"calibration/{k}": v for k, v in self.calibration.state().items()}
        arrays |= {f"profiles/{k}": v for k, v in self.profiles.arrays().items()}
        manifest = {
            "state_version": STATE_VERSION,
            "features": {**self.spec.description, "hash": self.spec.hash},
            "programs": [known.as_dict() for known in self.programs],
            "profiles": list(self.profiles.names),
            "detectors": [detector.name for detector in self.detectors],
            "budget_per_day": self.budget_per_day,
            "expected_alerts_per_day": self.expected_alerts_per_day,
            "threshold": self.threshold,
            "sequence_threshold": self.sequence_threshold,
            "warnings": list(self.warnings),
            "metadata": dict(self.metadata),
        }
        return manifest, arrays

    @classmethod
    def from_state(cls, manifest: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Build the model that ``state`` was taken from.

        Raises
        ------
        BundleError
            When it is of another version, of other features, or lacks a part.
        """
        spec = FeatureSpec()
        _require("the model's version", STATE_VERSION, manifest.get("state_version"))
        _require("the model's features", spec.hash, manifest.get("features", {}).get("hash"))
        try:
            detectors = sharing(
                tuple(
                    DETECTORS[name].from_state(_under(arrays, f"detector/{name}/"))
                    for name in manifest["detectors"]
                )
            )
            return cls(
                spec,
                tuple(_program_state(entry) for entry in manifest["programs"]),
                Profiles.from_arrays(tuple(manifest["profiles"]), _under(arrays, "profiles/")),
                detectors,
                Calibration.from_state(
                    _under(arrays, "calibration/"), {d.name: d.evidence for d in detectors}
                ),
                float(manifest["budget_per_day"]),
                float(manifest["expected_alerts_per_day"]),
                float(manifest["threshold"]),
                float(manifest["sequence_threshold"]),
                tuple(manifest["warnings"]),
                dict(manifest["metadata"]),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise BundleError(
                "the model lacks a part or holds one that does not fit",
                expected=f"a model of version {STATE_VERSION}",
                got=f"{type(error).__name__}: {error}",
                fix="Train it again with `oddcall train`.",
            ) from error


def _with_rows(vectors: csr_matrix, rows: IntArray, others: csr_matrix) -> csr_matrix:
    """Put other rows in the place of some."""
    place = np.arange(vectors.shape[0])
    place[rows] = vectors.shape[0] + np.arange(len(rows))
    return vstack([vectors, others], format="csr")[place]


def _under(arrays: dict[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    return {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}


def _program_state(entry: dict[str, Any]) -> ProgramState:
    level = entry["level"]
    if level not in LEVELS:
        raise ValueError(f"level {level}")
    return ProgramState(**{**entry, "program": Program(**entry["program"])})


def _require(what: str, expected: object, got: object) -> None:
    if expected != got:
        raise BundleError(
            f"{what} cannot be used here",
            expected=str(expected),
            got=str(got),
            fix="Train a model with this version of oddcall.",
        )
