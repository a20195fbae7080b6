"""Promises of what tracers write: calls count where they begin, by process, and nothing else is."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from oddcall.models.errors import EvidenceError, RecordingError
from oddcall.training.traces.parsing.apart import traces_of
from oddcall.training.traces.parsing.layouts import lines_of
from oddcall.training.traces.parsing.reading import read_split
from oddcall.training.traces.parsing.tracers import tracer_of
from oddcall.training.traces.traces import Vocabulary

from ..written import everything, put, read

AUDIT = "type=SYSCALL msg=audit(1700000000.{n}:{n}): arch={arch} syscall={call} success=yes exit=0"
AUDIT += ' a0=3 a1=7ffd items=0 ppid=1 pid={pid} auid=0 comm="sh" exe="/bin/sh" key=(null)\n'
AUDIT += "type=PROCTITLE msg=audit(1700000000.{n}:{n}): proctitle=7368\n"


def audited(*calls: tuple[int, str, str]) -> str:
    lines = (
        AUDIT.format(n=100 + n, pid=pid, arch=arch, call=call)
        for n, (pid, arch, call) in enumerate(calls)
    )
    return "type=DAEMON_START msg=audit(1700000000.1:1): op=start ver=3.0\n" + "".join(lines)


INTERPRETED = """\
----
type=PROCTITLE msg=audit(11/27/26 07:00:00.100:41) : proctitle=ls /
type=SYSCALL msg=audit(11/27/26 07:00:00.100:41) : arch=x86_64 syscall=openat success=yes exit=3 \
a0=AT_FDCWD items=1 ppid=7 pid=12 auid=root comm=ls exe=/bin/ls key=(null)
----
node=web-1 type=SYSCALL msg=audit(11/27/26 07:00:00.101:42) : arch=x86_64 syscall=close \
success=yes exit=0 ppid=7 pid=12 auid=root comm=ls exe=/bin/ls key=(null)
"""
PERF_TRACE = """\
         ? (         ): web/1/12  ... [continued]: execve())                        = 0
     0.048 ( 0.012 ms): web/1/12 brk()                                              = 0x55cd
     0.278 ( 0.014 ms): web/1/12 access(filename: 0x18e, mode: R)                   = -1 ENOENT
what the program printed: read(3)
     4.072 (         ): my sh/13 mmap(len: 12288, prot: READ|WRITE)       ...
  4100.084 (1026.001 ms): web/1/12 wait4(upid: -1)                                  = 13
     4.072 ( 0.019 ms): my sh/13  ... [continued]: mmap())                          = 0x7eff
     4.114 ( 0.018 ms): my sh/13 close(fd: 2)                                       = 0
"""
ALONE = """\
     0.048 ( 0.012 ms): brk()                                                       = 0x55cd
     0.278 ( 0.014 ms): openat(dfd: CWD, filename: 0x18e, flags: RDONLY)            = 4
"""
FTRACE = """\
# tracer: nop
#
# entries-in-buffer/entries-written: 5/5   #P:2
#
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
            bash-12      [001] .....  9301.100001: sys_enter: NR 257 (ffffff9c, 7ffe, 0, 0, 0, 0)
            bash-12      [001] .....  9301.100002: sys_exit: NR 257 = 3
          my web-13      [000] d..2.  9301.100003: sys_enter: NR 39 (0, 0, 0, 0, 0, 0)
            bash-12      [001] .....  9301.100004: sched_switch: prev_comm=bash next_comm=sys_enter
            bash-12      [001] .....  9301.100005: sys_enter: NR 3 (3, 7ffe, 1, 0, 0, 0)
"""
NAMED = """\
            bash-12      [001] ....  9301.100001: sys_openat(dfd: ffffff9c, filename: 7f, flags: 0)
            bash-12      [001] ....  9301.100002: sys_openat -> 0x3
            bash-12   (   12) [001] ....  9301.100003: sys_exit_group(error_code: 0)
"""
TRACE_CMD = """\
            bash-12    [001]  9301.100001: sys_enter:            NR 257 (ffffff9c, 7ffe, 0)
            bash-12    [001]  9301.100002: sys_exit:             NR 257 = 3
"""
TRACE_CMD_NAMED = """\
            bash-12    [001]  9301.100001: sys_enter_openat:     dfd: 0xffffff9c
            bash-12    [001]  9301.100003: sys_enter_close:      fd: 0x00000003
            bash-12    [001]  9301.100004: sys_exit_close:       0x0
"""
PERF_SCRIPT = """\
              ls    12 [001] 34392.646172: raw_syscalls:sys_enter: NR 12 (0, 7fff, 0, 37f, 0, 0)
              ls 12/13 [001] 34392.646365: raw_syscalls:sys_enter: NR 21 (7fb5, 4, 0, fff, 7f, 1f8)
              ls    12 [001] 34392.646365:  raw_syscalls:sys_exit: NR 21 = -2
"""
PERF_NAMED = """\
              ls    12 [000] 34393.849141:            syscalls:sys_enter_openat: dfd: 0xffffff9c
              ls    12 [000] 34393.849142:            syscalls:sys_exit_openat: 0x3
"""
LTRACE = """\
SYS_brk(0)                                                          = 0x55cd
SYS_access("/etc/ld.so.preload", 04)                                = -2
__libc_start_main(0x4011, 1, 0x7ffd, 0 <unfinished ...>
[pid 13] strlen("read@SYS(")                                        = 9
[pid 13] write@SYS(1, "a", 1 <unfinished ...>
<... SYS_write resumed> )                                           = 1
+++ exited (status 0) +++
"""
WRITTEN = {
    "auditd": (
        audited((12, "c000003e", "257"), (13, "40000003", "5"), (12, "c000003e", "3")),
        {"12": ["openat", "close"], "13": ["open"]},
    ),
    "auditd, of no known architecture": (audited((12, "14", "4")), {"12": ["4"]}),
    "auditd, past the table": (audited((12, "c000003e", "700")), {"12": ["700"]}),
    "ausearch -i": (INTERPRETED, {"12": ["openat", "close"]}),
    "perf trace": (PERF_TRACE, {"12": ["brk", "access", "wait4"], "13": ["mmap", "close"]}),
    "perf trace, of one": (ALONE, {"": ["brk", "openat"]}),
    "ftrace": (FTRACE, {"12": ["257", "3"], "13": ["39"]}),
    "ftrace, by name": (NAMED, {"12": ["openat", "exit_group"]}),
    "trace-cmd": ("cpus=2\n" + TRACE_CMD, {"12": ["257"]}),
    "trace-cmd, by name": (TRACE_CMD_NAMED, {"12": ["openat", "close"]}),
    "perf script": (PERF_SCRIPT, {"12": ["12", "21"]}),
    "perf script, by name": (PERF_NAMED, {"12": ["openat"]}),
    "ltrace -S": (LTRACE, {"": ["brk", "access"], "13": ["write"]}),
}


def by_process(text: str, layout: str) -> tuple[str, dict[str, list[str]]]:
    vocabulary = Vocabulary()
    taken = traces_of(io.BytesIO(text.encode()), "x", layout, vocabulary)
    tokens = vocabulary.tokens
    return taken.layout, {one.name: [tokens[c] for c in one.calls] for one in taken.found}


@pytest.mark.parametrize("tracer", WRITTEN)
def test_calls_are_read_by_process(tracer: str) -> None:
    """Ends of calls, other events and what a program printed are none; names hold what they may."""
    text, calls = WRITTEN[tracer]
    assert by_process(text, "process") == ("process", calls)
    assert lines_of(text.encode()) == []
    whole = {"": [call for each in calls.values() for call in each]}
    assert by_process(text, "file") == ("file", whole)


@pytest.mark.parametrize("tracer", WRITTEN)
def test_what_is_of_a_whole_host_is_taken_apart(tracer: str) -> None:
    """Of auditd and ftrace a process is a trace; of one program that was run, the file is."""
    host = tracer.startswith(("auditd", "ausearch", "ftrace", "trace-cmd", "perf script"))
    assert by_process(WRITTEN[tracer][0], "auto")[0] == ("process" if host else "file")


def test_a_log_of_a_host_is_learned_from(tmp_path: Path) -> None:
    """One file of auditd holds traces enough; of perf trace it is said how it does, or not."""
    calls = ["0", "1", "3", "257", "9", "59", "41"]
    each = [(pid, calls[n * pid % 7]) for n in range(6) for pid in range(20, 30)]
    log = audited(*((pid, "c000003e", call) for pid, call in each))
    attack = put(tmp_path / "attack.log", audited((12, "c000003e", "101")))
    split = read_split(put(tmp_path / "audit.log", log), None, attack)
    assert len(split.train) + len(split.normal) == 10
    assert everything(split.attack) == [["ptrace"]]
    assert split.train.read_as == ("process",)
    with pytest.raises(EvidenceError, match=r"too few traces.*--layout process"):
        read_split(put(tmp_path / "perf.txt", PERF_TRACE), None, attack)


def test_a_log_without_calls_says_so() -> None:
    """Rules of auditd are of files and logins as well: what to add is said."""
    text = audited() + "type=USER_LOGIN msg=audit(1700000000.9:9): pid=12 uid=0 res=success\n"
    with pytest.raises(RecordingError, match=r"auditd wrote, without a line of a call.*auditctl"):
        traces_of(io.BytesIO(text.encode()), "x", "auto", Vocabulary())


def test_calls_of_libraries_are_no_calls(tmp_path: Path) -> None:
    """What ltrace writes without -S looks like strace: its names are of no kernel."""
    text = 'puts("a") = 2\nmalloc(5) = 0x55\nstrlen("b") = 1\nfree(0x55) = <void>\n'
    with pytest.raises(RecordingError, match=r"no kernel has: .*ltrace -S -o FILE"):
        read(put(tmp_path / "a.txt", text))


@pytest.mark.parametrize(
    "text",
    [
        "3 4 5 3\n",
        "time (0.3 ms): read close\n",
        "sys_read sys_close sys_openat\n",
        "12 SYS_read\n13 SYS_write\n",
        "read(3) = 0\nclose(3) = 0\n",
        "bash-12 [001] 9301.1: sched_switch: prev_comm=bash\n",
        "",
    ],
)
def test_other_texts_are_of_no_tracer(text: str) -> None:
    """Calls alone, strace and other events of ftrace are read, or refused, as what they are."""
    assert tracer_of(text.encode()) is None
