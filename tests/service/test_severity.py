"""Promises about severity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.service.severity import LEVELS, severity

P = st.floats(1e-300, 1e-6)
WINDOWS = st.integers(1, 50)


@pytest.mark.parametrize(
    ("days", "windows", "level", "grade"),
    [
        (1, 1, "program", "low"),
        (6, 2, "program", "low"),
        (8, 1, "program", "medium"),
        (1, 3, "program", "medium"),
        (8, 3, "program", "high"),
        (31, 1, "program", "high"),
        (2000, 1, "program", "high"),
        (2000, 3, "program", "critical"),
        (2000, 3, "predecessor", "critical"),
        (2000, 3, "similar", "medium"),
        (2000, 3, "host", "medium"),
    ],
)
def test_severity_follows_the_table(days: float, windows: int, level: str, grade: str) -> None:
    """The grade is how rarely clean time shows as much, and how long it lasts."""
    assert severity(1e-6 / days * 0.999, 1e-6, 1.0, windows, level) == grade


def test_a_larger_budget_asks_for_more() -> None:
    """At ten alerts a day, ten times less likely than the threshold is once a day."""
    assert severity(1e-7, 1e-6, 1.0, 1, "program") == "medium"
    assert severity(1e-7, 1e-6, 10.0, 1, "program") == "low"


@given(P, P, WINDOWS, WINDOWS, st.sampled_from(["program", "similar"]))
def test_more_evidence_is_never_less_grave(p: float, q: float, m: int, n: int, level: str) -> None:
    """Less likely and longer is at least as grave."""
    weak = severity(max(p, q), 1e-6, 1.0, min(m, n), level)
    strong = severity(min(p, q), 1e-6, 1.0, max(m, n), level)
    assert LEVELS.index(strong) >= LEVELS.index(weak)
