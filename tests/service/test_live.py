"""The running host as a source: it says when it slows down."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from oddcall.sensor.sensor import SensorSettings, Tick
from oddcall.service.config.settings import SensorSection
from oddcall.service.live import Paced, open_sensor


class Slowing:
    """Ticks of so many seconds each."""

    settings = SensorSettings(interval_s=1.0, max_cpu=0.05)

    def __init__(self, tick: Tick, intervals: list[float]) -> None:
        self.given = [replace(tick, interval_s=interval) for interval in intervals]
        self.stopped = False

    def ticks(self, _waiting: object = None) -> Iterator[Tick]:
        yield from self.given

    def stop(self) -> None:
        self.stopped = True


def test_slowing_down_and_coming_back_are_each_said_in_one_line(batch: Any) -> None:
    """The cap and the new interval are in the line; a tick like the one before says nothing."""
    tick = Tick(0, 0.0, batch(), {}, 0, SimpleNamespace())
    sensor, said = Slowing(tick, [1.0, 2.0, 2.0, 4.0, 2.0, 1.0]), []
    source = Paced(sensor, said.append)
    assert list(source.ticks()) == sensor.given
    assert said == [
        "oddcall took more than 5% of a core: it now looks every 2s",
        "oddcall took more than 5% of a core: it now looks every 4s",
        "oddcall took well less than 5% of a core: it now looks every 2s",
        "oddcall took well less than 5% of a core: it now looks every 1s",
    ]
    source.stop()
    assert sensor.stopped


def test_what_looking_less_often_does_not_save_is_said_once_with_its_share(batch: Any) -> None:
    """A doubling that was taken back says what it takes now, and nothing more while it stays so."""
    tick = Tick(0, 0.0, batch(), {}, 0, SimpleNamespace())
    sensor, said = Slowing(tick, [1.0, 2.0, 1.0, 1.0, 1.0]), []
    vain = [None, None, 0.08, 0.08, None]
    sensor.given = [replace(t, vain_share=v) for t, v in zip(sensor.given, vain, strict=True)]
    list(Paced(sensor, said.append).ticks())
    assert said == [
        "oddcall took more than 5% of a core: it now looks every 2s",
        (
            "oddcall takes 8% of a core, more than 5%, and looking less often saves nothing, as "
            "each process that comes and goes has its cost: it looks every 1s"
        ),
    ]


def test_the_sensor_is_what_the_settings_say() -> None:
    """Percent become a share; the kernel side is timed on request only."""
    assert open_sensor(SensorSection()).settings.max_cpu == 0.05
    assert not open_sensor(SensorSection()).settings.time_kernel_side
    given = SensorSection(max_cpu_percent=20, time_kernel_side=True, simulate_loss_percent=25)
    asked = open_sensor(given).settings
    assert (asked.max_cpu, asked.time_kernel_side, asked.simulate_loss) == (0.2, True, 0.25)
    assert open_sensor(SensorSection()).settings.simulate_loss == 0.0


@pytest.mark.parametrize(
    ("modules", "spared"),
    [
        ("commands.record, {0}.live, {0}.record, {0}.screen", {"scipy", "bcc"}),
        ("commands.watch, {0}.live, {0}.session, {0}.screen", {"pyarrow", "bcc"}),
    ],
)
def test_the_agent_carries_only_what_it_uses(modules: str, spared: set[str]) -> None:
    """Recording does without the models' arithmetic, watching without Parquet: 20 and 30 MB."""
    names = modules.format("oddcall.service")
    code = f"import sys, oddcall.service.{names}; print(*{{m.split('.')[0] for m in sys.modules}})"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded
    assert not spared & set(loaded)
