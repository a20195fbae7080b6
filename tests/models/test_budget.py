"""The budget: what the thresholds cost, counted in episodes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.budget import LAXEST, plan, runs


@given(
    st.floats(0.01, 100),
    st.lists(
        st.tuples(st.floats(1, 1e6), st.floats(0.05, 1), st.booleans()), min_size=1, max_size=100
    ),
)
def test_the_budget_is_never_overspent(budget: float, programs: list[tuple[float, float, bool]]):
    """Over however many programs, expected episodes sum to the budget or less."""
    per_day, per_window, able = (np.array(column) for column in zip(*programs, strict=True))
    planned = plan(budget, per_day, per_window, able.astype(bool))
    assert planned.expected_per_day == pytest.approx(planned.by_program.sum())
    assert planned.expected_per_day <= budget * (1 + 1e-9)
    assert 0 < planned.threshold <= LAXEST
    assert (planned.by_program[~able.astype(bool)] == 0).all()


def test_the_promise_is_kept_by_uniform_p_values():
    """A hundred programs share one budget: uniform p-values exceed it as often as promised."""
    random = np.random.default_rng(0)
    per_day = random.integers(10, 2000, 100).astype(float)
    planned = plan(5.0, per_day, np.ones(100), np.ones(100, bool))
    days = [(random.random(int(per_day.sum())) <= planned.threshold).sum() for _ in range(200)]
    assert np.mean(days) == pytest.approx(5.0, rel=0.15)


def test_a_quiet_host_does_not_alert_on_a_whim():
    """With few windows a day the threshold stays at its laxest, and less is expected."""
    planned = plan(10.0, np.array([20.0]), np.ones(1), np.ones(1, bool))
    assert planned.threshold == LAXEST
    assert planned.expected_per_day == pytest.approx(0.2)


def test_runs_of_odd_windows_are_one_episode():
    """Consecutive odd windows of one process begin one episode; another process begins its own."""
    odd = np.array([0, 1, 1, 1, 0, 1, 1, 0], bool)
    same = np.zeros(8, np.int64)
    assert runs(odd, same) == pytest.approx((2 + 1) / (5 + 1))
    apart = np.array([0, 0, 1, 1, 1, 1, 2, 2])
    assert runs(odd, apart) == pytest.approx((4 + 1) / (5 + 1))
    assert runs(np.zeros(8, bool), same) == 1
