"""The running host as a source of ticks, and what its /proc says of who alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from oddcall.models.durations import format_duration
from oddcall.sensor import host, process
from oddcall.sensor.container_names import ContainerNames
from oddcall.sensor.sensor import Sensor, SensorSettings, Tick
from oddcall.service.alerts.context import Context
from oddcall.service.config.settings import SensorSection, Settings
from oddcall.service.origin import metadata_of

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
            max_cpu=section.max_cpu_percent / 100,
            time_kernel_side=section.time_kernel_side,
            simulate_loss=section.simulate_loss_percent / 100,
        )
    )


def how_it_counts(sensor: Sensor) -> str:
    """Say in one line which loader was taken, and why."""
    return f"counting with the loader {sensor.probe.loader} ({sensor.probe.why})"


def written(settings: Settings, *named: Path | None) -> list[Path]:
    """List what a watch writes to: the state directory, files of sinks, and what flags name."""
    files = [section.path for section in settings.sinks if section.type == "file"]
    return [settings.state_dir, *files, *filter(None, named)]


class Paced:
    """The sensor as a source that says when it looks less often, and when as often again.

    Parameters
    ----------
    sensor : Sensor
    say : callable
        Told one line.
    waiting : callable, optional
        Called between two ticks, some times a second.
    """

    def __init__(
        self,
        sensor: Sensor,
        say: Callable[[str], None],
        waiting: Callable[[], None] | None = None,
    ) -> None:
        self._sensor, self._say, self._waiting = sensor, say, waiting

    def ticks(self) -> Iterator[Tick]:
        """See `oddcall.service.source.Source`."""
        settings = self._sensor.settings
        interval_s, vain_share = settings.interval_s, None
        for tick in self._sensor.ticks(self._waiting):
            slower, vain = tick.interval_s > interval_s, tick.vain_share
            told = vain is not None and vain != vain_share
            if told or tick.interval_s != interval_s:
                share = vain if told else None
                self._say(_paced(tick.interval_s, settings.max_cpu, slower, share))
            interval_s, vain_share = tick.interval_s, vain
            yield tick

    def stop(self) -> None:
        """See `oddcall.service.source.Source`."""
        self._sensor.stop()


def _paced(interval_s: float, most: float, slower: bool, vain_share: float | None) -> str:
    """Say how often the sensor looks from now on, and why."""
    every = format_duration(interval_s)
    if vain_share is None:
        share = "more" if slower else "well less"
        return f"oddcall took {share} than {most:.0%} of a core: it now looks every {every}"
    return (
        f"oddcall takes {vain_share:.0%} of a core, more than {most:.0%}, and looking less often "
        f"saves nothing, as each process that comes and goes has its cost: it looks every {every}"
    )


def recording_metadata(sensor: Sensor) -> dict[str, str]:
    """Say where and how a recording by this sensor is made."""
    return metadata_of(host.describe(), sensor.settings.interval_s, sensor.probe.loader)


class AskHost:
    """Looks a process up that alerts: its arguments, its parent's name, its container's names."""

    def __init__(self) -> None:
        self._containers = ContainerNames()

    def __call__(self, pid: int, start_time_ns: int, ppid: int, container: str) -> Context:
        """See `oddcall.service.alerts.context.Describe`."""
        workload = asdict(self._containers.of(container)) if container else None
        # First, so that they are of this process if it is found to be still this one afterwards.
        arguments = process.cmdline(_PROC, pid)
        found = process.read(_PROC, pid)
        if found is None or not process.same_start(start_time_ns, found.start_ticks):
            return Context(parent=_name(ppid), workload=workload)
        return Context(arguments or None, _name(ppid), workload)


def _name(pid: int) -> str | None:
    parent = process.read(_PROC, pid) if pid > 0 else None
    return parent.comm if parent else None
