"""The agent slows down when it is dear, and comes back when it is cheap."""

from __future__ import annotations

import pytest

from oddcall.sensor.pace import Pace


class Host:
    """Time at will: time and the processor seconds that each tick, and each second, takes."""

    def __init__(self, per_tick_s: float, per_second_s: float = 0.0) -> None:
        self.now_s = self.cpu_s = 0.0
        self.per_tick_s, self.per_second_s = per_tick_s, per_second_s
        self.pace = Pace(0.05, lambda: self.now_s, lambda: self.cpu_s)

    def run(self, seconds: int) -> int:
        """Pass intervals of one second; returns how many had a tick."""
        ticks = 0
        for _ in range(seconds):
            self.now_s += 1
            self.cpu_s += self.per_second_s
            if self.pace.due():
                ticks += 1
                self.cpu_s += self.per_tick_s
        return ticks


def test_a_cheap_agent_ticks_at_every_interval():
    """Under its cap nothing is left out."""
    host = Host(per_tick_s=0.04)
    assert host.run(1000) == 1000
    assert host.pace.intervals == 1


def test_a_dear_agent_slows_until_it_is_under_the_cap():
    """Ten times too dear: the interval doubles until the share is under the cap, and stays."""
    host = Host(per_tick_s=0.5)
    host.run(300)
    assert host.pace.intervals == 16
    before = host.cpu_s
    host.run(1600)
    assert host.pace.intervals == 16
    assert (host.cpu_s - before) / 1600 < 0.05


def test_it_returns_when_it_is_calm():
    """What made it dear is over: the configured interval is back within a few minutes."""
    host = Host(per_tick_s=0.5)
    host.run(300)
    host.per_tick_s = 0.005
    host.run(200)
    assert host.pace.intervals == 1
    assert host.run(50) == 50


def test_one_dear_tick_is_no_reason():
    """Meeting a few hundred processes at once takes a third of a second, once."""
    host = Host(per_tick_s=0.01)
    host.run(100)
    host.cpu_s += 0.3
    assert host.run(100) == 100


def test_it_never_stops_looking():
    """However dear, a tick comes within 16 intervals."""
    host = Host(per_tick_s=1000.0)
    host.run(5000)
    assert host.pace.intervals == 16
    assert host.run(160) == pytest.approx(10, abs=1)


def test_what_each_process_costs_is_no_reason_to_look_less_often():
    """A doubling that saves nothing is taken back, and tried again in half an hour, not before."""
    host = Host(per_tick_s=0.001, per_second_s=0.08)
    host.run(60)
    assert host.pace.intervals == 1
    assert host.pace.vain_share == pytest.approx(0.08, rel=0.02)
    assert host.run(1700) == 1700
    # A span at half the pace: some five ticks are missing.
    assert 1990 <= host.run(2000) < 2000
    assert host.pace.intervals == 1


def test_it_slows_only_as_far_as_that_helps():
    """A part that ticks cost is saved, down to where the rest outweighs it."""
    host = Host(per_tick_s=0.24, per_second_s=0.08)
    host.run(300)
    # Shares at 1, 2, 4, 8 intervals: 32 %, 20 %, 14 %, 11 %, and 9.5 % at 16 saves a seventh.
    assert host.pace.intervals == 8
    assert host.pace.vain_share == pytest.approx(0.095, rel=0.05)


def test_it_tries_again_when_it_becomes_twice_as_dear():
    """What was vain for one load says nothing of another: ticks that grow dear are made fewer."""
    host = Host(per_tick_s=0.0, per_second_s=0.08)
    host.run(60)
    assert host.run(100) == 100
    host.per_tick_s = 0.5
    host.run(300)
    assert host.pace.intervals == 16


def test_calm_forgets_what_was_vain():
    """After a calm span the next dear one is met by looking less often at once."""
    host = Host(per_tick_s=0.0, per_second_s=0.08)
    host.run(60)
    host.per_second_s = 0.0
    host.run(30)
    assert host.pace.vain_share is None
    host.per_tick_s = 0.12
    host.run(60)
    assert host.pace.intervals == 4


def test_a_late_beat_is_due_when_the_intervals_it_stands_for_have_passed():
    """After a standstill the next tick comes at once, not when as many beats have come."""
    host = Host(per_tick_s=0.5)
    host.run(300)
    assert host.pace.intervals == 16
    while not host.pace.due():
        pass
    assert not host.pace.due(passed=3)
    assert host.pace.left == 13
    assert host.pace.due(passed=40)
