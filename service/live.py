"""The running host as a source of ticks, and what its /proc says of who alerts."""

from __future__ import annotations

from pathlib import Path

from oddcall.sensor import host, process
from oddcall.sensor.sensor import Sensor, SensorSettings
from oddcall.service.context import Context
from oddcall.service.origin import metadata_of
from oddcall.service.settings import SensorSection

_PROC = Path("/proc")


def open_sensor(section: SensorSection) -> Sensor:
    """Build the sensor that the settings ask for; it begins to count when entered."""
    return Sensor(
        SensorSettings(
            interval_s=section.interval,
            min_events=section.min_events,
            max_age_s=section.max_age,
            max_processes=section.max_processes,
            max_programs=section.max_programs,
            loader=section.loader,
        )
    )


def how_it_counts(sensor: Sensor) -> str:
    """Say in one line which loader was taken, and why."""
    return f"counting with the loader {sensor.probe.loader} ({sensor.probe.why})"


def recording_metadata(sensor: Sensor) -> dict[str, str]:
    """Say where and how a recording by this sensor is made."""
    return metadata_of(host.describe(), sensor.settings.interval_s, sensor.probe.loader)


def ask_proc(pid: int, start_time_ns: int, ppid: int) -> Context:
    """Read a process's arguments and its parent's name, if it is still that process."""
    # First, so that they are of this process if it is found to be still this one afterwards.
    arguments = process.cmdline(_PROC, pid)
    found = process.read(_PROC, pid)
    if found is None or not process.same_start(start_time_ns, found.start_ticks):
        return Context(parent=_name(ppid))
    return Context(arguments or None, _name(ppid))


def _name(pid: int) -> str | None:
    parent = process.read(_PROC, pid) if pid > 0 else None
    return parent.comm if parent else None
