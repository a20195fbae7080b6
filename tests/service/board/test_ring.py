"""Promises about numbers in bins of time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.service.board.ring import Ring

S = 1_000_000_000
KINDS = {"n": "sum", "p": "least", "late": "most"}


def add(ring: Ring, name: str, at_s: float, value: float, row: int = 0) -> None:
    ring.add(name, np.array([row]), np.array([int(at_s * S)]), np.array([value]))


def test_values_of_one_bin_become_one() -> None:
    """Counts add up, p-values keep the least, lateness the most; an empty bin says so."""
    ring = Ring(2.0, 3, KINDS)
    ring.advance(7 * S)
    for name, values in {"n": (1, 2), "p": (0.5, 0.1), "late": (0.2, 0.9)}.items():
        for value in values:
            add(ring, name, 6.5, value)
    assert ring.latest("n", 3)[0].tolist() == [0, 0, 3]
    np.testing.assert_equal(ring.latest("p", 3)[0], [np.nan, np.nan, 0.1])
    np.testing.assert_equal(ring.latest("late", 2)[0], [np.nan, 0.9])
    assert ring.times_s().tolist() == [2.0, 4.0, 6.0]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 100)), max_size=40), st.data())
def test_it_holds_what_falls_into_its_span(events: list[tuple[int, int]], data: st.DataObject):
    """Whatever comes in whatever order: what is kept is the sum of what lies in the last bins."""
    ring, now, kept = Ring(1.0, 8, {"n": "sum"}), 0, []
    for step, age in events:
        now += step
        ring.advance(now * S)
        at = max(now - age, 0)
        add(ring, "n", at, 1.0)
        kept = [t for t in [*kept, at] if now - 8 < t]
    expected = [kept.count(t) for t in range(now - 7, now + 1)]
    if events:
        assert ring.latest("n", 8)[0].tolist() == expected


def test_a_pause_longer_than_the_span_leaves_nothing() -> None:
    """After a long sleep, and after a clock that was set back, old numbers are not shown as new."""
    for later in (100 * S, 1 * S):
        ring = Ring(1.0, 4, {"n": "sum"})
        ring.advance(10 * S)
        add(ring, "n", 10, 5)
        ring.advance(later)
        assert ring.latest("n", 4).sum() == 0


def test_a_clock_that_is_corrected_loses_nothing() -> None:
    """A step back of a few bins keeps what there is."""
    ring = Ring(1.0, 40, {"n": "sum"})
    ring.advance(50 * S)
    add(ring, "n", 49, 5)
    ring.advance(47 * S)
    add(ring, "n", 47, 1)
    assert ring.latest("n", 40).sum() == 6


@pytest.mark.parametrize("whole", [True, False])
def test_a_rate_may_leave_out_what_is_not_over(whole: bool) -> None:
    """The newest bin still fills: a rate over whole bins does without it."""
    ring = Ring(1.0, 4, {"n": "sum"}, rows=2)
    ring.advance(3 * S)
    add(ring, "n", 2, 7, row=1)
    add(ring, "n", 3, 9, row=1)
    assert ring.latest("n", 2, whole=whole)[1].sum() == (7 if whole else 16)


def test_rows_grow_and_are_forgotten() -> None:
    """A new row is empty, and forgetting one leaves the others."""
    ring = Ring(1.0, 4, {"n": "sum"}, rows=1)
    ring.advance(S)
    add(ring, "n", 1, 2)
    ring.grow(3)
    add(ring, "n", 1, 4, row=2)
    ring.clear(0)
    assert ring.latest("n", 1)[:, 0].tolist() == [0, 0, 4]
