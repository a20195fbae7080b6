"""A seccomp profile in the form that container runtimes take, from what a program was seen to call.

The form is the runtime specification's ``linux.seccomp`` (opencontainers/runtime-spec,
``config-linux.md``), which runc, crun, Docker, Podman, containerd and CRI-O read; entries may carry
a ``comment``, which they pass over.
"""

from __future__ import annotations

import errno
from typing import Any

from oddcall.models import calls
from oddcall.models.durations import format_duration
from oddcall.models.errors import SettingError
from oddcall.models.window import CALLS
from oddcall.service.advise.evidence import Evidence
from oddcall.service.alerts.alert import iso
from oddcall.service.quantities import counted

#: Calls that a count at their return does not see, or that come before the program: the end of
#: a thread and of a process, the way back from a signal, and becoming the program at all.
ALWAYS = ("execve", "exit", "exit_group", "restart_syscall", "rt_sigreturn")
#: Machine -> its architecture in profiles, and those its kernels run besides.
ARCHITECTURES = {
    "x86_64": ("SCMP_ARCH_X86_64", ("SCMP_ARCH_X86", "SCMP_ARCH_X32")),
    "aarch64": ("SCMP_ARCH_AARCH64", ("SCMP_ARCH_ARM",)),
}


def profile(evidence: Evidence, arch: str, *, enforce: bool = False) -> dict[str, Any]:
    """Lay a profile out.

    Parameters
    ----------
    evidence : Evidence
    arch : str
        Of the host it was gathered on, as ``uname -m`` says.
    enforce : bool, default False
        Refuse other calls with EPERM, instead of allowing and logging them.

    Raises
    ------
    SettingError
        When the architecture's calls have no names here.
    """
    if arch not in ARCHITECTURES:
        raise SettingError(
            "no profile can be made for this architecture",
            expected=" or ".join(ARCHITECTURES),
            got=repr(arch),
        )
    native, others = ARCHITECTURES[arch]
    # A call of an architecture that is not listed ends the process, whatever the default: while
    # one only looks, all are listed; enforced, 32-bit calls that were never seen may go that way.
    listed = [native, *(others if evidence.compat or not enforce else ())]
    named = [calls.name(number, arch) for number in evidence.calls if number < CALLS - 1]
    allowed = sorted({name for name in named if _has_name(name)} | set(ALWAYS))
    entries = [_entry(allowed, "; ".join(completeness(evidence, arch)))]
    compat = {calls.compat_name(n, arch) for n in evidence.compat if n < CALLS - 1}
    if more := sorted(name for name in compat - set(allowed) if _has_name(name)):
        entries.append(_entry(more, "32-bit calls"))
    refused = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": int(errno.EPERM)}
    default = refused if enforce else {"defaultAction": "SCMP_ACT_LOG"}
    return {**default, "architectures": listed, "syscalls": entries}


def completeness(evidence: Evidence, arch: str) -> list[str]:
    """Say in a few clauses how complete the evidence is."""
    span = format_duration(max((evidence.last_ns - evidence.first_ns) / 1e9, 1))
    compat = f" and {len(evidence.compat)} 32-bit" if evidence.compat else ""
    begin, end = iso(evidence.first_ns), iso(evidence.last_ns)
    said = [
        f"{', '.join(evidence.programs)}: {counted(len(evidence.calls), 'call')}{compat}",
        f"seen in {counted(evidence.windows, 'window')} over {span}, {begin} to {end}",
        _newest(evidence, arch),
    ]
    if evidence.left_out:
        said.append(f"without {', '.join(evidence.left_out)}: no baseline of their own")
    if not evidence.settled:
        said.append(f"NOT settled: {evidence.new_rate:.0%} of its later windows held something new")
    unnamed = len([n for n in evidence.calls if not _has_name(calls.name(n, arch))])
    if unnamed or CALLS - 1 in evidence.calls:
        said.append(f"{counted(unnamed or 1, 'call')} without a known name left out")
    if evidence.uring:
        said.append("it uses io_uring, whose operations seccomp does not see")
    return said


def _newest(evidence: Evidence, arch: str) -> str:
    newest = evidence.newest
    if newest is None:
        return "when the last new call was met is not known (give --recording)"
    name = (calls.compat_name if newest.compat else calls.name)(newest.number, arch)
    before = format_duration(max((newest.end_ns - newest.at_ns) / 1e9, 1))
    return f"the last new call was {name} at {iso(newest.at_ns)}, {before} before the end"


def _has_name(name: str) -> bool:
    return not name.startswith(("syscall_", "syscalls past"))


def _entry(names: list[str], comment: str) -> dict[str, Any]:
    return {"names": names, "action": "SCMP_ACT_ALLOW", "comment": comment}
