"""What the host offers the sensor, what it lacks, and what to type: the sensor's part of doctor."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from oddcall.models.errors import KernelError, OddcallError
from oddcall.sensor.btf import ARCH_FIELDS, kernel_layout
from oddcall.sensor.privilege import require_privilege
from oddcall.sensor.probe import LOADERS, Probe, ProbeSettings

#: First kernel with everything used: the boot clock in programs is of 5.8, and the current
#: task as a typed pointer of 5.11.
OLDEST = (5, 11)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of doctor.

    Attributes
    ----------
    name : str
    ok : bool
        False where the sensor cannot run, or would miss what it promises to see.
    detail : str
        What was found.
    fix : str
        What to type or change; ``""`` where nothing is wrong.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""


def checks(proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> list[Check]:
    """Look at everything the sensor depends on; the last checks really load the program."""
    return [
        _kernel(),
        _attempt("privilege", require_privilege, "may load programs"),
        _attempt("kernel types", _layout, "BTF read through libbpf"),
        _jit(proc),
        _lockdown(sys),
        _cgroups(proc),
        _io_uring(),
        _compat(proc),
        *_loaders(),
    ]


def _kernel() -> Check:
    release, arch = platform.release(), platform.machine()
    found = re.match(r"(\d+)\.(\d+)", release)
    version = tuple(int(n) for n in found.groups()) if found else (0, 0)
    ok = version >= OLDEST and arch in ARCH_FIELDS
    fix = f"oddcall needs Linux {OLDEST[0]}.{OLDEST[1]} or later on {' or '.join(ARCH_FIELDS)}."
    return Check("kernel", ok, f"Linux {release} on {arch}", "" if ok else fix)


def _attempt(name: str, attempt: Callable[[], object], detail: str) -> Check:
    """Turn what can be raised into a check."""
    try:
        found = attempt()
    except OddcallError as error:
        what = f"{error.what}: {error.got}" if error.got else error.what
        return Check(name, ok=False, detail=what, fix=error.fix)
    return Check(name, ok=True, detail=detail or str(found))


def _layout() -> None:
    kernel_layout(platform.machine())


def _jit(proc: Path) -> Check:
    on = _read(proc / "sys/net/core/bpf_jit_enable") != "0"
    fix = "Type: sysctl -w net.core.bpf_jit_enable=1"
    detail = "programs are compiled" if on else "programs are interpreted: slow"
    return Check("JIT", on, detail, "" if on else fix)


def _lockdown(sys: Path) -> Check:
    text = _read(sys / "kernel/security/lockdown")
    mode = re.search(r"\[(\w+)\]", text)
    found = mode.group(1) if mode else "none"
    ok = found != "confidentiality"
    fix = "Lockdown 'confidentiality' forbids reading kernel memory: boot with 'integrity'."
    return Check("lockdown", ok, found, "" if ok else fix)


def _cgroups(proc: Path) -> Check:
    lines = _read(proc / "self/cgroup").splitlines()
    unified = any(line.startswith("0::") for line in lines)
    split = any(not line.startswith("0::") for line in lines)
    kind = {(True, False): "v2", (True, True): "hybrid", (False, True): "v1"}.get(
        (unified, split), "none"
    )
    return Check("cgroups", ok=True, detail=f"{kind}: units and containers are read from /proc")


def _io_uring() -> Check:
    try:
        tracepoint = kernel_layout(platform.machine()).uring_tracepoint
    except OddcallError:
        tracepoint = ""
    if tracepoint:
        return Check("io_uring", ok=True, detail=f"submissions counted at {tracepoint}")
    fix = "They are missed before Linux 6.0: forbid them, or run a later kernel."
    return Check("io_uring", ok=False, detail="no tracepoint that tells the opcode", fix=fix)


def _compat(proc: Path) -> Check:
    on = (proc / "sys/abi/vsyscall32").exists()
    detail = "32-bit calls possible, counted apart" if on else "32-bit calls not possible here"
    return Check("32-bit calls", ok=True, detail=detail)


def _loaders() -> list[Check]:
    """Try every loader for a moment. One that fails is no fault where another works."""
    tried = {name: _attempt(f"loader {name}", partial(_load, name), "") for name in LOADERS}
    taken = next((name for name, check in tried.items() if check.ok), "")
    if not taken:
        program = _attempt("program", partial(_load, "auto"), "")
        return [*tried.values(), program]
    said = [_as_alternative(name, check, taken) for name, check in tried.items()]
    return [*said, Check("program", ok=True, detail=f"counts, with the loader {taken}")]


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


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
