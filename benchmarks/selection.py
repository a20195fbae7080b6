"""Which detectors and which way of joining them, chosen on clean windows alone.

Every program of a recording learns from its earlier windows. What it must not accuse are its
later ones; what it should notice is made without any attack: windows of the programs most like
it (foreign), and its own later windows with a twentieth or a fifth of another program's mixed in
(diluted). AUC and the part found at 1 % false positives are means over programs.

    python benchmarks/selection.py RECORDING [--programs 16]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import rankdata

from oddcall.models.calibration import STRONGEST_PRIOR
from oddcall.models.detector import Prior
from oddcall.models.detectors import Nearest, Novelty, PcaResidual
from oddcall.models.features import FeatureSpec
from oddcall.models.tail import Tails
from oddcall.training.pools import nearest_programs
from oddcall.training.recording import read_batches
from oddcall.training.reservoir import Gathered, Reservoir

SPEC = FeatureSpec()
Array = np.ndarray
Scorer = Callable[[csr_matrix], Array]


def projected(train: csr_matrix) -> tuple[PcaResidual, Scorer]:
    """Coordinates along a program's directions, with the distance from them."""
    residual = PcaResidual().fit(train)
    spaces = residual.subspaces

    def place(vectors: csr_matrix) -> Array:
        energy, along = spaces.project(vectors, np.zeros(vectors.shape[0], np.int64))
        outside = np.sqrt(np.maximum(energy - (along**2).sum(axis=1), 0))
        return np.concatenate([outside[:, None], along[:, :8]], axis=1)

    return residual, place


def nearest(train: csr_matrix, k: int) -> Scorer:
    """Mean Hellinger distance to the k nearest windows."""
    norms = np.asarray(train.multiply(train).sum(axis=1)).ravel()

    def score(vectors: csr_matrix) -> Array:
        own = np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel()
        squared = own[:, None] + norms[None, :] - 2 * (vectors @ train.T).toarray()
        nearest = np.partition(np.maximum(squared, 0), k, axis=1)[:, :k]
        return np.sqrt(nearest).mean(axis=1)

    return score


def half_spaces(train: csr_matrix, place: Scorer) -> Scorer:
    """Half-space trees (Tan, Ting and Liu 2011) of river, on the projection scaled to [0, 1]."""
    from river.anomaly import HalfSpaceTrees

    seen = place(train)
    low, high = seen.min(axis=0), seen.max(axis=0)
    room = 0.15 * (high - low) + 0.05
    trees = HalfSpaceTrees(n_trees=25, height=6, window_size=min(256, len(seen)), seed=0)

    def rows(vectors: csr_matrix) -> list[list[float]]:
        return ((place(vectors) - low + room) / (high - low + 2 * room)).tolist()

    for row in rows(train):
        trees.learn_one(dict(enumerate(row)))
    return lambda vectors: np.array([trees.score_one(dict(enumerate(r))) for r in rows(vectors)])


def gaussian(train: csr_matrix, place: Scorer) -> Scorer:
    """Mahalanobis distance in the subspace, with the distance from it as one more direction."""
    seen = place(train)
    mean = seen.mean(axis=0)
    covariance = np.cov(seen.T) + 0.01 * np.diag(seen.var(axis=0) + 0.05)
    inverse = np.linalg.inv(covariance)

    def score(vectors: csr_matrix) -> Array:
        away = place(vectors) - mean
        return np.einsum("ij,jk,ik->i", away, inverse, away)

    return score


def isolation(train: csr_matrix, place: Scorer) -> Scorer:
    """Grow scikit-learn's isolation forest on the projection."""
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=100, random_state=0).fit(place(train))
    return lambda vectors: -forest.score_samples(place(vectors))


def random_histograms(train: csr_matrix, place: Scorer, cuts: int = 60) -> Scorer:
    """LODA (Pevny 2016): mean surprise over histograms of sparse random projections."""
    random = np.random.default_rng(0)
    seen = place(train)
    scale = seen.std(axis=0) + 1e-3
    directions = random.normal(size=(cuts, seen.shape[1]))
    directions *= random.random(directions.shape) < 1 / np.sqrt(seen.shape[1])
    low, high = -8.0, 8.0
    bins = int(max(10, np.sqrt(len(seen))))

    def cells(vectors: csr_matrix) -> Array:
        along = ((place(vectors) - seen.mean(axis=0)) / scale) @ directions.T
        inside = np.clip((along - low) / (high - low), 0, 1 - 1e-9)
        return (inside * bins).astype(np.int64)

    counts = np.zeros((cuts, bins))
    for row in cells(train):
        counts[np.arange(cuts), row] += 1
    surprise = -np.log((counts + 0.5) / (len(seen) + 0.5 * bins))
    return lambda vectors: surprise[np.arange(cuts), cells(vectors)].mean(axis=1)


def streaming(train: csr_matrix, place: Scorer, rate: float = 0.01) -> Scorer:
    """Mahalanobis distance under a mean and covariance that forget exponentially."""
    seen = place(train)
    mean, covariance = seen[0].copy(), np.diag(seen.var(axis=0) + 1e-3)
    for row in seen:
        away = row - mean
        mean += rate * away
        covariance += rate * (np.outer(away, away) - covariance)
    inverse = np.linalg.inv(covariance + 1e-3 * np.eye(len(mean)))

    def score(vectors: csr_matrix) -> Array:
        away = place(vectors) - mean
        return np.einsum("ij,jk,ik->i", away, inverse, away)

    return score


def language(train: csr_matrix) -> Scorer:
    """Mean surprise of a window's hashed transitions under the program's smoothed table."""
    begin, end = SPEC.starts["transitions"], SPEC.starts["uring"]
    share = np.asarray(train[:, begin:end].power(2).sum(axis=0)).ravel()
    surprise = -np.log((share + 0.01) / (share.sum() + 0.01 * len(share)))
    return lambda vectors: vectors[:, begin:end].power(2) @ surprise


def trained(train: csr_matrix) -> dict[str, Scorer]:
    """Every candidate, learned."""
    residual, place = projected(train)
    new = Novelty().fit(train)
    return {
        "pca_residual": residual.score,
        "nearest": Nearest().fit(train).score,
        "nearest of all (5)": nearest(train, 5),
        "isolation forest": isolation(train, place),
        "half-space trees": half_spaces(train, place),
        "LODA": random_histograms(train, place),
        "Mahalanobis": gaussian(train, place),
        "streaming Mahalanobis": streaming(train, place),
        "transition language model": language(train),
        "novelty": new.score,
    }


JOINS: dict[str, Callable[[Array], Array]] = {
    "stronger": lambda nats: nats.max(axis=1),
    "Fisher": lambda nats: nats.sum(axis=1),
    "harmonic mean": lambda nats: -np.log(1 / np.exp(nats).mean(axis=1)),
    "Cauchy": lambda nats: np.tan((0.5 - np.exp(-nats)) * np.pi).mean(axis=1),
    "e-values": lambda nats: np.log((0.5 * np.exp(0.5 * nats)).mean(axis=1)),
}
#: Mixture detectors of which the strongest counts, calibrated again, before novelty joins them.
MIXTURES = (
    ("pca_residual",),
    ("nearest",),
    ("pca_residual", "nearest"),
    ("pca_residual", "half-space trees"),
    ("pca_residual", "Mahalanobis"),
    ("pca_residual", "LODA"),
    ("pca_residual", "nearest", "LODA"),
    ("nearest of all (5)",),
)
DEFAULT = ("pca_residual", "nearest")


def nats(held: Array, parts: list[Array], prior: Prior) -> list[Array]:
    """Evidence of scores, calibrated on those held out."""
    tail = Tails.fit(held, np.zeros(len(held), np.int64), 1, prior)
    return [
        np.minimum(-np.log(tail.p_values(part, np.zeros(len(part), np.int64))), 300.0)
        for part in parts
    ]


def mixed(own: csr_matrix, other: csr_matrix, part: float) -> csr_matrix:
    """Windows of which a part of the calls is another's; numbers about the whole stay."""
    counted = SPEC.starts["scalars"]
    dense, strange = own.toarray(), other.toarray()
    share = (1 - part) * dense**2 + part * strange**2
    dense[:, :counted] = np.sqrt(share[:, :counted])
    return csr_matrix(dense)


def measure(clean: Array, odd: Array) -> tuple[float, float]:
    """AUC, and the part of the odd that is found at 1 % false positives."""
    ranks = rankdata(np.concatenate([clean, odd]))
    n, m = len(clean), len(odd)
    auc = (ranks[n:].sum() - m * (m + 1) / 2) / (n * m)
    return float(auc), float(np.mean(odd > np.quantile(clean, 0.99, method="higher")))


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("recording", type=Path)
    asked.add_argument("--programs", type=int, default=16)
    wanted = asked.parse_args()
    reservoir = Reservoir(SPEC, 1500, 0)
    for batch in read_batches(wanted.recording):
        reservoir.add(batch)
    table(reservoir.gathered(), wanted.programs)


def note(found: dict[str, list[list[float]]], name: str, parts: list[Array]) -> None:
    """Keep what scores of clean windows and of three odd kinds are worth."""
    row = [value for part in parts[1:] for value in measure(parts[0], part)]
    found.setdefault(name, []).append(row)


def table(gathered: Gathered, most: int) -> None:
    """Measure every candidate on every program, and print means."""
    random = np.random.default_rng(0)
    able = np.flatnonzero((np.bincount(gathered.program) >= 250) & (gathered.count >= 250))
    chosen = able[np.argsort(-gathered.count[able], kind="stable")][:most]
    near = nearest_programs(gathered, able)
    found: dict[str, list[list[float]]] = {}
    for program in chosen:
        rows = np.flatnonzero(gathered.program == program)
        early, late = rows[: int(0.6 * len(rows))], rows[int(0.6 * len(rows)) :]
        held, test = gathered.vectors[late[::2]], gathered.vectors[late[1::2]]
        # Another inode of the same path does what this one does: it is no stranger.
        names = {gathered.programs[program].exe}
        like = [p for p in near[program] if gathered.programs[p].exe not in names][:3]
        theirs = np.concatenate([np.flatnonzero(gathered.program == p)[:200] for p in like])
        other = gathered.vectors[random.choice(theirs, test.shape[0])]
        odd = [other, mixed(test, other, 0.2), mixed(test, other, 0.05)]
        scorers = trained(gathered.vectors[early])
        told: dict[str, list[Array]] = {}
        for name, score in scorers.items():
            parts = [np.maximum(score(part), 0) for part in (held, test, *odd)]
            note(found, name, parts[1:])
            prior = Novelty.prior if name == "novelty" else PcaResidual.prior
            told[name] = nats(parts[0], parts, prior)
        for names in MIXTURES:
            sums = [np.max([told[name][i] for name in names], axis=0) for i in range(5)]
            mixture = nats(sums[0], sums, STRONGEST_PRIOR)
            pair = [np.stack([mixture[i], told["novelty"][i]], axis=1) for i in range(1, 5)]
            for how in JOINS if names == DEFAULT else ("stronger",):
                label = f"{how}: {' + '.join(names)} | novelty"
                note(found, label, [JOINS[how](part) for part in pair])
    print(f"{len(chosen)} programs, later windows against windows that are not theirs\n")
    print(f"{'':<58}{'foreign':>14}{'a fifth':>14}{'a twentieth':>14}")
    print(f"{'':<58}" + f"{'AUC':>8}{'1 %':>6}" * 3)
    for name, each in found.items():
        mean = np.mean(each, axis=0)
        print(f"{name:<58}" + "".join(f"{a:>8.3f}{d:>6.2f}" for a, d in mean.reshape(3, 2)))


if __name__ == "__main__":
    main()
