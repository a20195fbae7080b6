"""Promises of the nearest windows: two of them count, and each is a window of its own."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from oddcall.models.detectors import Nearest
from oddcall.models.features import FeatureSpec

WIDTH = FeatureSpec().width


def windows(random: np.random.Generator, n: int) -> csr_matrix:
    """Windows that share twelve calls, each in proportions of its own."""
    vectors = np.zeros((n, WIDTH), np.float32)
    vectors[:, :12] = np.sqrt(random.dirichlet(np.ones(12), n))
    return csr_matrix(vectors)


def test_an_odd_window_is_not_its_own_second_witness() -> None:
    """Of fewer windows than are kept each is kept once: one that was odd while learning is odd."""
    random = np.random.default_rng(0)
    odd = np.zeros((1, WIDTH), np.float32)
    odd[0, 20] = 1
    known = csr_matrix(np.vstack([windows(random, 29).toarray(), odd]))
    score = Nearest().fit(known).score(known)
    assert score[-1] > 2 * score[:-1].max()


def test_scores_stay_finite_where_a_profile_has_one_window() -> None:
    """A profile of a single window gives every window a finite score, and no warning."""
    random = np.random.default_rng(1)
    judge = Nearest().fit(windows(random, 31), np.repeat([0, 1], [30, 1]))
    assert np.isfinite(judge.score(windows(random, 5), np.ones(5, np.int64))).all()


def test_of_more_windows_those_kept_are_spread_over_time() -> None:
    """The first and the last of many windows are among the places."""
    vectors = windows(np.random.default_rng(2), 500)
    judge = Nearest().fit(vectors)
    assert judge.subspaces is not None
    ends = Nearest().fit_within(judge.subspaces, vectors[[0, 499]], np.zeros(2, np.int64))
    assert judge.places is not None
    assert ends.places is not None
    for place in ends.places[0][:2]:
        assert np.abs(judge.places[0] - place).max(axis=1).min() < 1e-5
