"""Calibrate detectors on windows later than those learned from, and by transfer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from oddcall.models.calibration import Calibration
from oddcall.models.detector import Detector, Prior
from oddcall.models.detectors import Novelty
from oddcall.models.features import FloatArray
from oddcall.models.sequence import News
from oddcall.models.sparse import IntArray
from oddcall.training.division import Division
from oddcall.training.independence import independent_of_each
from oddcall.training.pools import Pool, transfers
from oddcall.training.reservoir import TICK_NS

#: Programs needed before one program's history says anything about another's.
PROGRAMS_FOR_TRANSFER = 8

Scores = dict[str, FloatArray]
Told = Callable[[str, float], None]
Teach = Callable[[list[Pool]], tuple[Detector, ...]]


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
    sums : float64 (n,)
        News of the program added up, falling within a profile; empty where none were summed.
    """

    rows: IntArray
    profile: IntArray
    scores: Scores
    sums: FloatArray


def later_scores(division: Division, detectors: tuple[Detector, ...]) -> Later:
    """Score the later part of every program of its own against its earlier part."""
    found = _scored(division, detectors, [division.later(int(p)) for p in division.own])
    return replace(found, sums=_sums(division, detectors, found.profile))


def calibrate(
    division: Division,
    detectors: tuple[Detector, ...],
    later: Later,
    teach: Teach,
    told: Told,
) -> Calibration:
    """Tails of every program of its own, then one that all pools share, by transfer."""
    count = len(division.own)
    parts = [later]
    own = np.bincount(later.profile, minlength=count).astype(np.float64)
    effective = [*own, 0.0]
    if count >= PROGRAMS_FOR_TRANSFER:
        told("calibrating small programs by their neighbours", 0.7)
        pools, judged = transfers(division.gathered, division.own, division.near)
        rows = division.some_later(judged)
        parts.append(_transferred(division, teach(pools), rows, count))
        effective[-1] = float(len(judged))
    scores = {
        detector.name: np.concatenate([part.scores[detector.name] for part in parts])
        for detector in detectors
    }
    group = np.concatenate([np.arange(count), np.full(len(division.centres), count)])
    tail = np.concatenate([part.profile for part in parts])
    priors = _priors(detectors, later)
    kinds = {detector.name: detector.evidence for detector in detectors}
    calibrated = partial(Calibration.fit, scores, kinds, priors, tail, group)
    # How windows hang together is seen in their scores, so these come first.
    found = calibrated(np.array(effective)).evidences(later.scores, later.profile)
    own = independent_of_each(found.score, later.profile, count)
    effective[:count] = own
    return calibrated(np.array(effective)).with_sequence(
        later.sums, later.profile, priors[Novelty.name], np.append(own, 0.0)
    )


def _sums(division: Division, detectors: tuple[Detector, ...], profile: IntArray) -> FloatArray:
    """Sum the news of each program's later windows in the order of time.

    Of all its later windows, kept or not: what is new comes together, in windows next to each
    other, of which a sample holds one.

    Parameters
    ----------
    profile : int64 (n,)
        Of the later windows that are kept, increasing.

    Returns
    -------
    As many sums, (n,), falling within a profile: of so many equal parts of all its later windows
    the largest in each.
    """
    gathered = division.gathered
    place = np.full(len(gathered.programs), -1)
    place[division.own] = np.arange(len(division.own))
    firsts = gathered.firsts
    late = (place[firsts.program] >= 0) & (firsts.ordinal >= division.split[firsts.program])
    firsts = firsts.take(np.flatnonzero(late))
    owner = place[firsts.program]
    score = np.zeros(len(owner))
    for detector in detectors:
        if isinstance(detector, Novelty):
            score += detector.score(firsts.vectors, owner)
    sums, standing = np.zeros(len(owner)), News.none(len(division.own))
    telling = np.flatnonzero(score > 0)
    telling = telling[np.argsort(firsts.t_end_ns[telling], kind="stable")]
    ticks = np.flatnonzero(np.diff(firsts.t_end_ns[telling] // TICK_NS)) + 1
    # One turn a tick in which anything was new: few once programs have settled.
    for part in np.split(telling, ticks):
        standing, sums[part] = standing.after(
            score[part], owner[part], firsts.t_start_ns[part], firsts.t_end_ns[part]
        )
    later = gathered.count[division.own] - division.split[division.own]
    kept = np.bincount(profile, minlength=len(division.own))
    each = [
        _largest_of_parts(sums[owner == i], int(later[i]), int(kept[i]))
        for i in range(len(division.own))
    ]
    return np.concatenate(each)


def _largest_of_parts(sums: FloatArray, windows: int, parts: int) -> FloatArray:
    """Of so many windows, 0 where no sum is given, the largest of each of so many equal parts."""
    begins = np.arange(parts) * windows // max(parts, 1)
    largest, ranked = np.zeros(parts), np.sort(sums)[::-1]
    held = begins < len(ranked)
    largest[held] = ranked[begins[held]]
    return largest


def _scored(division: Division, detectors: tuple[Detector, ...], rows: list[IntArray]) -> Later:
    """Score the i-th rows against profile i."""
    profile = np.repeat(np.arange(len(rows)), [len(part) for part in rows])
    chosen = np.concatenate(rows)
    vectors = division.gathered.vectors[chosen]
    scores = {detector.name: detector.score(vectors, profile) for detector in detectors}
    return Later(chosen, profile, scores, np.zeros(0))


def _transferred(
    division: Division, detectors: tuple[Detector, ...], rows: list[IntArray], tail: int
) -> Later:
    """Score the i-th rows against a pool that never saw their program, all for one tail."""
    found = _scored(division, detectors, rows)
    return Later(found.rows, np.full(len(found.rows), tail), found.scores, found.sums)


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
