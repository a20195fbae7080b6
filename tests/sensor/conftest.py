"""Known workloads beside a real sensor: run one, and get every window it made."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from oddcall.models import calls
from oddcall.models.window import WindowBatch
from oddcall.sensor.sensor import Sensor, SensorSettings, Tick

WORKLOADS = Path(__file__).parent / "workloads"
#: Nothing here takes this long. No promise hangs on time: this only ends a test that hangs.
PATIENCE_S = 240.0


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

    def calls(self, name: str, rows: WindowBatch | None = None, *, pid: int | None = None) -> int:
        rows = rows if pid is None else self.of({pid})
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


def finish(process: subprocess.Popen[str], said: str = "") -> str:
    """Say that to a workload, end its input, and give what it has printed when it ends."""
    try:
        output, _ = process.communicate(said, timeout=PATIENCE_S)
    finally:
        process.kill()
    assert process.returncode == 0, f"the workload failed: {output}"
    return output


def until(holds: Callable[[], bool]) -> None:
    """Wait for what must come to be, however long a busy machine takes."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)


@pytest.fixture(params=["bcc", "core"])
def loader(request: pytest.FixtureRequest) -> str:
    """Both loaders must count the same."""
    return str(request.param)


@contextmanager
def ticking(sensor: Sensor) -> Iterator[list[Tick]]:
    """Let an entered sensor tick meanwhile; its ticks are in the list as they come."""
    ticks: list[Tick] = []

    def tick() -> None:
        for one in sensor.ticks():
            ticks.append(one)  # noqa: PERF402  one by one: the test looks at it meanwhile

    watching = threading.Thread(target=tick)
    watching.start()
    try:
        yield ticks
    finally:
        sensor.stop()
        watching.join()


def counted(ticks: list[Tick], output: str = "") -> Counted:
    seen = list(ticks)  # another thread may add to it
    windows = WindowBatch.concat([tick.windows for tick in seen])
    return Counted(windows, seen[-1].lost if seen else {}, output)


@pytest.fixture
def count(loader: str) -> Callable[..., Counted]:
    """Run a workload to its end under a sensor that ticks meanwhile."""

    def run(name: str, *arguments: object, **settings: float) -> Counted:
        # A window that does not close by its age: a short process is one row, whatever its luck.
        chosen = SensorSettings(**{"interval_s": 0.2, "max_age_s": 60.0, **settings}, loader=loader)
        with Sensor(chosen) as sensor, ticking(sensor) as ticks:
            output = finish(start(name, *arguments))
        return counted(ticks, output)

    return run


@pytest.fixture
def begin(loader: str) -> Callable[..., AbstractContextManager[tuple[Any, list[Tick]]]]:
    """Run a workload that talks, under a sensor that ticks meanwhile; gives both."""

    @contextmanager
    def run(name: str, *arguments: object, **settings: float) -> Iterator[tuple[Any, list[Tick]]]:
        chosen = SensorSettings(**{"interval_s": 0.2, **settings}, loader=loader)
        with Sensor(chosen) as sensor, ticking(sensor) as ticks:
            process = start(name, *arguments)
            try:
                yield process, ticks
            finally:
                process.kill()
                process.communicate()

    return run


@pytest.fixture
def tools() -> ModuleType:
    """The functions above, for tests that hold a sensor and a workload in their own hands."""
    return sys.modules[__name__]
