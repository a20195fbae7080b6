"""Promises of another budget on a trained model: it is as if trained for it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.budget import LAXEST, again, plan
from oddcall.models.model import Model
from oddcall.training.fit import FitSettings, fit
from oddcall.training.synthetic import host

#: The last is more than any threshold gives.
BUDGETS = (1.0, 24.0, 1e6)


@pytest.fixture(scope="module")
def trained() -> dict[float, Model]:
    ticks = host(120, seed=1)
    return {budget: fit(ticks, FitSettings(budget_per_day=budget)) for budget in BUDGETS}


@pytest.mark.parametrize(("budget", "other"), [(1.0, 24.0), (24.0, 1.0), (1.0, 1e6)])
def test_another_budget_is_as_if_trained_for_it(
    trained: dict[float, Model], budget: float, other: float
) -> None:
    """Thresholds, promise, warnings, each program's share and id: as of a training for it."""
    asked, wanted = trained[budget].for_budget(other), trained[other]
    assert asked.budget_per_day == other
    assert asked.threshold == pytest.approx(wanted.threshold)
    assert asked.sequence_threshold == pytest.approx(wanted.sequence_threshold)
    assert asked.expected_alerts_per_day == pytest.approx(wanted.expected_alerts_per_day)
    if other < 1e6:
        for ours, theirs in zip(asked.programs, wanted.programs, strict=True):
            assert ours.expected_alerts_per_day == pytest.approx(theirs.expected_alerts_per_day)
    assert asked.warnings == wanted.warnings
    assert asked.warnings != trained[budget].warnings
    assert asked.id == wanted.id


COSTS = st.floats(0.5, 1e7)


@given(COSTS, st.floats(0, 1e6), st.floats(0.01, 1e6), st.floats(0.01, 1e6))
def test_spending_again_is_as_if_for_the_first_time(
    windows: float, sums: float, before: float, budget: float
) -> None:
    """Exact wherever one of two costs is known; never overspent where neither is."""
    one, able = np.array([windows]), np.array([True])

    def planned(per_day: float) -> tuple[float, float, float]:
        done = plan(per_day, one, np.array([1.0]), able, np.array([sums / windows]))
        return done.threshold, done.sequence_threshold, done.expected_per_day

    first, wanted = planned(before), planned(budget)
    found = again(budget, before, first)
    assert found[2] <= budget * (1 + 1e-9)
    assert 0 < found[0] <= LAXEST
    assert found[1] <= LAXEST
    if min(first[0], first[1] or 0.0) < LAXEST:
        assert found == pytest.approx(wanted)
