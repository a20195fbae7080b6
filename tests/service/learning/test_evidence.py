"""Promises about what has been seen while learning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from oddcall.models.window import Program
from oddcall.service.learning.evidence import Evidence

SHELL = Program("/bin/dash", 1, 11)


def learned(evidence: Evidence, batch: Any, row: Any, seconds: int, per_tick: int = 1) -> None:
    """Feed windows of one program, one tick a second."""
    for at in range(1, seconds + 1):
        evidence.add(batch(*(row(at_s=at) for _ in range(per_tick))))


def test_time_is_that_of_the_ticks(batch: Any, row: Any) -> None:
    """Learning time is what ticks span; a restart's gap and a clock set back are none."""
    evidence = Evidence(100, 3, 10)
    for at in (1, 2, 3, 3000, 3001, 5, 6):
        evidence.add(batch(row(at_s=at)))
    assert evidence.elapsed_s == pytest.approx(4)


def test_long_intervals_are_learning_time(batch: Any, row: Any) -> None:
    """Ticks minutes apart count, as the settings or a slower pace have them; a restart does not."""
    evidence = Evidence(100, 3, 10, interval_s=100.0)
    now = int(batch(row(at_s=1)).t_end_ns[0])
    for at_s, interval_s in ((0, None), (100, None), (200, 400.0), (600, 400.0), (2000, 400.0)):
        evidence.add(batch(), now + at_s * 10**9, interval_s)
    assert evidence.elapsed_s == pytest.approx(600)


def test_what_windows_span_is_learning_time(batch: Any, row: Any) -> None:
    """Of a recording the intervals are not known: a window that lasts has been looked at."""
    evidence = Evidence(100, 3, 10)
    for at_s in (300, 600, 900):
        window = batch(row(at_s=at_s))
        evidence.add(replace(window, t_start_ns=window.t_end_ns - 299 * 10**9))
    assert evidence.elapsed_s == pytest.approx(600)


def test_ticks_without_windows_are_learning_time(batch: Any, row: Any) -> None:
    """An idle host learns too."""
    evidence = Evidence(100, 3, 10)
    now = int(batch(row(at_s=1)).t_end_ns[0])
    for at in range(30):
        evidence.add(batch(), now + at * 10**9)
    assert evidence.elapsed_s == pytest.approx(29)
    assert evidence.windows == 0


def test_enough_needs_time_and_windows(batch: Any, row: Any) -> None:
    """It is enough after the duration, once most windows are of programs with enough."""
    evidence = Evidence(20, 3, 10)
    learned(evidence, batch, row, 19)
    assert not evidence.enough
    evidence.add(batch(row(at_s=21)))
    assert evidence.enough
    assert evidence.remaining_s == 0


def test_patience_ends(batch: Any, row: Any) -> None:
    """Programs that show too little are waited for, but not for ever."""
    evidence = Evidence(20, 3, 1000)
    learned(evidence, batch, row, 30)
    assert not evidence.enough
    assert evidence.remaining_s == pytest.approx(60 - 29)
    learned(evidence, batch, row, 0)
    for at in range(31, 62):
        evidence.add(batch(row(at_s=at)))
    assert evidence.enough


def test_nothing_seen_is_never_enough(batch: Any, row: Any) -> None:
    """However long, without a window there is nothing to train on."""
    evidence = Evidence(1, 1, 10)
    now = int(batch(row(at_s=1)).t_end_ns[0])
    for at in range(50):
        evidence.add(batch(), now + at * 10**9)
    assert not evidence.enough


def test_states_of_programs(batch: Any, row: Any) -> None:
    """A program collects, then learns while it shows new calls, then is ready."""
    evidence = Evidence(100, 3, 10)
    for at in range(1, 41):
        evidence.add(
            batch(
                row(at_s=at),
                row(at_s=at, program=SHELL, calls={at: 5}),
                *([row(at_s=at, program=Program("/bin/rare"))] if at < 4 else []),
            )
        )
    states = {seen.program.name: (seen.state, seen.windows) for seen in evidence.programs()}
    assert states == {"nginx": ("ready", 40), "dash": ("learning", 40), "rare": ("collecting", 3)}
    assert next(s.calls for s in evidence.programs() if s.program == SHELL) == 40


def test_what_was_learned_before_counts(batch: Any, row: Any) -> None:
    """A program that lacks two windows needs two; what is added up here is told apart."""
    evidence = Evidence(100, 3, 10)
    evidence.before = {batch(row()).programs[0]: 8}
    evidence.add(batch(row(at_s=1)))
    (seen,) = evidence.programs()
    assert (seen.state, seen.windows, seen.before, seen.in_all) == ("collecting", 1, 8, 9)
    for second in range(2, 30):
        evidence.add(batch(row(at_s=second)))
    (seen,) = evidence.programs()
    assert (seen.state, seen.windows, seen.in_all) == ("ready", 29, 37)


def test_memory_goes_with_programs(batch: Any, row: Any) -> None:
    """Many programs are told apart, whichever batch and order they come in."""
    evidence = Evidence(100, 3, 10)
    for first in (0, 40, 10):
        programs = [Program(f"/bin/p{i}", 1, i) for i in range(first, first + 40)]
        evidence.add(batch(*(row(program=p, calls={p.ino: 1}) for p in programs)))
    assert len(evidence.programs()) == 80
    assert sum(seen.windows for seen in evidence.programs()) == 120
    assert all(seen.calls == 1 for seen in evidence.programs())
    assert len(evidence._count) < 200
    assert np.count_nonzero(evidence._shown) == 160
