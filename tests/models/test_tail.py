"""Tails: p-values that are valid where they count and cautious where they extrapolate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oddcall.models.detector import Prior
from oddcall.models.detectors import Novelty
from oddcall.models.features import FloatArray
from oddcall.models.tail import Tails

PRIOR = Prior(scale=1.0, weight=10)
HEAVY = Prior(scale=1.0, weight=10, shape=0.25)

scores = arrays(
    np.float64,
    st.integers(0, 60),
    elements=st.floats(0, 1e6, allow_subnormal=False) | st.sampled_from([0.0, 1.0, 2.0]),
)


def one(sample: FloatArray, prior: Prior = PRIOR) -> Tails:
    return Tails.fit(np.asarray(sample, np.float64), np.zeros(len(sample), np.int64), 1, prior)


def p(tails: Tails, values) -> FloatArray:
    asked = np.atleast_1d(np.asarray(values, np.float64))
    return tails.p_values(asked, np.zeros(len(asked), np.int64))


@given(scores, scores, st.sampled_from([PRIOR, HEAVY]))
def test_p_values_fall_as_scores_rise(sample: FloatArray, asked: FloatArray, prior: Prior):
    """Whatever the clean sample: p-values lie in (0, 1] and never rise with the score."""
    found = p(one(sample, prior), np.sort(np.concatenate([asked, sample])))
    assert (found > 0).all()
    assert (found <= 1).all()
    assert (np.diff(found) <= 0).all()


@given(scores.filter(len), st.floats(0, 1e6))
def test_inside_the_sample_it_is_a_count(sample: FloatArray, asked: float):
    """Up to the largest clean score the p-value is (1 + #{clean >= s}) / (n + 1)."""
    asked = min(asked, float(sample.max()))
    near = np.isclose(sample, asked, rtol=1e-9, atol=1e-9) & (sample != asked)
    expected = (1 + np.count_nonzero(sample >= asked)) / (len(sample) + 1)
    if not near.any():
        assert p(one(sample), asked)[0] == pytest.approx(expected)


@settings(deadline=None, max_examples=20)
@example(1527, 20, "exponential")
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([20, 100, 400]),
    st.sampled_from(["exponential", "normal", "ties", "mostly zero", "heavy"]),
)
def test_clean_data_is_not_accused_more_than_promised(seed: int, n: int, law: str):
    """Drawn again and again from one law, at most a share alpha of p-values is below alpha."""
    random = np.random.default_rng(seed)
    draw = {
        "exponential": lambda k: random.exponential(1, k),
        "normal": lambda k: np.abs(random.normal(0, 1, k)),
        "ties": lambda k: random.integers(0, 4, k).astype(float),
        "mostly zero": lambda k: random.exponential(1, k) * (random.random(k) < 0.02),
        "heavy": lambda k: random.pareto(3, k),
    }[law]
    found = np.concatenate([p(one(draw(n), HEAVY), draw(20)) for _ in range(400)])
    for alpha in (0.2, 0.05, 1 / n):
        # Twenty draws share one sample: how far it lies is one draw of its own.
        allowed = alpha + 5 * np.sqrt((alpha**2 + alpha / 20) / 400)
        assert np.mean(found <= alpha) <= allowed, (law, alpha)


def test_beyond_the_sample_is_marked():
    """Only scores above every clean one are extrapolated, and they go below 1 / (n + 1)."""
    tails = one(np.arange(100) / 10)
    asked = np.array([0.0, 9.9, 9.95, 30.0])
    marked = tails.extrapolated(asked, np.zeros(4, np.int64))
    assert marked.tolist() == [False, False, True, True]
    assert p(tails, asked)[1] == pytest.approx(2 / 101)
    assert p(tails, asked)[2] < 1 / 101
    assert p(tails, 9.9 + 1e-9)[0] == pytest.approx(1 / 101, rel=1e-3), "no jump at the joint"


def test_differences_that_do_not_count_are_ties():
    """Within the resolution of a score it is as large as the clean ones; past it it is beyond."""
    tails = one(np.full(100, 0.3), Prior(scale=1.0, weight=10, resolution=0.05))
    assert p(tails, [0.3, 0.349]).tolist() == [1.0, 1.0]
    assert p(tails, 0.36)[0] < 1 / 101
    only = np.zeros(1, np.int64)
    assert not tails.extrapolated(np.array([0.349]), only)[0]
    assert tails.extrapolated(np.array([0.36]), only)[0]
    assert tails.own_p_values(np.array([0.349]), only)[0] == 1


@given(scores, scores, st.floats(0, 20))
def test_a_tail_may_begin_later(sample: FloatArray, asked: FloatArray, least: float):
    """Up to where it begins a score is counted; no p-value falls below that of an earlier tail."""
    tails = one(sample)
    later = tails.of_nats(np.array([least]))
    assert (p(later, asked) >= p(tails, asked)).all()
    if len(sample) and least > sample.max():
        assert p(later, least)[0] == pytest.approx(1 / (len(sample) + 1))


def test_no_novelty_ever_is_good_turings_case():
    """Nothing new in n windows: anything new has a chance of at most 1 / (n + 1)."""
    tails = one(np.zeros(240), Novelty.prior)
    assert p(tails, 0)[0] == 1
    assert p(tails, 1e-6)[0] <= 1 / 241
    one_call_two_transitions, attack = 2.0 + 2 * 0.5, 5 * 2.0 + 15 * 0.5
    assert 1e-4 < p(tails, one_call_two_transitions)[0] < 1e-3
    assert p(tails, attack)[0] < 1e-7


def test_a_larger_scatter_makes_for_a_slower_tail():
    """A program whose clean scores run far is judged more mildly at the same distance."""
    random = np.random.default_rng(0)
    calm, wild = random.exponential(1, 300), random.exponential(5, 300)
    assert p(one(wild), wild.max() + 10) > 10 * p(one(calm), calm.max() + 10)


def test_a_heavy_sample_is_believed():
    """Where the sample's own tail is heavier than the prior, the shape follows it."""
    heavy = np.random.default_rng(1).pareto(1.5, 4000)
    assert one(heavy, HEAVY).shape[0] > 0.4
    assert one(np.random.default_rng(1).exponential(1, 4000), HEAVY).shape[0] < 0.35


def test_a_sample_without_variety_shows_no_tail():
    """Who did the same every time is judged mildly for how far it goes, not for that it does."""
    same, varied = np.full(240, 0.3), 0.3 * np.random.default_rng(3).random(240)
    assert one(same, HEAVY).shape[0] == 0.5 > one(varied, HEAVY).shape[0]
    assert p(one(same, HEAVY), 0.31)[0] <= 1 / 241
    assert p(one(same, HEAVY), 20)[0] > 100 * p(one(varied, HEAVY), 20)[0]
    assert one(same, PRIOR).shape[0] == 0, "where a prior says that it is exponential it stays so"


def test_ten_minutes_are_enough_to_show_a_heavy_tail():
    """Calibrated on 240 windows, a heavy law is believed on average, and a light one stays so."""
    random = np.random.default_rng(2)
    heavy = [float(one(random.pareto(1.5, 240), HEAVY).shape[0]) for _ in range(200)]
    light = [float(one(random.exponential(1, 240), HEAVY).shape[0]) for _ in range(200)]
    assert np.mean(heavy) > 0.4
    assert np.mean(light) < 0.32


@given(scores, scores)
def test_profiles_do_not_mix(first: FloatArray, second: FloatArray):
    """Two profiles in one table give what each gives alone."""
    profile = np.repeat([1, 0], [len(first), len(second)])
    both = Tails.fit(np.concatenate([first, second]), profile, 2, PRIOR)
    asked = np.array([0.0, 0.5, 1.0, 3.0, 1e5])
    assert both.p_values(asked, np.full(5, 1)) == pytest.approx(p(one(first), asked), rel=1e-6)
    assert both.p_values(asked, np.full(5, 0)) == pytest.approx(p(one(second), asked), rel=1e-6)


def test_fewer_independent_observations_promise_less():
    """Many windows of few programs count as few: the smallest counted p-value says so."""
    sample = np.arange(1000.0)
    zeros = np.zeros(1000, np.int64)
    tails = Tails.fit(sample, zeros, 1, PRIOR, effective=np.array([9.0]))
    assert p(tails, 999.0)[0] == pytest.approx(1 / 10)
    assert p(tails, 0)[0] == 1


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))))
def test_clean_scores_meet_each_promise_as_often_as_it_says(sizes: tuple[int, int]):
    """Never more often, to the window, and as often to within one: from the first rank on."""
    windows, effective = sizes
    zeros = np.zeros(windows, np.int64)
    tails = Tails.fit(np.arange(1.0, windows + 1), zeros, 1, PRIOR, np.array([float(effective)]))
    # One more score is as likely to fall before the first clean one as between any two.
    found = p(tails, np.arange(windows + 1) + 1e-9 * np.arange(windows + 1))
    for rank in range(1, effective + 2):
        promised = rank / (effective + 1)
        met = np.count_nonzero(found <= promised + 1e-9) / (windows + 1)
        assert promised - 1 / (windows + 1) < met + 1e-9
        assert met <= promised + 1e-9


def test_own_p_values_are_none_less_than_later_ones():
    """A thousand windows worth nine tell no less than a ninth, and all above as it is."""
    sample, zeros = np.arange(1000.0), np.zeros(1000, np.int64)
    own = Tails.fit(sample, zeros, 1, PRIOR, np.array([9.0])).own_p_values(sample, zeros)
    assert own == pytest.approx(np.maximum(np.arange(1000, 0, -1) / 1000, 1 / 9))


@given(scores)
def test_the_strongest_of_p_values_is_no_rarer_than_they_are(sample: FloatArray):
    """However clean ones are lumped together, past them a nat more counts a nat at most."""
    tails = one(sample, Prior(scale=0.3, weight=20)).of_nats(np.array([4.0]))
    far = tails.begins[0] + np.arange(1.0, 60.0)
    told = -np.log(p(tails, far))
    assert (np.diff(told) <= 1 + 1e-9).all()


def test_own_p_values_leave_the_score_itself_out():
    """A calibration score is held against the others: ranks over n, the largest 1 / n."""
    sample = np.array([3.0, 1.0, 2.0, 2.0])
    own = one(sample).own_p_values(sample, np.zeros(4, np.int64))
    assert own.tolist() == [0.25, 1.0, 0.75, 0.75]


def test_state_comes_back():
    """What is built from the state gives the same p-values to the bit."""
    tails = one(np.random.default_rng(0).exponential(1, 50), HEAVY)
    asked = np.linspace(0, 30, 40)
    assert np.array_equal(p(Tails.from_state(tails.state()), asked), p(tails, asked))
