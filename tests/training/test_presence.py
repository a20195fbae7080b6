"""How long was recorded is told by the time between windows, not by what clocks were set to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.window import OTHER, WindowBatch
from oddcall.training.presence import Lasted, Presence
from oddcall.training.synthetic import WEB, window

_HOUR = 3600.0
CALLS = [0, 1, 3] * 20


def ticks(seconds: list[float]) -> list[WindowBatch]:
    """A window of one second that ends at each of these times."""
    return [window(WEB, CALLS, second=at - 1) for at in seconds]


def seconds(batches: list[WindowBatch]) -> float:
    lasted = Lasted()
    for batch in batches:
        lasted.add(batch)
    return lasted.ns / 1e9


@given(st.lists(st.floats(0.5, 59.0), max_size=30), st.booleans())
def test_time_is_added_up_as_it_went(steps: list[float], together: bool):
    """From the first window's start to the last one's end, however it comes in batches."""
    times = [1.0]
    for step in steps:
        times.append(times[-1] + step)
    batches = ticks(times)
    if together:
        batches = [WindowBatch.concat(batches)]
    assert seconds(batches) == pytest.approx(times[-1], abs=1e-5)


@pytest.mark.parametrize("jump", [_HOUR, -_HOUR, 50 * 365 * 24 * _HOUR])
def test_a_clock_that_is_set_makes_a_minute_at_most(jump: float):
    """Forward or back, an hour or since the epoch."""
    usual = [float(i) for i in range(1, 300)]
    told = seconds(ticks([at if i < 150 else at + jump for i, at in enumerate(usual)]))
    assert 298 <= told <= 299 + 60


def test_a_program_counts_over_the_recordings_that_hold_it():
    """Time of others is not its time, nor is what lies between recordings."""
    presence = Presence()
    other = replace(WEB.program, exe="/usr/bin/other")
    first, second = ticks([1.0, 2.0, 3.0]), ticks([5000.0, 5001.0])
    held = [replace(batch, programs=(other,)) for batch in second]
    for recording in (first, [*second[:1], *held[1:]]):
        assert list(presence.pass_on(recording)) == recording
    assert presence.of(WEB.program) == 5e9
    assert presence.of(other) == 2e9


def test_a_lesson_is_as_long_as_what_was_watched():
    """A hole of an hour makes it a minute longer, and a recording without the program nothing."""
    presence = Presence()
    list(presence.pass_on(ticks([*map(float, range(1, 61)), _HOUR + 1, _HOUR + 2])))
    assert presence.longest_ns == (60 + 60 + 1) * 1e9
    other = replace(WEB.program, exe="/usr/bin/other")
    list(presence.pass_on([replace(b, programs=(other,)) for b in ticks([1.0, 2.0])]))
    assert presence.longest_ns == (60 + 60 + 1) * 1e9


def test_a_window_whose_program_is_not_known_is_time_that_was_watched():
    """A host on which for minutes only processes close that were gone too soon is not asleep."""
    presence = Presence()
    named = ticks([1.0, 2.0, 3.0])
    gone = [
        replace(batch, programs=(OTHER,), identity_complete=np.zeros(1, np.bool_))
        for batch in ticks([50.0 * i for i in range(1, 7)])
    ]
    assert len(list(presence.pass_on([*named, *gone]))) == 9
    assert presence.of(WEB.program) == 300e9


def test_the_time_of_a_program_begins_after_what_is_left_out_of_it():
    """What it did before is not counted, nor the time it took; others' time goes on meanwhile."""
    presence = Presence()
    other = replace(WEB.program, exe="/usr/bin/other")
    recording = [
        WindowBatch.concat([batch, replace(batch, programs=(other,))])
        for batch in ticks([float(i) for i in range(1, 11)])
    ]
    early = int(recording[6].t_start_ns[0])

    def leave_out(batch: WindowBatch) -> WindowBatch:
        return batch.take((batch.program != 0) | (batch.t_start_ns >= early))

    kept = WindowBatch.concat(list(presence.pass_on(recording, leave_out)))
    assert (kept.program == 0).sum() == 4
    assert presence.of(WEB.program) == 4e9
    assert presence.of(other) == 10e9


def test_a_program_of_which_all_is_left_out_was_not_there():
    """The recording adds nothing to the time of it."""
    presence = Presence()
    nothing = presence.pass_on(ticks([1.0, 2.0]), lambda batch: batch.take(np.zeros(1, np.bool_)))
    assert sum(map(len, nothing)) == 0
    assert presence.of(WEB.program) == 0


def test_time_that_is_left_out_in_between_is_none_of_a_program():
    """What it did before stays, with the time that took: else its windows a day were far more."""
    presence = Presence()
    recording = ticks([float(i) for i in range(1, 11)])

    def leave_out(batch: WindowBatch) -> WindowBatch:
        early, late = (int(recording[i].t_start_ns[0]) for i in (6, 8))
        return batch.take((batch.t_start_ns < early) | (batch.t_start_ns >= late))

    kept = list(presence.pass_on(recording, leave_out))
    assert sum(map(len, kept)) == 8
    assert presence.of(WEB.program) == 8e9
