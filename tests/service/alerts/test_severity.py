"""Promises about severity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.service.alerts.severity import LEVELS, Lesson, severity

P = st.floats(1e-300, 1e-6)
WINDOWS = st.integers(1, 50)
DAY = 86_400.0


def settled(level: str = "program") -> Lesson:
    return Lesson(level, 5_000, 3 * DAY)


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
    ],
)
def test_severity_follows_the_table(days: float, windows: int, level: str, grade: str) -> None:
    """The grade is how rarely clean time shows as much, and how long it lasts."""
    found, why = severity(1e-6 / days * 0.999, 1e-6, 1.0, windows, settled(level))
    assert found == grade
    assert bool(why) is (level == "similar")


def test_a_larger_budget_asks_for_more() -> None:
    """At ten alerts a day, ten times less likely than the threshold is once a day."""
    assert severity(1e-7, 1e-6, 1.0, 1, settled()) == ("medium", "")
    assert severity(1e-7, 1e-6, 10.0, 1, settled()) == ("low", "")


@pytest.mark.parametrize(
    ("lesson", "grade", "why"),
    [
        (Lesson("program", 99, 3 * DAY), "medium", "its baseline is of 99 windows only"),
        (Lesson("program", 121, 120.0), "high", "its baseline is of 121 windows in 2m"),
        (Lesson("program", 5_000, DAY - 1), "high", "its baseline is of 5,000 windows in 23h59m"),
        (Lesson("program", 999, 3 * DAY), "high", "its baseline is of 999 windows in 3d"),
        (Lesson("unknown", 0, 0.0), "medium", "the program has no baseline of its own"),
    ],
)
def test_a_short_lesson_carries_no_grave_word(lesson: Lesson, grade: str, why: str) -> None:
    """However unlikely, the grade is no more than the baseline can know, and it says why."""
    assert severity(1e-30, 1e-6, 1.0, 9, lesson) == (grade, f"{grade}, not critical: {why}")
    # What is no graver than that by itself is not limited.
    assert severity(1e-6, 1e-6, 1.0, 1, lesson) == ("low", "")


@given(P, P, WINDOWS, WINDOWS, st.sampled_from(["program", "similar"]))
def test_more_evidence_is_never_less_grave(p: float, q: float, m: int, n: int, level: str) -> None:
    """Less likely and longer is at least as grave."""
    weak, _ = severity(max(p, q), 1e-6, 1.0, min(m, n), settled(level))
    strong, _ = severity(min(p, q), 1e-6, 1.0, max(m, n), settled(level))
    assert LEVELS.index(strong) >= LEVELS.index(weak)
