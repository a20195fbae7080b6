"""The kernel's own statistics of our programs."""

from __future__ import annotations

import os

import pytest

from oddcall.models.errors import KernelError
from oddcall.sensor import run_time
from oddcall.sensor.probe import Probe, ProbeSettings
from oddcall.sensor.run_time import RunTime

pytestmark = pytest.mark.kernel


def test_the_time_of_the_programs_grows_with_the_calls(loader):
    """A hundred thousand calls take more than no time, and less than it took to make them."""
    with Probe(ProbeSettings(slots=64, loader=loader)) as probe:
        timed = RunTime(probe.programs)
        before = timed.seconds()
        for _ in range(100_000):
            os.getppid()
        taken = timed.seconds() - before
        timed.close()
        timed.close()
    assert 100_000 * 1e-9 < taken < 10.0


def test_a_kernel_without_statistics_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch):
    """The error names the setting to leave out."""
    monkeypatch.setattr(run_time, "_RUN_TIME", 4096)
    with pytest.raises(KernelError, match="time_kernel_side"):
        RunTime([])


def test_ticks_say_what_the_kernel_side_took_where_it_was_asked():
    """`Cost.bpf_s` is there on request, and None without."""
    from oddcall.sensor.sensor import Sensor, SensorSettings

    for asked in (False, True):
        settings = SensorSettings(interval_s=0.1, max_processes=64, time_kernel_side=asked)
        with Sensor(settings) as sensor:
            tick = next(sensor.ticks())
        assert (tick.cost.bpf_s is not None) == asked
        assert not asked or tick.cost.bpf_s > 0
