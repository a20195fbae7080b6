"""Promises about budgets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.errors import SettingError
from oddcall.service.quantities import LEAST_PER_DAY, MOST_PER_DAY, Budget
from oddcall.training.fit import FitSettings


@pytest.mark.parametrize(
    ("text", "per_day"), [("1/day", 1), ("5/week", 5 / 7), ("2/hour", 48), ("0.5/day", 0.5)]
)
def test_budgets_are_read(text: str, per_day: float) -> None:
    """A budget is its number of alerts a day, and is written as it was typed."""
    assert Budget.parse(text).per_day == pytest.approx(per_day)
    assert str(Budget.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1/week", "1/week"),
        ("5/week", "5/week"),
        ("0.1/week", "0.1/week"),
        ("0.5/day", "0.5/day"),
        ("1000000/day", "1000000/day"),
        ("0.000001/day", "0.000001/day"),
        ("2/hour", "48/day"),
    ],
)
def test_a_budget_of_a_model_is_said_as_people_say_it(text: str, said: str) -> None:
    """What is kept as alerts a day is shown by the week where that is round, in plain digits."""
    assert str(Budget.of_day(Budget.parse(text).per_day)) == said


@given(st.floats(1e-6, 1e6))
def test_a_budget_that_is_shown_can_be_typed(per_day: float) -> None:
    """Whatever a model keeps to: what is shown reads back as about the same."""
    shown = str(Budget.of_day(per_day))
    assert Budget.parse(shown).per_day == pytest.approx(per_day, rel=5e-3)


def test_bounds_of_a_budget_are_those_of_training() -> None:
    """What may be asked for can be trained, and nothing else may."""
    for bound, past in ((LEAST_PER_DAY, 0.99), (MOST_PER_DAY, 1.01)):
        FitSettings(budget_per_day=bound)
        with pytest.raises(SettingError):
            FitSettings(budget_per_day=bound * past)


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "0/day", "-1/day", "1/month", "many/day", "1/day/day", "9e5/day"),
        *("9" * 309 + "/day", "0.0000001/day", "1000001/day", "100000/hour"),
    ],
)
def test_other_text_is_no_budget(text: str) -> None:
    """No alerts at all, more than can be trained, another period or anything else is refused."""
    with pytest.raises(ValueError, match="not a budget"):
        Budget.parse(text)
