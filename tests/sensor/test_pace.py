"""The agent slows down when it is dear, and comes back when it is cheap."""

from __future__ import annotations

import pytest

from oddcall.sensor.pace import Pace


class Host:
    """Time at will: time and the processor seconds that each tick takes."""

    def __init__(self, per_tick_s: float) -> None:
        self.now_s = self.cpu_s = 0.0
        self.per_tick_s = per_tick_s
        self.pace = Pace(0.05, lambda: self.now_s, lambda: self.cpu_s)

    def run(self, seconds: int) -> int:
        """Pass intervals of one second; returns how many had a tick."""
        ticks = 0
        for _ in range(seconds):
            self.now_s += 1
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
    """However dear, a tick comes within 64 intervals."""
    host = Host(per_tick_s=1000.0)
    host.run(5000)
    assert host.pace.intervals == 64
    assert host.run(640) == pytest.approx(10, abs=1)


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
