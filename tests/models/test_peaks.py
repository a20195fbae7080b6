"""Peaks: the most of each call that one window held, and how far another goes beyond."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oddcall.models.features import FeatureSpec
from oddcall.models.peaks import DOUBLINGS, LEAST, Peaks
from oddcall.models.window import WindowBatch
from oddcall.training.synthetic import WEB, window

SPEC = FeatureSpec()
#: read and mprotect.
READ, PROTECT = 0, 10

made = st.dictionaries(
    st.sampled_from([READ, 1, 3, PROTECT, -PROTECT]), st.integers(1, 400), min_size=1
)


def vectors(*windows: dict[int, int]):
    """Windows of one program that make each call so often; a negative number is a failing one."""
    rows = [window(WEB, [call for call, n in each.items() for _ in range(n)]) for each in windows]
    return SPEC.vectors(WindowBatch.concat(rows))


def beyond(peaks: Peaks, vector, profile: int = 0) -> dict[int, float]:
    """Doublings that columns of one window lie beyond, those that do."""
    at, found = peaks.beyond(vector, np.array([profile]), SPEC.events(vector))
    return dict(zip(vector.indices[at].tolist(), found.tolist(), strict=True))


def amounts(each: dict[int, int]) -> dict[int, tuple[int, float]]:
    """Count and steadied share of each column of a window, worked out by hand."""
    events = sum(each.values())
    counts: dict[int, int] = {}
    for call, n in each.items():
        counts[abs(call)] = counts.get(abs(call), 0) + n
        if call < 0:
            counts[SPEC.column("errors", -call)] = n
    return {column: (n, n / (events + 20)) for column, n in counts.items()}


@given(st.lists(made, min_size=1, max_size=5), made)
@settings(max_examples=60, deadline=None)
def test_beyond_is_counted_as_by_hand(clean: list[dict[int, int]], odd: dict[int, int]):
    """An entry lies beyond by the smaller of how far its count and its share exceed the largest."""
    rows = vectors(*clean)
    peaks = Peaks.of(rows, np.zeros(len(clean), np.int64), 1)
    vector = vectors(odd)
    found = beyond(peaks, vector)
    known = [amounts(each) for each in clean]
    for column, (count, share) in amounts(odd).items():
        met = [each[column] for each in known if column in each]
        expected = 0.0
        if met:
            most, largest = max(n for n, _ in met), max(s for _, s in met)
            times = min(count / max(most, LEAST), share / largest)
            expected = max(np.log2(times) - DOUBLINGS, 0.0)
            assert peaks.most(np.array([column]), 0) == [most]
        assert found.get(column, 0.0) == pytest.approx(expected, abs=1e-3)


def test_a_longer_window_is_not_beyond():
    """Thirty times as much of everything is a longer window or a busier hour, and no news."""
    usual = {READ: 40, 3: 20, PROTECT: 2}
    peaks = Peaks.of(vectors(usual), np.zeros(1, np.int64), 1)
    longer = vectors({call: 30 * n for call, n in usual.items()})
    assert not beyond(peaks, longer)


def test_a_short_window_is_not_beyond():
    """A rare call may be all that a window of a few events holds."""
    peaks = Peaks.of(vectors({READ: 1000, PROTECT: 1}), np.zeros(1, np.int64), 1)
    assert not beyond(peaks, vectors({PROTECT: 9}))
    assert beyond(peaks, vectors({PROTECT: 90}))


def test_profiles_are_kept_apart_and_joined_by_the_largest():
    """What one program does much of is much for another; together the larger amount counts."""
    peaks = Peaks.of(vectors({PROTECT: 2, READ: 90}, {PROTECT: 200}), np.array([0, 1]), 2)
    odd = vectors({PROTECT: 200, READ: 90})
    assert beyond(peaks, odd)
    assert not beyond(peaks, odd, 1)
    both = peaks.together([np.array([0, 1])])
    assert both.most(np.array([PROTECT, READ]), 0).tolist() == [200, 90]
    assert not beyond(both, odd)


def test_what_was_never_met_is_left_to_novelty():
    """A call without a largest amount is not beyond it, and transitions have none."""
    peaks = Peaks.of(vectors({READ: 5}), np.zeros(1, np.int64), 1).grown(1)
    odd = vectors({PROTECT: 500, READ: 5})
    for profile in (0, 1):
        assert not beyond(peaks, odd, profile)
    step = SPEC.column("transitions", 3)
    assert peaks.most(np.array([step, PROTECT]), 0).tolist() == [0, 0]
