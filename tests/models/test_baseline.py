"""Baselines: what a verdict is explained with."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from oddcall.models.baseline import Exemplars, Profiles


def exemplars(rows: list[list[float]]) -> Exemplars:
    numbers = np.arange(len(rows))
    return Exemplars(csr_matrix(np.array(rows, np.float32)), numbers, numbers, numbers, numbers)


@pytest.fixture
def profiles() -> Profiles:
    return Profiles(
        names=("web", "similar programs"),
        windows=np.array([5, 9]),
        first_ns=np.array([1, 1]),
        last_ns=np.array([8, 9]),
        edges=np.array([0, 2, 5]),
        features=np.array([3, 7, 1, 3, 9]),
        quantiles=np.arange(15, dtype=np.float32).reshape(5, 3),
        exemplars=exemplars([[1, 0, 0], [0, 1, 0], [0.6, 0.8, 0]]),
        exemplar_edges=np.array([0, 1, 3]),
    )


def test_each_profile_sees_its_own(profiles: Profiles):
    """A view holds its profile's features, quantiles and windows, and no other's."""
    assert len(profiles) == 2
    shared = profiles[1]
    assert (shared.name, shared.windows, shared.last_ns) == ("similar programs", 9, 9)
    assert shared.features.tolist() == [1, 3, 9]
    assert shared.exemplars.pid.tolist() == [1, 2]


def test_what_was_never_seen_is_typically_zero(profiles: Profiles):
    """Quantiles come in the order asked for; a feature never seen was 0 in every window."""
    typical = profiles[1].typical(np.array([9, 2, 1, 4000]))
    assert typical.tolist() == [[12, 13, 14], [0, 0, 0], [6, 7, 8], [0, 0, 0]]


def test_the_nearest_windows_come_first():
    """Windows are ranked by Euclidean distance, at most k of them."""
    kept = exemplars([[1, 0, 0], [0, 1, 0], [0.6, 0.8, 0]])
    rows, distance = kept.nearest(csr_matrix(np.array([[0, 1, 0]], np.float32)), k=2)
    assert rows.tolist() == [1, 2]
    assert distance == pytest.approx([0, np.sqrt(0.36 + 0.04)], abs=1e-3)


def test_what_is_usual_is_the_distance_to_the_nearest_other():
    """A kept window is not its own neighbour, a copy of it is; alone it has none."""
    kept = exemplars([[1, 0, 0], [0, 1, 0], [0.6, 0.8, 0], [1, 0, 0]])
    assert kept.usual(1) == pytest.approx(np.sqrt(0.36 + 0.04), abs=1e-3)
    assert kept.usual(0) == pytest.approx(0, abs=1e-3)
    assert exemplars([[1, 0, 0]]).usual(0) is None


def test_arrays_bring_profiles_back(profiles: Profiles):
    """Everything but the names survives as plain arrays."""
    again = Profiles.from_arrays(profiles.names, profiles.arrays())
    for before, after in zip(profiles, again, strict=True):
        assert np.array_equal(before.quantiles, after.quantiles)
        assert np.array_equal(before.exemplars.vectors.toarray(), after.exemplars.vectors.toarray())
        assert np.array_equal(before.exemplars.t_end_ns, after.exemplars.t_end_ns)
