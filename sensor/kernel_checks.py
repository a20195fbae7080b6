"""What the running kernel is and offers: version, configuration, types, tracepoints, lockdown."""

from __future__ import annotations

import gzip
import platform
import re
from pathlib import Path

from oddcall.models.errors import OddcallError
from oddcall.sensor.btf import ARCH_FIELDS, Btf, kernel_layout
from oddcall.sensor.check import Check
from oddcall.sensor.loader import HOOKS

#: First kernel with everything used: the boot clock in programs is of 5.8, and the current
#: task as a typed pointer of 5.11.
OLDEST = (5, 11)
#: What a kernel must be built with, and what for.
_OPTIONS = {
    "CONFIG_BPF_SYSCALL": "programs",
    "CONFIG_BPF_EVENTS": "programs at tracepoints",
    "CONFIG_DEBUG_INFO_BTF": "the kernel's types",
    "CONFIG_HAVE_SYSCALL_TRACEPOINTS": "the tracepoint of calls",
}
_OTHER_KERNEL = "Run a distribution's kernel of 2021 or later."
#: What each hook is for, where it is not there.
_WITHOUT = {
    "sys_exit": "every system call",
    "sched_process_exec": "which program a process became",
    "sched_process_fork": "forks, and who began a process",
    "sched_process_exit": "the end of processes, and so their last counts",
}


def checks(proc: Path, sys: Path, root: Path) -> list[Check]:
    """Look at the kernel."""
    return [
        _kernel(),
        _configuration(proc, root),
        _types(),
        *_tracepoints(),
        _tracefs(proc),
        _jit(proc),
        _lockdown(sys),
        _io_uring(),
        _compat(proc),
    ]


def _kernel() -> Check:
    release, arch = platform.release(), platform.machine()
    found = re.match(r"(\d+)\.(\d+)", release)
    version = tuple(int(n) for n in found.groups()) if found else (0, 0)
    ok = version >= OLDEST and arch in ARCH_FIELDS
    fix = f"oddcall needs Linux {OLDEST[0]}.{OLDEST[1]} or later on {' or '.join(ARCH_FIELDS)}."
    return Check("kernel", ok, f"Linux {release} on {arch}", "" if ok else fix)


def _configuration(proc: Path, root: Path) -> Check:
    release = platform.release()
    places = (
        proc / "config.gz",
        root / "boot" / f"config-{release}",
        root / "lib" / "modules" / release / "config",
    )
    for place in places:
        text = _unpacked(place)
        if text:
            lacking = [name for name in _OPTIONS if f"\n{name}=y" not in f"\n{text}"]
            if not lacking:
                return Check("configuration", ok=True, detail=f"all that is needed ({place})")
            told = ", ".join(f"{name} ({_OPTIONS[name]})" for name in lacking)
            return Check("configuration", ok=False, detail=f"without {told}", fix=_OTHER_KERNEL)
    return Check("configuration", ok=True, detail="not told by this kernel: the loaders will show")


def _unpacked(place: Path) -> str:
    try:
        raw = place.read_bytes()
        return (gzip.decompress(raw) if place.suffix == ".gz" else raw).decode("ascii", "replace")
    except (OSError, EOFError):
        return ""


def _types() -> Check:
    try:
        layout = kernel_layout(platform.machine())
    except OddcallError as error:
        return Check.failed("kernel types", error)
    return Check(
        "kernel types", ok=True, detail=f"BTF tells all {len(layout.offsets)} fields that are read"
    )


def _tracepoints() -> list[Check]:
    """One check a hook: whether the kernel has that raw tracepoint, by its BTF."""
    try:
        btf = Btf()
    except OddcallError:
        return []  # said by the check before
    try:
        return [_tracepoint(name, there=btf.tracepoint(name) > 0) for name in HOOKS]
    finally:
        btf.close()


def _tracepoint(name: str, *, there: bool) -> Check:
    if there:
        return Check(f"tracepoint {name}", ok=True, detail="there")
    return Check(
        f"tracepoint {name}",
        ok=False,
        detail="this kernel has none of that name",
        fix=_OTHER_KERNEL,
        missed=_WITHOUT[name],
    )


def _tracefs(proc: Path) -> Check:
    """Where it is mounted: for people who look beside us. Raw tracepoints do without."""
    mounts = [line.split() for line in _read(proc / "mounts").splitlines()]
    at = [fields[1] for fields in mounts if len(fields) > 2 and fields[2] == "tracefs"]
    found = f"mounted at {at[0]}" if at else "not mounted"
    return Check("tracefs", ok=True, detail=f"{found}; raw tracepoints do without it")


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


def _io_uring() -> Check:
    try:
        tracepoint = kernel_layout(platform.machine()).uring_tracepoint
    except OddcallError:
        tracepoint = ""
    if tracepoint:
        return Check("io_uring", ok=True, detail=f"submissions counted at {tracepoint}")
    fix = "They are missed before Linux 6.0: forbid them, or run a later kernel."
    return Check(
        "io_uring",
        ok=False,
        detail="no tracepoint that tells the opcode",
        fix=fix,
        missed="what is done through io_uring",
    )


def _compat(proc: Path) -> Check:
    on = (proc / "sys/abi/vsyscall32").exists()
    detail = "32-bit calls possible, counted apart" if on else "32-bit calls not possible here"
    return Check("32-bit calls", ok=True, detail=detail)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
