"""Promises about the words and bars of the terminal view."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.service.top import wording

SHARES = st.floats(0, 1)


@given(st.one_of(st.none(), SHARES), st.lists(SHARES, min_size=3, max_size=3), st.integers(8, 60))
def test_a_bar_has_its_width(seen: float | None, quantiles: list[float], width: int) -> None:
    """Whatever was observed, a bar fills its place, and shows it once."""
    low, middle, high = sorted(quantiles)
    typical = {"q05": low, "q50": middle, "q95": high}
    drawn = wording.bar(seen, typical, 0.5, width)
    assert len(drawn) == width
    assert drawn.count("●") == (seen is not None)


@given(st.one_of(st.none(), st.floats(1e-300, 1)), st.one_of(st.none(), st.floats(0, 5e7)))
def test_numbers_fit_their_columns(p: float | None, value: float | None) -> None:
    """No p-value or rate is wider than a column of eight."""
    assert len(wording.chance(p)) <= 8
    assert len(wording.rate(value)) <= 8


@pytest.mark.parametrize("name", ["\x1b[2J\x1b[31mevil", "a\nb", "x" * 100, "\u202egnp.exe"])
def test_names_cannot_act_on_the_terminal(name: str) -> None:
    """What a program calls itself is printed, cut, and never obeyed."""
    shown = wording.cut(name, 20)
    assert shown.isprintable()
    assert len(shown) <= 20
