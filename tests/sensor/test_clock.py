"""The clock: a grid that is kept, lateness that is told, a stop that wakes."""

from __future__ import annotations

import signal
import threading
import time
from itertools import islice
from pathlib import Path

import pytest

from oddcall.models.errors import SettingError
from oddcall.sensor.clock import Beat, Clock


class Time:
    """A time line that moves only when waited on, each wait a little too long."""

    def __init__(self, sloppy_s: float = 0.0) -> None:
        self.now_s = 1000.0
        self.sloppy_s = sloppy_s

    def now(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        self.now_s += seconds + self.sloppy_s


def test_thousand_sloppy_beats_do_not_drift():
    """Promise: a wait that is always 3 ms too long makes every beat 3 ms late, never more."""
    line = Time(sloppy_s=0.003)
    with Clock(0.1, now=line.now, wait=line.wait) as clock:
        beats = list(islice(clock.beats(), 1000))
    assert [b.deadline_s for b in beats] == pytest.approx(
        [1000 + 0.1 * k for k in range(1, 1001)], abs=1e-9
    )
    assert all(b.late_s == pytest.approx(0.003, abs=1e-6) for b in beats)
    assert not any(b.missed for b in beats)


def test_late_beat_comes_once_and_the_grid_goes_on():
    """Promise: after 3.4 intervals of work there is one late beat, no burst, and the old grid."""
    line = Time()
    with Clock(1.0, now=line.now, wait=line.wait) as clock:
        beats = clock.beats()
        assert next(beats) == Beat(1001.0, 0.0, 0)
        line.now_s += 3.4
        assert next(beats) == Beat(1002.0, pytest.approx(2.4), 2)
        assert next(beats) == Beat(1005.0, 0.0, 0)


def test_a_wait_that_ends_early_is_waited_out():
    """Promise: no beat comes before its deadline."""
    line = Time()
    with Clock(1.0, now=line.now, wait=lambda s: line.wait(min(s, 0.3))) as clock:
        assert next(clock.beats()) == Beat(pytest.approx(1001.0), pytest.approx(0.0), 0)


def test_work_between_beats_is_called_at_its_pace():
    """Promise: `between` runs every `every_s` while waiting and not at the deadline itself."""
    line = Time()
    calls: list[float] = []
    with Clock(1.0, now=line.now, wait=line.wait) as clock:
        next(clock.beats(lambda: calls.append(line.now_s), every_s=0.25))
    assert calls == [1000.25, 1000.5, 1000.75]


def test_slow_work_between_beats_makes_the_beat_late():
    """Promise: time taken by `between` shows as lateness instead of being hidden."""
    line = Time()

    def slow() -> None:
        line.now_s += 5.0

    with Clock(1.0, now=line.now, wait=line.wait) as clock:
        beat = next(clock.beats(slow, every_s=0.5))
    assert beat == Beat(1001.0, pytest.approx(4.5), 4)


def test_stop_wakes_a_long_wait_from_another_thread():
    """Promise: stop ends a wait of a day, with no further beat."""
    with Clock(86_400.0) as clock:
        threading.Timer(0.05, clock.stop).start()
        assert list(clock.beats()) == []
        assert clock.stopped


def test_stop_from_a_signal_handler_ends_the_wait():
    """Promise: a handler that calls stop ends the iteration; the wait is not taken up again."""
    with Clock(86_400.0) as clock:
        before = signal.signal(signal.SIGUSR1, lambda *_: clock.stop())
        try:
            main = threading.main_thread().ident
            assert main is not None
            threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGUSR1)).start()
            assert list(clock.beats()) == []
        finally:
            signal.signal(signal.SIGUSR1, before)


def test_stop_between_beats_and_after_close():
    """Promise: a clock stopped while its beat is worked on yields no other; stop never fails."""
    line = Time()
    clock = Clock(1.0, now=line.now, wait=line.wait)
    beats = clock.beats()
    next(beats)
    clock.stop()
    assert list(beats) == []
    clock.close()
    clock.close()
    clock.stop()


def test_close_gives_the_descriptor_back():
    """Promise: no descriptor is left behind."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        Clock(1.0).close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_real_beats_come_on_time():
    """Promise: on the real clock no beat comes early and ten take ten intervals."""
    with Clock(0.02) as clock:
        begin = time.monotonic()
        beats = list(islice(clock.beats(), 10))
        took = time.monotonic() - begin
    assert took >= 0.2
    assert all(b.late_s >= 0 for b in beats)
    gone = sum(1 + b.missed for b in beats)
    assert beats[-1].deadline_s - beats[0].deadline_s == pytest.approx(
        0.02 * (gone - 1 - beats[-1].missed), abs=1e-6
    )


@pytest.mark.parametrize("interval", [0.0, -1.0, float("nan"), float("inf")])
def test_unusable_intervals_are_named(interval: float):
    """Promise: an interval that cannot be kept is refused, with what was got."""
    with pytest.raises(SettingError, match=r"interval.*got"):
        Clock(interval)
