"""What a symbol counts when a program shows it for the first time.

A call, a failing call, a transition, an io_uring opcode, a 32-bit call, a fork or an exec. How
rarely settled programs meet each kind on clean time says how much one is worth; what a call can
do says the rest, since the rarest are never met at all.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from oddcall.models import calls
from oddcall.models.features import SCALARS, FeatureSpec
from oddcall.models.window import BLOCKS

_SPEC = FeatureSpec()
#: What one unseen symbol of a block counts. Of the clean windows that hold anything new, on
#: hosts with web, database, shell, package and compiler work, 96 % hold new transitions only.
WEIGHTS = {"syscalls": 2.5, "errors": 1.0, "transitions": 0.5, "uring": 4.0, "compat": 8.0}
#: The first fork or exec ever of a program.
LIFE_WEIGHT = 2.0
#: A call that reaches out of the process, into another or towards another program. Of 136,000
#: clean windows of 65 settled programs one held a first ``socket``, and ten some other first call.
REACHING = 8.0
_REACHING = frozenset(
    """
    accept accept4 bind clone clone3 connect dup3 execve execveat fork io_uring_setup kill listen
    sendto sendmsg sendmmsg socket socketpair tkill vfork chroot fchmodat chmod fchmod chown
    fchownat setgroups setpgid tgkill pidfd_open pidfd_send_signal sched_yield setrlimit
    name_to_handle_at
    """.split()  # noqa: SIM905 - thirty quoted names read worse
)
#: A call that takes powers, changes what the kernel runs or sees into others: in two hours and
#: 506,000 windows on busy hosts the only settled programs with a first one were two that tested
#: oddcall, which loads eBPF. So much that one alone is told among a thousand usual calls;
#: what fills its window was told at half of it.
POWERFUL = 20.0
_POWERFUL = frozenset(
    """
    acct add_key adjtimex bpf capset clock_adjtime clock_settime delete_module fanotify_init
    finit_module init_module ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie
    memfd_create memfd_secret mount mount_setattr move_mount fsopen fsconfig open_tree
    open_by_handle_at perf_event_open personality pidfd_getfd pivot_root process_madvise
    process_vm_readv process_vm_writev ptrace quotactl reboot request_key seccomp setdomainname
    setfsgid setfsuid setgid sethostname setns setregid setresgid setresuid setreuid
    settimeofday setuid swapoff swapon syslog umount2 unshare userfaultfd vhangup
    """.split()  # noqa: SIM905 - sixty quoted names read worse
)


@cache
def symbol_weights(arch: str) -> NDArray[np.float32]:
    """Weigh every symbol for when it is first met, (D,), by the call numbers of ``arch``."""
    weights = np.zeros(_SPEC.width, np.float32)
    for block, weight in WEIGHTS.items():
        start = _SPEC.starts[block]
        weights[start : start + BLOCKS[block]] = weight
    for scalar in ("forks", "execs"):
        weights[_SPEC.column("scalars", SCALARS.index(scalar))] = LIFE_WEIGHT
    for number, name in enumerate(calls.names(arch)):
        special = POWERFUL if name in _POWERFUL else REACHING if name in _REACHING else 0.0
        weights[_SPEC.column("syscalls", number)] = max(special, WEIGHTS["syscalls"])
    return weights
