"""Calibration: several detectors, one p-value that can be held to a budget."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.calibration import Calibration
from oddcall.models.detector import Prior

KINDS = {"near": "mixture", "also_near": "mixture", "new": "novelty"}
PRIORS = {
    "near": Prior(0.5, 20, 0.25),
    "also_near": Prior(0.1, 20),
    "new": Prior(1.5, 20),
}


def clean(n: int, seed: int) -> dict[str, np.ndarray]:
    """Two detectors that largely agree, and novelty that is nearly always 0."""
    random = np.random.default_rng(seed)
    common = random.exponential(1, n)
    return {
        "near": common + 0.2 * random.exponential(1, n),
        "also_near": np.tanh(common + 0.5 * random.exponential(1, n)),
        "new": random.exponential(1, n) * (random.random(n) < 0.02),
    }


def calibrated(n: int = 300, seed: int = 0) -> Calibration:
    tail = np.zeros(n, np.int64)
    return Calibration.fit(
        clean(n, seed), KINDS, PRIORS, tail, np.zeros(1, np.int64), np.array([float(n)])
    )


def judged(calibration: Calibration, **scores: float):
    given = {"near": 0.5, "also_near": 0.5, "new": 0.0} | scores
    arrays = {name: np.array([value]) for name, value in given.items()}
    return calibration.evidences(arrays, np.zeros(1, np.int64))


@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(st.floats(0, 1e4), min_size=2, max_size=2).map(sorted),
)
def test_more_of_any_evidence_never_clears(name: str, pair: list[float]):
    """Raising one detector's score never raises the p-value of the whole."""
    calibration = _SHARED
    low, high = (judged(calibration, **{name: value}).p_value[0] for value in pair)
    assert 0 < high <= low <= 1


def test_the_whole_holds_its_promise_on_clean_data():
    """Detectors that agree with each other do not make the whole accuse more than promised."""
    found = np.concatenate(
        [
            calibrated(200, seed)
            .evidences(clean(50, 10_000 + seed), np.zeros(50, np.int64))
            .p_value
            for seed in range(200)
        ]
    )
    for alpha in (0.1, 0.02, 0.005):
        assert np.mean(found <= alpha) <= 1.5 * alpha + 3 / len(found)
    assert np.mean(found <= 0.1) > 0.05, "a p-value that is always large would prove nothing"


def test_the_deep_tail_is_cautious():
    """In ten thousand clean windows none comes near one in a million."""
    calibration = calibrated(240, seed=3)
    found = calibration.evidences(clean(10_000, 4), np.zeros(10_000, np.int64))
    assert found.p_value.min() > 1e-6
    assert found.p_value.min() < 1e-2


def test_either_kind_of_evidence_alone_is_heard():
    """Novelty alone reaches a threshold of one in a million, and a far mixture is not drowned."""
    assert judged(_SHARED, new=25).p_value[0] < 1e-6
    usual = judged(_SHARED).p_value[0]
    assert judged(_SHARED, near=60, also_near=1).p_value[0] < usual / 50


def test_one_cause_told_by_both_kinds_is_one_cause():
    """A little that is new and also far is as odd as the odder of the two, not as their product."""
    new, far = {"new": 4.0}, {"near": 60.0, "also_near": 1.0}
    alone = min(judged(_SHARED, **new).p_value[0], judged(_SHARED, **far).p_value[0])
    assert judged(_SHARED, **new, **far).p_value[0] == alone


def test_a_changed_mixture_alone_does_not_outrun_its_evidence():
    """A distance beyond all that was seen, without anything new, is held back by a small sample."""
    assert 1e-7 < judged(_SHARED, near=50, also_near=1).p_value[0] < 1e-2


def test_a_steady_program_is_not_accused_twice_of_one_distance():
    """Where all clean windows are alike, one beyond them is one in so many, and not one in as
    many again for each time that evidence is joined."""
    n = 60
    steady = {"near": np.full(n, 0.3), "also_near": np.full(n, 0.1), "new": np.zeros(n)}
    tail, only = np.zeros(n, np.int64), np.zeros(1, np.int64)
    calibration = Calibration.fit(steady, KINDS, PRIORS, tail, only, np.array([float(n)]))
    found = judged(calibration, near=0.31, also_near=0.1)
    assert 1 / (n + 1) >= found.p_value[0] > 0.9 / (n + 1)


def test_profiles_may_share_a_tail():
    """Small programs share one calibration; each profile finds its own."""
    scores = {name: np.tile(part, 2) for name, part in clean(100, 0).items()}
    tail = np.repeat([0, 1], 100)
    scores["near"][100:] *= 10
    shared = Calibration.fit(
        scores, KINDS, PRIORS, tail, np.array([0, 1, 1]), np.array([100.0, 8.0])
    )
    asked = {"near": np.full(3, 20.0), "also_near": np.full(3, 0.5), "new": np.zeros(3)}
    found = shared.evidences(asked, np.arange(3)).p_value
    assert found[0] < found[1] == found[2]
    assert [shared.ready(i) for i in range(3)] == [True, True, True]


def test_state_comes_back():
    """What is built from the state gives the same p-values to the bit."""
    again = Calibration.from_state(_SHARED.state(), KINDS)
    asked = clean(50, 9)
    profile = np.zeros(50, np.int64)
    found, expected = again.evidences(asked, profile), _SHARED.evidences(asked, profile)
    assert np.array_equal(found.p_value, expected.p_value)
    assert found.detectors.keys() == expected.detectors.keys()


def test_a_tail_without_windows_is_not_ready():
    """A profile that nothing calibrates says so."""
    empty = {name: np.zeros(0) for name in KINDS}
    nothing = Calibration.fit(
        empty, KINDS, PRIORS, np.zeros(0, np.int64), np.zeros(1, np.int64), np.zeros(1)
    )
    assert not nothing.ready(0)


_SHARED = calibrated()
