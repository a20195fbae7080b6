"""Known workloads beside a real sensor: run one, and get every window it made."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from oddcall.models import calls
from oddcall.models.window import WindowBatch
from oddcall.sensor.sensor import Sensor, SensorSettings, Tick

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
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def step(process: subprocess.Popen[str]) -> str:
    """Let a workload that waits for a line go on, and read the line it answers."""
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline()


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


@contextmanager
def ticking(sensor: Sensor) -> Iterator[list[Tick]]:
    """Let an entered sensor tick meanwhile; all its ticks are in the list at the end."""
    ticks: list[Tick] = []
    watching = threading.Thread(target=lambda: ticks.extend(sensor.ticks()))
    watching.start()
    try:
        yield ticks
    finally:
        sensor.stop()
        watching.join()


def counted(ticks: list[Tick], output: str) -> Counted:
    windows = WindowBatch.concat([tick.windows for tick in ticks])
    return Counted(windows, ticks[-1].lost, output)


@pytest.fixture
def count(loader: str) -> Callable[..., Counted]:
    """Run a workload to its end under a sensor that ticks meanwhile."""

    def run(name: str, *arguments: object, **settings: float) -> Counted:
        chosen = SensorSettings(**{"interval_s": 0.2, **settings}, loader=loader)
        with Sensor(chosen) as sensor, ticking(sensor) as ticks:
            output = finish(start(name, *arguments))
        return counted(ticks, output)

    return run


@pytest.fixture
def tools() -> ModuleType:
    """The functions above, for tests that hold a sensor and a workload in their own hands."""
    return sys.modules[__name__]
