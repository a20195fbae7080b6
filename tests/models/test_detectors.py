"""What every detector promises, checked on every detector that is registered."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack

from oddcall.models.detector import Detector
from oddcall.models.detectors import DETECTORS
from oddcall.models.errors import EvidenceError
from oddcall.models.features import FeatureSpec
from oddcall.models.window import WindowBatch
from oddcall.training.synthetic import REDIS, WEB, attacks, window

SPEC = FeatureSpec()


def vectors_of(chain, count: int, seed: int) -> csr_matrix:
    random = np.random.default_rng(seed)
    rows = [window(chain, chain.walk(int(random.uniform(100, 2000)), random)) for _ in range(count)]
    return SPEC.vectors(WindowBatch.concat(rows))


@pytest.fixture(scope="module")
def clean() -> csr_matrix:
    return vectors_of(WEB, 120, seed=1)


@pytest.fixture(scope="module")
def later() -> csr_matrix:
    return vectors_of(WEB, 40, seed=2)


@pytest.fixture(scope="module")
def odd() -> csr_matrix:
    batches = [batch for group in attacks(3, 0).values() for batch in group]
    return SPEC.vectors(WindowBatch.concat(batches))


@pytest.fixture(scope="module", params=sorted(DETECTORS))
def fitted(request: pytest.FixtureRequest, clean: csr_matrix) -> Detector:
    return DETECTORS[request.param]().fit(clean)


def test_it_keeps_the_protocol(fitted: Detector):
    """A detector has the protocol's verbs, and is registered under its own name."""
    assert isinstance(fitted, Detector)
    assert DETECTORS[fitted.name] is type(fitted)
    assert fitted.evidence in {"mixture", "novelty"}
    assert fitted.prior.scale > 0


def test_scores_have_the_shape_of_the_rows(fitted: Detector, later: csr_matrix):
    """Scores are finite float64, not negative, one a row; none for no rows."""
    scores = fitted.score(later)
    assert scores.shape == (later.shape[0],)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()
    assert fitted.score(later[:0]).shape == (0,)


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_not_ready_is_said(name: str, later: csr_matrix):
    """Before learning a detector refuses to score; it never answers 0."""
    fresh = DETECTORS[name]()
    assert not fresh.ready
    with pytest.raises(EvidenceError, match=name):
        fresh.score(later)


def test_an_unknown_profile_is_refused(fitted: Detector, later: csr_matrix):
    """A profile that was not fitted has no baseline."""
    with pytest.raises(EvidenceError, match="profile 5"):
        fitted.score(later, np.full(later.shape[0], 5))


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_learning_is_deterministic(name: str, clean: csr_matrix, later: csr_matrix):
    """The same windows teach the same thing."""
    one, other = (DETECTORS[name]().fit(clean).score(later) for _ in range(2))
    assert np.array_equal(one, other)


def test_scoring_changes_nothing(fitted: Detector, later: csr_matrix, odd: csr_matrix):
    """State and scores are the same after scoring as before, odd windows among them."""
    before = {key: value.copy() for key, value in fitted.state().items()}
    first = fitted.score(later)
    fitted.score(odd)
    assert np.array_equal(fitted.score(later), first)
    after = fitted.state()
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_a_batch_scores_as_its_rows_do(fitted: Detector, later: csr_matrix):
    """A row's score depends neither on its company nor on its place."""
    together = fitted.score(later)
    alone = np.concatenate([fitted.score(later[i]) for i in range(later.shape[0])])
    assert alone == pytest.approx(together, rel=1e-4, abs=1e-6)
    order = np.random.default_rng(0).permutation(later.shape[0])
    assert fitted.score(later[order]) == pytest.approx(together[order], rel=1e-4, abs=1e-6)


def test_profiles_do_not_mix(fitted: Detector, clean: csr_matrix, later: csr_matrix):
    """Two programs in one detector score as two detectors of one program each."""
    redis = vectors_of(REDIS, 80, seed=4)
    profile = np.repeat([0, 1], [clean.shape[0], 80])
    both = type(fitted)().fit(vstack([clean, redis], format="csr"), profile)
    mixed = both.score(
        vstack([later, redis[:10]], format="csr"), np.repeat([0, 1], [later.shape[0], 10])
    )
    assert mixed[: later.shape[0]] == pytest.approx(fitted.score(later), rel=1e-4, abs=1e-6)
    own = type(fitted)().fit(redis).score(redis[:10])
    assert mixed[later.shape[0] :] == pytest.approx(own, rel=1e-4, abs=1e-6)
    swapped = both.score(later, np.ones(later.shape[0], np.int64))
    assert swapped.mean() > mixed[: later.shape[0]].mean()


def test_state_comes_back_exactly(fitted: Detector, later: csr_matrix):
    """State is plain arrays, and what is built from it scores to the same bit."""
    state = fitted.state()
    assert all(isinstance(value, np.ndarray) and value.dtype != object for value in state.values())
    again = type(fitted).from_state(state)
    assert again.ready
    assert np.array_equal(again.score(later), fitted.score(later))


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_state_of_nothing_comes_back_not_ready(name: str):
    """An unfitted detector stays unfitted through its state."""
    assert not DETECTORS[name].from_state(DETECTORS[name]().state()).ready


def test_the_odd_scores_higher(fitted: Detector, later: csr_matrix, odd: csr_matrix):
    """Every obviously odd window scores above the middle of the clean, most above nine in ten."""
    clean = fitted.score(later)
    scores = fitted.score(odd)
    assert (scores > np.median(clean)).all()
    assert np.mean(scores > np.quantile(clean, 0.9)) > 0.5
