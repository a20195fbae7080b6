"""How many windows a second are scored, and how long a million take to train on.

    python benchmarks/scoring.py [--train 1000000]

Ours is the default combination with its calibration, in batches of 1,000 vectors of a made-up
host; beside it river's half-space trees and scikit-learn's isolation forest on the same vectors.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from scipy.sparse import csr_matrix

from oddcall.models.model import Model
from oddcall.models.window import WindowBatch
from oddcall.training.fit import fit
from oddcall.training.synthetic import host

BATCH = 1000
SECONDS = 3.0


def prepared() -> tuple[Model, csr_matrix, np.ndarray]:
    """Train on ten minutes; vectors of later windows, and the profile of each."""
    model = fit(host(600, seed=1))
    later = WindowBatch.concat(host(300, seed=2, start=600))
    profile, _ = model.profile_for(later)
    known = profile >= 0
    picked = np.random.default_rng(0).integers(0, int(known.sum()), BATCH)
    vectors = model.spec.vectors(later.take(known))[picked]
    return model, vectors, profile[known][picked]


def rate(score: Callable[[], object], rows: int) -> float:
    """Windows a second while scoring for some seconds."""
    score()
    begun, batches = time.perf_counter(), 0
    while time.perf_counter() - begun < SECONDS:
        score()
        batches += 1
    return batches * rows / (time.perf_counter() - begun)


def ours(_worker: int) -> float:
    """Rate of the default combination in one process."""
    model, vectors, profile = prepared()
    return rate(partial(model.evidence_of, vectors, profile), BATCH)


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--train", type=int, default=0, metavar="N", help="also train on N windows")
    wanted = asked.parse_args()
    with ProcessPoolExecutor(2) as workers:
        both = sum(workers.map(ours, range(2)))
    model, vectors, profile = prepared()
    print(f"{'':<44}{'windows/s':>12}")
    print(f"{'oddcall, all detectors and calibration, 2 cores':<44}{both:>9,.0f}")
    for detector in model.detectors:
        speed = rate(partial(detector.score, vectors, profile), BATCH)
        print(f"{'  ' + detector.name + ', 1 core':<44}{speed:>12,.0f}")
    dense = vectors.toarray()
    from river.anomaly import HalfSpaceTrees
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=100, random_state=0).fit(dense)
    print(
        f"{'scikit-learn IsolationForest, 1 core':<44}"
        f"{rate(partial(forest.score_samples, dense), BATCH):>12,.0f}"
    )
    trees = HalfSpaceTrees(seed=0)
    few = [dict(enumerate(row)) for row in dense[:20, :64].tolist()]
    # Before a whole window of 250 was learned it answers 0 without looking.
    for row in few * 13:
        trees.learn_one(row)
    speed = rate(lambda: [trees.score_one(row) for row in few], len(few))
    print(f"{'river HalfSpaceTrees (64 features), 1 core':<44}{speed:>12,.0f}")
    if wanted.train:
        train(wanted.train)


def train(count: int) -> None:
    """Train on so many windows, made of an hour's that repeat."""
    hour = host(600, seed=3)
    begun, seen, ticks = time.perf_counter(), 0, []
    while seen < count:
        ticks += hour
        seen += sum(map(len, hour))
    fit(ticks)
    took = time.perf_counter() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"\ntraining on {seen:,} windows: {took:.0f} s, {memory:.1f} GB at most")


if __name__ == "__main__":
    main()
