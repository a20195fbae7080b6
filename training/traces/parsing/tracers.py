"""What auditd, perf, ftrace and ltrace write: which process began which call, a line each.

strace and sysdig have modules of their own: what they write says more of processes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

from oddcall.models.calls import compat_names, names
from oddcall.training.traces.parsing.tokens import foreign

#: Bytes and lines by which a tracer is known, and the part of them that is as it writes: what the
#: traced program printed may stand between.
_HEAD, _LINES, _MOST = 16_384, 50, 0.5
#: Process and thread before a call of ltrace.
_PID = rb" *(?:\[pid (?P<process>\d+)\] +)?(?:\d+[:.][\d:.]+ +)?"
#: Time and duration of perf trace.
_TIMED = rb" *(?:\?|\d+\.\d+) +\( *(?:\d+\.\d+ ms)? *\): "
#: Task, its number, its group, processor, flags and time of ftrace, trace-cmd and perf script.
_TASK = (
    rb" *\S.{0,20}?[- ](?P<process>\d+)(?:/\d+)? +(?:\( *[-\d]+\) +)?(?:\[\d+\] +)?"
    rb"(?:[.\w#-]{1,8} +)?\d+\.\d+: +"
)
#: Architectures by the number that auditd writes (AUDIT_ARCH, include/uapi/linux/audit.h), with
#: whether calls are those of 32 bits.
_ARCHES = {
    b"c000003e": ("x86_64", False),
    b"40000003": ("x86_64", True),
    b"c00000b7": ("aarch64", False),
    b"40000028": ("aarch64", True),
}


class Tracer(NamedTuple):
    """How one writes.

    Attributes
    ----------
    name : str
    line : pattern
        What its lines begin with.
    call : pattern
        Of a line on which a call begins: ``process``, ``call``, and ``arch`` where it is written.
    by_process : bool
        Whether a file is of a whole host, so that a trace is a process of it.
    """

    name: str
    line: re.Pattern[bytes]
    call: re.Pattern[bytes]
    by_process: bool = False


AUDITD = Tracer(
    "auditd",
    re.compile(rb"(?:node=\S+ )?type=\S+ msg=audit\(|----\s*$|time->"),
    re.compile(
        rb"(?:node=\S+ )?type=SYSCALL msg=audit\([^)]*\) ?: (?:arch=(?P<arch>\S+) )?"
        rb".*?\bsyscall=(?P<call>[\w-]+).*? pid=(?P<process>\d+)"
    ),
    by_process=True,
)
TRACERS = (
    AUDITD,
    Tracer(
        "perf trace",
        re.compile(_TIMED),
        re.compile(_TIMED + rb"(?:.{0,20}?/(?P<process>\d+) +)?(?P<call>[a-z_]\w*)\("),
    ),
    Tracer(
        "ftrace",
        re.compile(_TASK),
        re.compile(
            _TASK + rb"(?:(?:raw_syscalls:)?sys_enter: +NR (?=-?\d)|(?:syscalls:)?sys_enter_"
            rb"(?=\w+[:(])|(?=sys_\w+\())(?P<call>-?\w+)"
        ),
        by_process=True,
    ),
    Tracer(
        "ltrace -S",
        re.compile(_PID + rb"[A-Za-z_][\w.]*(?:->\w+)?(?:@[\w.]+)?\("),
        re.compile(_PID + rb"(?P<call>SYS_\w+(?=\()|[a-z_]\w*(?=@SYS\())"),
    ),
)


def tracer_of(text: bytes) -> Tracer | None:
    """Tell by its first lines which of them wrote a text; None where it is of another kind."""
    lines = (line for line in text[:_HEAD].splitlines() if line.strip())
    head = [line for line in lines if not line.startswith(b"#")][:_LINES]
    for tracer in TRACERS:
        begin = sum(tracer.line.match(line) is not None for line in head)
        if not begin or begin < _MOST * len(head):
            continue
        # Rules of auditd are of other events as well, and no other text is written so.
        if tracer is AUDITD or any(map(tracer.call.match, head)):
            return tracer
    return None


def events(lines: Iterable[bytes], tracer: Tracer, where: str) -> Iterator[tuple[str, bytes]]:
    """Give process and call of each line on which one begins.

    Numbers of auditd become names where the architecture is known: a log holds calls of several.

    Raises
    ------
    RecordingError
        No line is of a call.
    """
    none = True
    for line in lines:
        if said := tracer.call.match(line):
            none, call = False, said["call"]
            if tracer is AUDITD and said["arch"] in _ARCHES:
                call = _named(said["arch"], call)
            yield (said["process"] or b"").decode(), call
    if none:
        raise foreign(
            where,
            f"what {tracer.name} wrote, without a line of a call",
            "Let auditd write calls, as `auditctl -a always,exit -F arch=b64 -S all -F pid=PID`"
            " makes it do, or take the file away.",
        )


@cache
def _named(arch: bytes, call: bytes) -> bytes:
    """Name a call of an architecture; one by name, or past the table, is left as it is."""
    machine, narrow = _ARCHES[arch]
    table = compat_names(machine) if narrow else names(machine)
    # The last of a table is of all that is past it.
    known = call.isdigit() and len(call) < 6 and int(call) < len(table) - 1
    return table[int(call)].encode() if known else call
