"""Known workloads beside a real sensor: run one, and get every window it made."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from oddcall.models import calls
from oddcall.models.window import WindowBatch
from oddcall.sensor.sensor import Sensor, SensorSettings

WORKLOADS = Path(__file__).parent / "workloads"


class Counted:
    """Every window that closed while a workload ran, and what was lost meanwhile."""

    def __init__(self, windows: WindowBatch, lost: dict[str, int], output: str) -> None:
        self.windows = windows
        self.lost = lost
        self.output = output

    def of(self, pids: set[int]) -> WindowBatch:
        return self.windows.take(np.isin(self.windows.pid, list(pids)))

    def total(self, block: str, number: int, rows: WindowBatch | None = None) -> int:
        dense = getattr(self.windows if rows is None else rows, block).to_dense()
        return int(dense[:, number].sum())

    def calls(self, name: str, rows: WindowBatch | None = None) -> int:
        return self.total("syscalls", calls.number(name), rows)


def start(name: str, *arguments: object) -> subprocess.Popen[str]:
    """Start ``workloads/NAME.py`` with this interpreter."""
    command = [sys.executable, str(WORKLOADS / f"{name}.py"), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    try:
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, f"the workload failed: {output}"
    return output


@pytest.fixture(params=["bcc", "core"])
def loader(request: pytest.FixtureRequest) -> str:
    """Both loaders must count the same."""
    return str(request.param)


@pytest.fixture
def count(loader: str) -> Callable[..., Counted]:
    """Run a workload to its end under a sensor that ticks meanwhile."""

    def run(name: str, *arguments: object, **settings: float) -> Counted:
        ticks = []
        with Sensor(SensorSettings(**{"interval_s": 0.2, **settings}, loader=loader)) as sensor:
            watching = threading.Thread(target=lambda: ticks.extend(sensor.ticks()))
            watching.start()
            try:
                output = finish(start(name, *arguments))
            finally:
                sensor.stop()
                watching.join()
        windows = WindowBatch.concat([tick.windows for tick in ticks])
        return Counted(windows, ticks[-1].lost, output)

    return run
