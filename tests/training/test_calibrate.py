"""Clean windows that are not kept have their say in what news may add up to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from oddcall.models.window import WindowBatch
from oddcall.training.calibrate import _largest_of_parts
from oddcall.training.fit import FitSettings, fit
from oddcall.training.synthetic import WEB, window

#: Windows, of which the last two fifths calibrate, and those that each make one new call.
_WINDOWS, _JOB = 2000, {1700: 101, 1702: 157, 1703: 161, 1705: 165, 1707: 167}


def day() -> Iterator[WindowBatch]:
    """A web server that once does five things it never did, one after the other."""
    random = np.random.default_rng(5)
    for i in range(_WINDOWS):
        calls = WEB.walk(40, random)
        if i in _JOB:
            calls = np.append(calls, _JOB[i])
        yield window(WEB, calls, second=i)


@pytest.fixture(scope="module")
def batches() -> list[WindowBatch]:
    """That day, in batches of a hundred seconds."""
    made = list(day())
    return [WindowBatch.concat(made[i : i + 100]) for i in range(0, _WINDOWS, 100)]


def test_a_sample_knows_how_far_news_added_up(batches: list[WindowBatch]):
    """Where one window of thirty is kept, the largest sum is that of all windows."""
    few, all_of_them = (
        fit(batches, FitSettings(windows_per_program=kept)).calibration.sequence
        for kept in (64, _WINDOWS)
    )
    assert few.largest[0] == pytest.approx(all_of_them.largest[0])
    # Five calls that were never made: more than twice what the worst of them, ptrace, tells.
    assert few.largest[0] > 50
    assert len(few.scores) < len(all_of_them.scores) / 20


def test_windows_that_hang_together_count_as_few():
    """A server that grows its heap for ten seconds now and then: its windows are worth fewer."""
    random = np.random.default_rng(7)
    begins = random.random(600) < 0.02
    busy = np.convolve(begins, np.ones(10))[:600] > 0
    heap = replace(WEB, weights=(3, 1, 1, 1, 3, 3, 3, 0.1))
    made = [
        window(WEB, (heap if odd else WEB).walk(60, random), second=i) for i, odd in enumerate(busy)
    ]
    calibration = fit([WindowBatch.concat(made)]).calibration
    for tails in (calibration.total, calibration.mixture, calibration.sequence):
        assert 1 < tails.effective[0] < 0.7 * len(tails.scores)


@pytest.mark.parametrize(("windows", "parts"), [(10, 10), (10, 3), (3, 1), (7, 0)])
def test_parts_tell_their_largest(windows: int, parts: int):
    """No part of all windows tells less than the largest that is in it."""
    sums = np.array([3.0, 9.0, 5.0])
    ranked = np.array([9.0, 5.0, 3.0] + [0.0] * (windows - 3))
    found = _largest_of_parts(sums, windows, parts)
    assert found.tolist() == [part.max() for part in np.array_split(ranked, parts or 1)][:parts]
