"""Half-space trees: river learns, arrays score, and the numbers are river's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from oddcall.models.detectors import HalfSpaceTrees
from oddcall.models.features import FeatureSpec
from oddcall.models.window import WindowBatch
from oddcall.training.synthetic import WEB, window

DIMENSIONS = 4


@pytest.fixture(scope="module")
def vectors() -> csr_matrix:
    random = np.random.default_rng(0)
    rows = [window(WEB, WEB.walk(int(random.uniform(50, 900)), random)) for _ in range(220)]
    return FeatureSpec().vectors(WindowBatch.concat(rows))


@pytest.fixture(scope="module")
def fitted(vectors: csr_matrix) -> HalfSpaceTrees:
    return HalfSpaceTrees(trees=7, height=5, dimensions=DIMENSIONS, seed=3).fit(vectors[:100])


def river_taught(fitted: HalfSpaceTrees, rows: csr_matrix):
    """River's own estimator, taught the same coordinates from the start."""
    from river.anomaly import HalfSpaceTrees as RiverTrees

    river = RiverTrees(n_trees=7, height=5, window_size=100, seed=3)
    for row in fitted.coordinates(rows).tolist():
        river.learn_one(dict(enumerate(row)))
    return river


def river_scores(river, fitted: HalfSpaceTrees, rows: csr_matrix) -> list[float]:
    return [river.score_one(dict(enumerate(row))) for row in fitted.coordinates(rows).tolist()]


def test_scores_are_rivers_own(fitted: HalfSpaceTrees, vectors: csr_matrix):
    """Scored in columns, rows get exactly what river's score_one gives."""
    river = river_taught(fitted, vectors[:100])
    expected = river_scores(river, fitted, vectors)
    assert len(set(expected)) > 10, "scores that are all alike would prove nothing"
    assert fitted.score(vectors).tolist() == expected


def test_it_goes_on_learning_as_river_does(fitted: HalfSpaceTrees, vectors: csr_matrix):
    """Learning on, in pieces and through its state, equals river learning in one go."""
    grown = fitted.learn(vectors[100:130])
    grown = HalfSpaceTrees.from_state(grown.state()).learn(vectors[130:210])
    river = river_taught(fitted, vectors[:210])
    assert grown.score(vectors).tolist() == river_scores(river, fitted, vectors)
    assert not np.array_equal(grown.score(vectors), fitted.score(vectors))


def test_learning_on_leaves_the_original_alone(fitted: HalfSpaceTrees, vectors: csr_matrix):
    """Learning gives a new detector; the one it came from scores as before."""
    before = fitted.score(vectors)
    fitted.learn(vectors[100:])
    assert np.array_equal(fitted.score(vectors), before)


def test_clean_windows_lie_in_the_unit_cube(fitted: HalfSpaceTrees, vectors: csr_matrix):
    """River gives unscaled data 0: coordinates of learned windows are within [0, 1]."""
    coordinates = fitted.coordinates(vectors[:100])
    assert coordinates.shape == (100, DIMENSIONS)
    assert coordinates.min() >= 0
    assert coordinates.max() <= 1


def test_few_windows_still_fill_one_of_rivers(vectors: csr_matrix):
    """River scores 0 until its first window is full: a profile's window is as long as it has."""
    few = HalfSpaceTrees().fit(vectors[:12])
    assert few.score(vectors).max() > 0
