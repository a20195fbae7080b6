"""Doctor's view of sensors that run: what they have lost is read from the kernel."""

from __future__ import annotations

import os

import numpy as np
import pytest

from oddcall.sensor import checks
from oddcall.sensor.probe import Probe, ProbeSettings
from oddcall.sensor.running import Running, running


@pytest.mark.kernel
def test_a_sensor_that_loses_is_seen_with_what_it_has_lost(loader, tools):
    """Another process that looks finds the sensor's room, what it tracks and what it lost."""
    # Numbers of slots that nobody else's sensor is likely to have.
    with (
        Probe(ProbeSettings(slots=77, loader=loader, simulate_loss=1.0)) as lossy,
        Probe(ProbeSettings(slots=7001, loader=loader)) as whole,
    ):
        for _ in range(10_007):
            os.getppid()
        found = {one.slots: one for one in running()}
        assert found[76].lost["events without a slot"] >= 10_007
        assert 0 < found[76].lost["processes without a slot"] <= int(lossy.maps.tally[1])
        assert found[76].tracked == 0
        assert 0 < found[7000].tracked <= np.count_nonzero(whole.maps.heads["serial"])
        assert set(found[7000].lost.values()) == {0}
        assert found[7000].pid == os.getpid()
        told = [check for check in checks.sensors() if "at most 76 " in check.detail]
        assert [check.ok for check in told] == [False]
        assert "max_processes" in told[0].fix
    # The kernel frees programs in its own time.
    tools.until(lambda: not {76, 7000} & {one.slots for one in running()})


def test_each_sensor_is_a_line(monkeypatch: pytest.MonkeyPatch):
    """Nothing lost is well; what was lost is told by kind, with what to change; none is none."""
    found = [
        Running(8191, 313, {"events without a slot": 0}),
        Running(255, 255, {"events without a slot": 5003, "processes without a slot": 2}, pid=77),
    ]
    monkeypatch.setattr(checks, "running", lambda: found)
    well, lossy = checks.sensors()
    assert (well.ok, well.detail) == (True, "counts 313 of at most 8,191 processes, lost 0")
    assert lossy.detail == (
        "process 77 counts 255 of at most 255 processes, lost 5,003 events without a slot, "
        "2 processes without a slot"
    )
    assert "the oddcall that is process 77" in lossy.fix
    assert "process 77" in lossy.missed
    found.clear()
    for lacks, said in (((), "none runs now"), (("CAP_SYS_ADMIN",), "not looked: it takes CAP_S")):
        monkeypatch.setattr(checks, "missing", lambda _wanted, lacks=lacks: list(lacks))
        (check,) = checks.sensors()
        assert check.ok
        assert check.detail.startswith(said), "what was not looked at is not said to be none"
