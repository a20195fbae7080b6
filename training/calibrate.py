"""Calibrate detectors on windows later than those learned from, and by transfer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from oddcall.models.calibration import Calibration
from oddcall.models.detector import Detector, Prior
from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.division import Division, learn
from oddcall.training.pools import Pool, folds, transfers

#: Programs needed before one program's history says anything about another's.
PROGRAMS_FOR_TRANSFER = 8

Scores = dict[str, FloatArray]
Told = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Later:
    """Scores of windows that their profile did not learn from.

    Attributes
    ----------
    rows : int64 (n,)
        Rows of ``Gathered``.
    profile : int64 (n,)
        Profile each was scored against.
    scores : dict of str to float64 (n,)
    """

    rows: IntArray
    profile: IntArray
    scores: Scores


def later_scores(division: Division, detectors: tuple[Detector, ...]) -> Later:
    """Score the later part of every program of its own against its earlier part."""
    return _scored(division, detectors, [division.later(int(p)) for p in division.own])


def calibrate(
    division: Division,
    detectors: tuple[Detector, ...],
    later: Later,
    components: int,
    seed: int,
    told: Told,
) -> Calibration:
    """Tails of every program of its own, then one by transfer to neighbours and to the host."""
    count = len(division.own)
    parts = [later]
    effective = [*np.bincount(later.profile, minlength=count).astype(np.float64), 0.0, 0.0]
    if count >= PROGRAMS_FOR_TRANSFER:
        told("calibrating small programs by their neighbours", 0.7)
        pools, judged = transfers(division.gathered, division.own, division.near)
        rows = division.some_later(judged)
        parts.append(_transferred(division, pools, rows, count, components, seed))
        told("calibrating the host's baseline", 0.8)
        pools, left_out = folds(division.gathered, division.own)
        rows = [np.concatenate(division.some_later(part)) for part in left_out]
        parts.append(_transferred(division, pools, rows, count + 1, components, seed))
        effective[-2:] = [float(len(judged)), float(count)]
    scores = {
        detector.name: np.concatenate([part.scores[detector.name] for part in parts])
        for detector in detectors
    }
    group = np.concatenate(
        [np.arange(count), np.full(len(division.centres), count), [count + 1]]
    ).astype(np.int64)
    return Calibration.fit(
        scores,
        {detector.name: detector.evidence for detector in detectors},
        _priors(detectors, later),
        np.concatenate([part.profile for part in parts]),
        group,
        np.array(effective),
    )


def _scored(division: Division, detectors: tuple[Detector, ...], rows: list[IntArray]) -> Later:
    """Score the i-th rows against profile i."""
    profile = np.repeat(np.arange(len(rows)), [len(part) for part in rows])
    chosen = np.concatenate(rows)
    vectors = division.gathered.vectors[chosen]
    scores = {detector.name: detector.score(vectors, profile) for detector in detectors}
    return Later(chosen, profile, scores)


def _transferred(
    division: Division,
    pools: list[Pool],
    rows: list[IntArray],
    tail: int,
    components: int,
    seed: int,
) -> Later:
    """Score the i-th rows against a pool that never saw their program, all for one tail."""
    found = _scored(division, learn(division.gathered, pools, components, seed), rows)
    return Later(found.rows, np.full(len(found.rows), tail), found.scores)


def _priors(detectors: tuple[Detector, ...], later: Later) -> dict[str, Prior]:
    """Priors, that of novelty drawn towards how large novelty is on this host when it is clean.

    One program's later part rarely holds more than a few windows with anything new; the whole
    host's do, and rare paths are alike across programs. The middle program speaks for the host:
    one that changed its ways during the recording must not blunt all others.
    """
    priors = {}
    for detector in detectors:
        prior = detector.prior
        if detector.evidence == "novelty":
            score = later.scores[detector.name]
            sizes = [
                score[(later.profile == i) & (score > 0)].mean()
                for i in np.unique(later.profile[score > 0])
            ]
            typical = float(np.median(sizes)) if sizes else prior.scale
            heard = prior.weight + len(sizes)
            scale = (prior.weight * prior.scale + len(sizes) * typical) / heard
            prior = replace(prior, scale=scale)
        priors[detector.name] = prior
    return priors
