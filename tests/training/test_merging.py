"""Promises of longer intervals: everything adds up exactly, and nobody is mixed with another."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oddcall.models.errors import SettingError
from oddcall.models.window import BLOCKS, WindowBatch
from oddcall.training.merging import added_up, merged, require_longer
from oddcall.training.synthetic import REDIS, WEB, host, window

S = 1_000_000_000
CALLS = st.lists(st.sampled_from([0, 1, 3, -257, 45]), max_size=8)
ROWS = st.lists(
    st.tuples(st.sampled_from([WEB, REDIS]), st.integers(1, 3), CALLS), min_size=1, max_size=12
)


def batches(rows) -> list[WindowBatch]:
    """One batch a row, a second each."""
    return [
        window(chain, calls, second=float(i), pid=pid, forks=pid % 2)
        for i, (chain, pid, calls) in enumerate(rows)
    ]


@settings(max_examples=40)
@given(ROWS, st.integers(1, 5))
def test_nothing_is_lost_or_made_up(rows, interval: int):
    """Sums over everything are the same before and after, in every block and column."""
    before = WindowBatch.concat(batches(rows))
    after = WindowBatch.concat(list(merged(batches(rows), float(interval))))
    for name in BLOCKS:
        ours, theirs = getattr(after, name), getattr(before, name)
        assert np.array_equal(ours.to_dense().sum(axis=0), theirs.to_dense().sum(axis=0))
    for name in ("forks", "execs", "exits", "lost", "lost_keys", "observed_s"):
        assert getattr(after, name).sum() == getattr(before, name).sum()
    assert after.n_events.sum() == before.n_events.sum()


@settings(max_examples=40)
@given(ROWS, st.integers(1, 5))
def test_a_process_has_one_window_an_interval(rows, interval: int):
    """After merging, a process in a program has one window in each interval, and keeps its own."""
    for batch in merged(batches(rows), float(interval)):
        who = list(zip(batch.pid.tolist(), batch.program.tolist(), strict=True))
        assert len(set(who)) == len(who)
        assert len(set((batch.t_end_ns // (interval * S)).tolist())) == 1
        assert (batch.t_start_ns < batch.t_end_ns).all()
        assert (np.diff(batch.t_end_ns) >= 0).all()
        for block in BLOCKS:
            column = getattr(batch, block)
            assert (column.counts > 0).all()
            assert all(np.all(np.diff(column.row(i)[0]) > 0) for i in range(len(batch)))


def test_the_interval_of_the_recording_changes_nothing():
    """Ticks of a second merged to a second are the ticks."""
    ticks = [batch for batch in host(5, seed=1) if len(batch)]
    for before, after in zip(ticks, merged(ticks, 1.0), strict=True):
        again = added_up(before)
        assert len(again) == len(after)
        for field in fields(after):
            ours, theirs = getattr(again, field.name), getattr(after, field.name)
            if isinstance(theirs, np.ndarray):
                assert np.array_equal(ours, theirs)


def test_a_longer_interval_has_fewer_windows():
    """Windows of the processes that last become fewer, those of short ones do not."""
    ticks = host(30, seed=2)
    ten = WindowBatch.concat(list(merged(ticks, 10.0)))
    whole = WindowBatch.concat(ticks)
    lasting = [100, 101]
    assert np.isin(ten.pid, lasting).sum() <= 8
    assert (~np.isin(ten.pid, lasting)).sum() == (~np.isin(whole.pid, lasting)).sum()


def test_a_shorter_interval_cannot_be():
    """A window does not say when in it a call was made."""
    with pytest.raises(SettingError, match=r"cannot be cut to 0\.5 s"):
        require_longer({"interval_s": "1"}, 0.5)
    require_longer({"interval_s": "1"}, 1.0)
    require_longer({}, 0.5)
