"""What this process may do and see here: capabilities, process tree, cgroups, memory, clock."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

from oddcall.sensor.check import Check
from oddcall.sensor.container_names import PLACES
from oddcall.sensor.privilege import LOADING, READING, missing

#: The number of the first pid namespace (``PROC_PID_INIT_INO``, include/linux/proc_ns.h).
_FIRST_PID_NAMESPACE = "pid:[4026531836]"
#: Kernel memory of the default 8,192 slots, the agent, and LLVM while it compiles.
_NEEDED_BYTES = 400_000_000
#: What a version 1 group without a limit says, or more.
_NO_LIMIT = 1 << 60
_WITHOUT = {
    "CAP_SYS_PTRACE": "the executables of other users' processes",
    "CAP_DAC_READ_SEARCH": "executables below closed folders, of processes that ended at once",
}


def checks(proc: Path, sys: Path, root: Path = Path("/")) -> list[Check]:
    """Look at what surrounds this process."""
    return [
        _capabilities(),
        _process_tree(proc),
        _cgroups(proc),
        _container_names(root),
        _memory(proc, sys),
        _clock(sys),
    ]


def _capabilities() -> Check:
    lacking, blind = missing(LOADING), missing(READING)
    if not lacking and not blind:
        return Check("capabilities", ok=True, detail="may load the program and read identities")
    if lacking:
        wanted = f"{' and '.join(lacking)} {'are' if len(lacking) > 1 else 'is'} missing to load"
    else:
        wanted = f"may load the program; {' and '.join(blind)} missing to read identities"
    fix = f"Type: sudo oddcall ..., or grant {', '.join([*lacking, *blind])}."
    essential = bool(lacking) or "CAP_SYS_PTRACE" in blind
    return Check(
        "capabilities",
        ok=not essential,
        detail=f"user id {os.geteuid()}: {wanted}",
        fix=fix if essential else "",
        missed=", ".join(_WITHOUT[name] for name in blind),
    )


def _process_tree(proc: Path) -> Check:
    """Pids that the kernel counts are those of the first namespace: /proc must show the same."""
    try:
        first = str((proc / "self/ns/pid").readlink()) == _FIRST_PID_NAMESPACE
    except OSError:
        first = True  # without namespaces there is but one tree
    if not first:
        return Check(
            "process tree",
            ok=False,
            detail="this is a pid namespace of its own",
            fix="Start the container with the host's pids: --pid=host, or hostPID: true.",
            missed="who a process is: executable, unit and container",
        )
    mounts = [line.split() for line in _read(proc / "mounts").splitlines()]
    options = next((f[3] for f in mounts if len(f) > 3 and f[:3:2] == ["proc", "proc"]), "")
    hidden = "hidepid" in options and "hidepid=0" not in options and "hidepid=off" not in options
    if hidden and missing(["CAP_SYS_PTRACE"]):
        return Check(
            "process tree",
            ok=False,
            detail=f"/proc is mounted with {options}",
            fix="Grant CAP_SYS_PTRACE, or mount /proc without hidepid.",
            missed="who other users' processes are",
        )
    return Check("process tree", ok=True, detail="the whole host's")


def _cgroups(proc: Path) -> Check:
    lines = _read(proc / "self/cgroup").splitlines()
    unified = any(line.startswith("0::") for line in lines)
    split = any(not line.startswith("0::") for line in lines)
    kind = {(True, False): "v2", (True, True): "hybrid", (False, True): "v1"}.get(
        (unified, split), "none"
    )
    return Check("cgroups", ok=True, detail=f"{kind}: units and containers are read from /proc")


def _container_names(root: Path) -> Check:
    """Say which runtimes' files can be read: without them alerts show ids."""
    there = {name: root / place for name, place in PLACES.items()}
    there = {name: place for name, place in there.items() if os.access(place, os.F_OK)}
    closed = [
        f"{place} of {name}"
        for name, place in there.items()
        if not os.access(place, os.R_OK | os.X_OK)
    ]
    if closed:
        return Check(
            "container names",
            ok=True,
            detail=f"{', '.join(closed)} may not be read: alerts show ids",
            missed="the names of containers, beside their ids",
        )
    told = f"read from the files of {', '.join(there)}" if there else "no runtime known here"
    return Check("container names", ok=True, detail=told)


def _memory(proc: Path, sys: Path) -> Check:
    """Read the limit of the group: since 5.11 that of locked memory no longer counts."""
    limit = min(_limits(proc, sys), default=_NO_LIMIT)
    locked = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    asks = "unlimited" if locked == resource.RLIM_INFINITY else f"{locked >> 10:,} KiB"
    unused = f"RLIMIT_MEMLOCK ({asks}) no longer matters"
    if limit >= _NO_LIMIT:
        return Check("memory", ok=True, detail=f"no limit by a cgroup; {unused}")
    detail = f"{limit / 1e6:,.0f} MB allowed by the cgroup; {unused}"
    if limit < _NEEDED_BYTES:
        fix = f"Allow {_NEEDED_BYTES / 1e6:.0f} MB, or lower sensor.max_processes."
        return Check("memory", ok=False, detail=detail, fix=fix)
    return Check("memory", ok=True, detail=detail)


def _limits(proc: Path, sys: Path) -> list[int]:
    """Memory limits of our group and of those above it, in bytes."""
    found = []
    for line in _read(proc / "self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0":
            base, name = sys / "fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            base, name = sys / "fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        place = base / path.lstrip("/")
        for folder in [place, *place.parents]:
            text = _read(folder / name)
            if text.isdigit():
                found.append(int(text))
            if folder == base:
                break
    return found


def _clock(sys: Path) -> Check:
    source = _read(sys / "devices/system/clocksource/clocksource0/current_clocksource")
    now = time.time()
    said = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    detail = f"{said}, clock source {source or 'not told'}"
    if now < Path(__file__).stat().st_mtime:
        fix = "Set it: windows and alerts carry its time. Type: timedatectl set-ntp true"
        return Check("clock", ok=False, detail=f"{detail}: before oddcall was installed", fix=fix)
    return Check("clock", ok=True, detail=detail)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
