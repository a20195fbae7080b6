"""What the host offers the sensor, what it lacks, and what to type: the sensor's part of doctor."""

from __future__ import annotations

import os
import time
from pathlib import Path

from oddcall.models.errors import KernelError, OddcallError
from oddcall.sensor import host_checks, kernel_checks
from oddcall.sensor.check import Check
from oddcall.sensor.privilege import LOADING, LOOKING, missing
from oddcall.sensor.probe import LOADERS, Probe, ProbeSettings
from oddcall.sensor.running import Running, running

_UNTRIED = "not tried: it takes CAP_BPF and CAP_PERFMON"


def checks(
    proc: Path = Path("/proc"), sys: Path = Path("/sys"), root: Path = Path("/")
) -> list[Check]:
    """Look at everything the sensor depends on; the last checks really load the program.

    Parameters
    ----------
    proc, sys : Path
        Where these are mounted.
    root : Path
        Below which the kernel's configuration and container runtimes are looked for.
    """
    return [
        *kernel_checks.checks(proc, sys, root),
        *host_checks.checks(proc, sys, root),
        *sensors(),
        *_loaders(),
    ]


def sensors() -> list[Check]:
    """Say of each sensor that runs on this host now, in whichever process, what it has lost."""
    found = [_sensor(one) for one in running()]
    if not found and missing(LOOKING):
        return [Check("sensors", ok=True, detail="not looked: it takes CAP_SYS_ADMIN")]
    return found or [Check("sensors", ok=True, detail="none runs now")]


def _sensor(one: Running) -> Check:
    lost = ", ".join(f"{count:,} {kind}" for kind, count in one.lost.items() if count)
    whose = f"process {one.pid} " if one.pid else ""
    detail = f"{whose}counts {one.tracked:,} of at most {one.slots:,} processes, lost {lost or 0}"
    if not lost:
        return Check("sensor", ok=True, detail=detail)
    that = f"the oddcall that is process {one.pid}" if one.pid else "that oddcall"
    fix = f"Raise the setting sensor.max_processes of {that}, and start it again."
    missed = f"what {that} had no room for: its windows say so too"
    return Check("sensor", ok=False, detail=detail, fix=fix, missed=missed)


def _loaders() -> list[Check]:
    """Try every loader for a moment. One that fails is no fault where another works."""
    if missing(LOADING):
        names = [*(f"loader {name}" for name in LOADERS), "program"]
        fix = "Type: sudo oddcall doctor"
        return [Check(name, ok=False, detail=_UNTRIED, fix=fix) for name in names]
    tried = {name: _attempt(f"loader {name}", name) for name in LOADERS}
    taken = next((name for name, check in tried.items() if check.ok), "")
    if not taken:
        return [*tried.values(), _attempt("program", "auto")]
    said = [_as_alternative(name, check, taken) for name, check in tried.items()]
    return [*said, Check("program", ok=True, detail=f"counts, with the loader {taken}")]


def _attempt(name: str, loader: str) -> Check:
    try:
        found = _load(loader)
    except OddcallError as error:
        return Check.failed(name, error)
    return Check(name, ok=True, detail=found)


def _as_alternative(name: str, check: Check, taken: str) -> Check:
    if not check.ok:
        return Check(check.name, ok=True, detail=f"cannot be used here: {check.detail}")
    chosen = "auto takes it" if name == taken else f"auto prefers {taken}"
    return Check(check.name, ok=True, detail=f"{check.detail}; {chosen}")


def _load(loader: str) -> str:
    """Load and attach for a moment, and see that a call of our own is counted."""
    began = time.perf_counter()
    with Probe(ProbeSettings(slots=64, loader=loader)) as probe:
        took = time.perf_counter() - began
        os.getppid()
        counted = int(probe.maps.counts[probe.maps.heads["state"] != 0].sum())
    if not counted:
        raise KernelError(
            "the program was attached but counted nothing",
            expected="at least our own calls",
            got="0 calls",
            fix="Please report this with the output of: uname -a",
        )
    return f"loads, attaches and counts, in {took:.1f} s"
