"""Staying: a job, a unit and a link that would run something again, in folders that nobody runs."""

from __future__ import annotations

import os
from pathlib import Path

from oddcall.service.simulate.behaviour import Behaviour, Bounds, Facts

_JOB = b"*/5 * * * * nobody /bin/true\n"
_UNIT = b"[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=default.target\n"
_UNITS = 20
_JOBS, _WANTED = "cron.d", "default.target.wants"


def _write_job(bounds: Bounds) -> Facts:
    job = bounds.room / _JOBS / "refresh"
    _install(_JOB, job)
    mode = job.stat().st_mode & 0o777
    return {"bytes": len(_JOB), "mode": f"{mode:o}"}


def _install(content: bytes, path: Path) -> None:
    """Write beside, flush, hide from others, and rename: how a careful intruder does it too."""
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, content)
        os.fchmod(descriptor, 0o600)
        os.fchown(descriptor, os.getuid(), os.getgid())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    fresh.rename(path)


def _link_units(bounds: Bounds) -> Facts:
    linked = 0
    wanted = bounds.room / _WANTED
    for turn in bounds.times(_UNITS):
        unit = bounds.room / f"session-{turn}.service"
        unit.write_bytes(_UNIT)
        unit.chmod(0o644)
        (wanted / unit.name).symlink_to(unit)
        linked += (wanted / unit.name).read_bytes() == _UNIT
    return {"linked": linked}


CRON_JOB = Behaviour(
    name="cron-job",
    technique="T1053.003",
    summary="Writes a job into a cron.d and renames it into place.",
    expects=("openat", "write", "fchmod", "fchown", "fsync", "rename"),
    cause=("fchmod", "fchown", "fsync", "rename"),
    harmless_because="the folder is a temporary one that no cron reads, and the job is `true`",
    act=_write_job,
    prepare=lambda room: (room / _JOBS).mkdir(),
)

AUTOSTART_UNIT = Behaviour(
    name="autostart-unit",
    technique="T1543.002",
    summary="Writes 20 service units and links each where an init system would start it from.",
    expects=("openat", "write", "chmod", "symlink"),
    cause=("chmod", "symlink"),
    harmless_because="the folder is a temporary one that no init system reads",
    act=_link_units,
    prepare=lambda room: (room / _WANTED).mkdir(),
)
