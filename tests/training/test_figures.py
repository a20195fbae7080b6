"""Promises of the figures: what they mean, also under ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from oddcall.training.figures import (
    RATES,
    average_precision,
    chance_of,
    mean_result,
    measure,
    own_threshold,
    written,
)

SCORES = st.lists(st.integers(0, 12), min_size=1, max_size=60)


@given(SCORES, SCORES)
def test_figures_equal_those_of_scikit_learn(normal: list[int], attack: list[int]) -> None:
    """Area, average precision and detection rates are the usual ones, ties and all."""
    n, a = np.array(normal, np.float64), np.array(attack, np.float64)
    truth, scores = np.r_[np.zeros(len(n)), np.ones(len(a))], np.r_[n, a]
    found = measure(n, a, 5.5)
    assert found.auc == pytest.approx(roc_auc_score(truth, scores))
    assert found.ap == pytest.approx(average_precision_score(truth, scores))
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    for rate in RATES:
        assert found.detected[rate] == pytest.approx(true[false <= rate + 1e-12].max())
    assert found.fpr == np.mean(n > 5.5)
    assert found.found == np.mean(a > 5.5)


def test_perfect_and_useless_scores() -> None:
    """Scores that separate give one, scores that say nothing give a half and detect nothing."""
    low, high = np.arange(100.0), np.arange(200.0, 300.0)
    best, flat = measure(low, high, 150), measure(np.zeros(100), np.zeros(50), 0)
    assert (best.auc, best.ap, best.detected[0.01]) == pytest.approx((1, 1, 1))
    assert (flat.auc, flat.detected[0.1], flat.fpr) == (0.5, 0, 0)
    assert flat.ap == pytest.approx(50 / 150)


def test_precision_by_hand() -> None:
    """Two attacks, one above and one below a normal: (1 + 2/3) / 2."""
    assert average_precision(np.array([2.0]), np.array([3.0, 1.0])) == pytest.approx(5 / 6)


def test_chance_counts_that_the_threshold_is_by_chance() -> None:
    """Of 21 like scores two given ones are the largest in one case of 210, and so by chance."""
    assert chance_of(1, 1, 19) == pytest.approx(1 / 20)
    assert chance_of(2, 2, 19) == pytest.approx(1 / 210)
    assert chance_of(0, 50, 30) == 1
    assert chance_of(12, 100, 10**8) == pytest.approx(binom.sf(11, 100, 0.05), rel=1e-3)


def test_intervals_hold_the_figure_and_narrow_with_data() -> None:
    """Intervals are around the figure, the same each time, and narrower with more data."""
    random = np.random.default_rng(3)
    widths = []
    for n in (60, 3000):
        normal, attack = random.normal(0, 1, n), random.normal(1.5, 1, n)
        found = measure(normal, attack, 2.0, resamples=120)
        again = measure(normal, attack, 2.0, resamples=120)
        assert found == again
        assert found.intervals["auc"].low < found.auc < found.intervals["auc"].high
        assert set(found.intervals) == {"auc", "0.01", "0.05", "0.10"}
        widths.append(found.intervals["auc"].high - found.intervals["auc"].low)
    assert widths[1] < widths[0] / 3


def test_intervals_know_what_hangs_together() -> None:
    """Scores copied ten times say no more than once: drawn by block, the interval is as wide."""
    random = np.random.default_rng(5)
    normal, attack = random.normal(0, 1, 80), random.normal(1, 1, 40)
    blocks = np.repeat(np.arange(80), 10), np.repeat(np.arange(40), 10)
    once = measure(normal, attack, 2.0, resamples=300).intervals["auc"]
    copies = np.repeat(normal, 10), np.repeat(attack, 10)
    apart = measure(*copies, 2.0, resamples=300).intervals["auc"]
    together = measure(*copies, 2.0, resamples=300, blocks=blocks).intervals["auc"]
    width = once.high - once.low
    assert together.high - together.low == pytest.approx(width, rel=0.2)
    assert apart.high - apart.low < width / 2


def test_mean_of_runs() -> None:
    """The mean of repeated splits is of each figure, and its range spans them."""
    low, high = np.arange(10.0), np.arange(10.0)
    joined = mean_result([measure(low, high, 5), measure(low, high + 100, 5)])
    assert joined.auc == pytest.approx(0.75)
    assert (joined.intervals["auc"].low, joined.intervals["auc"].high) == (0.5, 1)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=60))
def test_its_own_threshold_is_the_conformal_rank(held_out: list[int]) -> None:
    """Whichever of n clean scores is the new one, at most 5 % lie above what the others give."""
    scores = np.array(held_out, np.float64)
    above = [score > own_threshold(np.delete(scores, i)) for i, score in enumerate(scores)]
    assert sum(above) <= max(0.05 * len(scores), 1)


@pytest.mark.parametrize(
    ("share", "told"),
    [(0, "0"), (2.1e-5, "2.1e-05"), (0.000213, "0.00021"), (0.0123, "0.012"), (1, "1.000")],
)
def test_a_share_that_is_not_none_is_not_written_as_none(share: float, told: str) -> None:
    """Three decimals, or two figures where that would be nothing."""
    assert written(share) == told
