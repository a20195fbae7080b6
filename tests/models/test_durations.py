"""Promises about durations: what is written is read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("60s", 60), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), ("2d", 172800)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """A duration with units is its number of seconds."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "s", "10 m", "-1s", "1h 30m", "ten minutes", "1y", "9" * 309 + "s"]
)
def test_other_text_is_no_duration(text: str) -> None:
    """A number without a unit, or anything else, is refused."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@given(st.integers(1, 10 * 86400))
def test_a_written_duration_reads_back(seconds: int) -> None:
    """What is shown names the same time, to its second unit."""
    shown = parse_duration(format_duration(seconds))
    assert shown <= seconds
    assert seconds - shown < max(60, seconds / 24)
