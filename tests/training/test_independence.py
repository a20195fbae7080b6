"""Effective sizes: windows that repeat each other are not counted as so many observations."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.training.independence import independent, independent_of_each


@pytest.mark.parametrize("n", [40, 240, 800])
def test_independent_windows_count_in_full(n: int):
    """Chance correlations take next to nothing away, on average."""
    random = np.random.default_rng(n)
    found = [independent(random.exponential(size=n)) for _ in range(100)]
    assert np.mean(found) > 0.95 * n


@pytest.mark.parametrize("times", [2, 5, 20])
def test_windows_that_repeat_each_other_count_once(times: int):
    """A series in which each value comes so many times in a row is worth its different ones."""
    random = np.random.default_rng(times)
    found = [independent(np.repeat(random.exponential(size=200), times)) for _ in range(50)]
    assert 200 / np.mean(found) == pytest.approx(1, rel=0.4)


def test_stretches_that_are_all_alike_count_once():
    """Where more windows than a tenth tie at the top, a stretch of them is one observation."""
    random = np.random.default_rng(3)
    for _ in range(20):
        stretches = np.repeat(random.permutation([1.0, 1.0, 0.0, 0.5, 0.0, 0.2, 0.4, 0.1]), 30)
        assert independent(stretches) < 0.1 * len(stretches)


def test_it_is_the_order_that_counts():
    """The same values shuffled are independent again."""
    random = np.random.default_rng(0)
    series = np.repeat(random.exponential(size=50), 10)
    shuffled = [independent(random.permutation(series)) for _ in range(50)]
    assert independent(series) < 0.3 * 500
    assert np.mean(shuffled) > 0.8 * 500


def test_nothing_to_tell_counts_in_full():
    """None, one, or only equal windows: there is no correlation to be seen."""
    for n in (0, 1, 50):
        assert independent(np.ones(n)) == n


def test_each_profile_by_itself():
    """A program that repeats itself takes nothing from one that does not."""
    random = np.random.default_rng(1)
    steady, lively = np.repeat(random.random(20), 20), random.random(400)
    found = independent_of_each(np.concatenate([steady, lively]), np.repeat([0, 1], 400), 3)
    assert found[0] < 0.2 * 400
    assert found[1] > 0.5 * 400
    assert found[2] == 0
