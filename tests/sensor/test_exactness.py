"""On the real kernel, with prime counts: what was done is what is counted, no more, no less."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from oddcall.models import calls
from oddcall.models.transitions import bucket

WORKLOADS = Path(__file__).parent / "workloads"

pytestmark = pytest.mark.kernel

GETPID_32, FORK_32, WAITPID_32, EXECVE_32 = 20, 2, 7, 11
OPEN_BY_URING = 18
#: Container id that no runtime has given.
CONTAINER = "5e" * 32

#: Events that no workload makes: its last window is open when it ends. Were it closed before by
#: what it holds, and nothing counted after, the end would be of no window.
TO_THE_END = 10**9

x86_only = pytest.mark.skipif(platform.machine() != "x86_64", reason="its code is of x86-64")

NOTHING_LOST = {
    "events without a slot": 0,
    "processes without a slot": 0,
    "processes not indexed": 0,
    "threads displaced": 0,
    "hook runs skipped": 0,
    "programs past the cap": 0,
}


def test_one_process_is_counted_exactly_across_its_windows(count):
    """Every call of a process is in exactly one of its windows."""
    counted = count("one_process", 100_003)
    rows = counted.of({int(counted.output)})
    assert counted.calls("getppid", rows) == 100_003
    assert len(rows) > 1, "the count was to span several windows"
    assert counted.lost == NOTHING_LOST


def test_processes_that_live_under_five_milliseconds_are_counted_exactly(count):
    """A process that ends between two ticks keeps its counts until they are read."""
    counted = count("short_processes", 1009)
    parent = int(counted.output)
    children = counted.windows.take(counted.windows.ppid == parent)
    assert len(np.unique(children.pid)) == 1009
    assert set(children.syscalls.to_dense()[:, calls.number("getuid")].tolist()) == {23}
    assert (children.exits == 1).all()
    assert counted.lost == NOTHING_LOST


def test_short_processes_belong_to_the_program_they_ran(count):
    """A child that is gone before /proc is read still has its parent's executable."""
    counted = count("short_processes", 101)
    children = counted.windows.take(counted.windows.ppid == int(counted.output))
    programs = {counted.windows.programs[i].exe for i in children.program}
    assert programs == {str(Path(sys.executable).resolve())}
    assert children.identity_complete.all()


def test_a_burst_beyond_the_slots_loses_nothing(count):
    """Slots of processes that ended are given back between ticks, before they run out."""
    counted = count("burst", 10_007, interval_s=5.0)
    children = counted.windows.take(counted.windows.ppid == int(counted.output))
    assert counted.calls("getuid", children) == 10_007
    assert children.exits.sum() == 10_007
    assert counted.lost == NOTHING_LOST


@x86_only
def test_threads_lose_no_count_and_their_sequences_do_not_mix(count):
    """64 threads at once: exact counts, and transitions of each thread by itself."""
    counted = count("threads", 64, 4999)
    rows = counted.of({int(counted.output)})
    assert counted.calls("getppid", rows) == 64 * 4999
    assert counted.calls("getuid", rows) == 64 * 4999
    there = int(bucket(calls.number("getppid"), calls.number("getuid")))
    back = int(bucket(calls.number("getuid"), calls.number("getppid")))
    assert counted.total("transitions", there, rows) == 64 * 4999
    assert counted.total("transitions", back, rows) == 64 * 4998
    assert rows.transitions.row_sums().sum() == rows.syscalls.row_sums().sum()


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another program than the one that runs the tests: a copy of the interpreter."""
    copy = tmp_path / "other-python"
    shutil.copy(Path(sys.executable).resolve(), copy)
    return copy


@pytest.mark.parametrize(
    ("how", "call"),
    [("path", "execve"), ("thread", "execve"), ("script", "execve"), ("fd", "execveat")],
)
def test_an_exec_ends_one_program_and_begins_another(count, other, how, call):
    """Counts before the exec belong to the old program, after it to the new, however it is run."""
    workload, program = WORKLOADS / "exec_chain.py", other
    if how == "script":
        program = other.with_name("script")
        program.write_text(f"#!{other}\n{workload.read_text()}")
        program.chmod(0o755)
    counted = count("exec_chain", how, 2003, program)
    rows = counted.of({int(counted.output)})
    binaries = np.array([counted.windows.programs[i].ino for i in rows.program])
    there = binaries == other.stat().st_ino
    before, after = rows.take(~there), rows.take(there)
    assert counted.calls("getppid", before) == 2003
    assert counted.calls("getpgrp", after) == 4099
    assert counted.calls("getppid", after) == 0
    assert before.execs.sum() == 2, "the start by the test, and the exec itself"
    assert counted.calls("execve", before) + counted.calls("execveat", before) == 2
    assert counted.calls(call, before) == (2 if call == "execve" else 1)
    assert counted.calls("execve", after) + counted.calls("execveat", after) == 0
    assert len(set(rows.start_time_ns.tolist())) == 1
    assert counted.lost == NOTHING_LOST


@x86_only
@pytest.mark.parametrize("how", ["vfork", "clone3"])
def test_a_child_of_any_birth_is_counted_from_its_first_call(count, how):
    """A child is a process of its own though it shares memory, and its birth is no call of its."""
    counted = count("births", how, 101)
    parent = int(counted.output)
    rows = counted.of({parent})
    children = counted.windows.take(counted.windows.ppid == parent)
    assert len(np.unique(children.pid)) == 101
    assert children.n_events.tolist() == [23] * 101
    assert counted.calls("getuid", children) == 101 * 23
    assert counted.calls(how, rows) == 101
    assert rows.forks.sum() == 101
    assert counted.lost == NOTHING_LOST


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A container's cgroup below a service's, on whatever hierarchy names units here."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    named = [at for _, at, kind, options, *_ in mounts if "name=systemd" in options]
    unified = [at for _, at, kind, *_ in mounts if kind == "cgroup2"]
    service = Path([*named, *unified][0], "oddcall-test.service")
    scope = service / f"docker-{CONTAINER}.scope"
    scope.mkdir(parents=True)
    yield scope
    scope.rmdir()
    service.rmdir()


def test_a_process_in_other_namespaces_is_known_by_the_hosts_names(tools, begin, cgroup):
    """A container's process has the host's pid, and its container and unit, whatever it sees."""
    with begin("namespaced", 1511, cgroup, max_age_s=0.3) as (work, ticks):
        pid = int(work.stdout.readline())
        tools.until(lambda: tools.counted(ticks).calls("getppid", pid=pid) == 1511)
        tools.finish(work)
    counted = tools.counted(ticks)
    rows = counted.of({pid})
    inside = rows.take(rows.container == CONTAINER)
    assert counted.calls("getppid", rows) == 1511
    assert counted.calls("getppid", inside) == 1511
    program = counted.windows.programs[inside.program[0]]
    assert (program.container, program.unit) == ("docker", "oddcall-test.service")
    assert program.exe == str(Path(sys.executable).resolve())
    assert inside.identity_complete.all()


@pytest.mark.parametrize("option", ["xino=off", "xino=on", "readonly", "samefs"])
def test_a_container_made_again_runs_the_same_program(tools, begin, tmp_path, option):
    """Two overlays of one layer are two devices; a program in both has one row, and is sure.

    As two replicas of an image, or one container before and after it was made again.
    """
    if "overlay" not in Path("/proc/filesystems").read_text():
        pytest.skip("this kernel has no overlayfs")
    if option == "samefs" and not os.major(tmp_path.stat().st_dev):
        pytest.skip("the temporary folder is on a file system that no overlay may write to")
    lower, root, upper = (tmp_path / name for name in ("lower", "root", "upper"))
    for folder in (lower, root, upper):
        folder.mkdir()
    shutil.copy(Path(sys.executable).resolve(), lower / "python")
    words = (1511, lower, root, upper, option)
    with begin("overlaid", *words, max_age_s=0.3) as (first, ticks):
        second = tools.start("overlaid", *words)
        said = [work.stdout.readline().split() for work in (first, second)]
        pids, devices = zip(*(map(int, line) for line in said), strict=True)
        for pid in pids:
            tools.until(lambda pid=pid: tools.counted(ticks).calls("getppid", pid=pid) == 1511)
        for work in (first, second):
            tools.finish(work)
    assert devices[0] != devices[1]
    assert [os.major(device) for device in devices] == [0, 0]
    rows = tools.counted(ticks).of(set(pids))
    inside = rows.take(rows.syscalls.to_dense()[:, calls.number("getppid")] > 0)
    assert set(inside.pid.tolist()) == set(pids)
    programs = {inside.programs[i] for i in inside.program}
    assert [(p.exe, p.dev) for p in programs] == [(str(root / "python"), 0)]
    assert inside.identity_complete.all()


def test_a_frozen_process_is_counted_exactly_and_its_sleep_is_no_window(tools, begin):
    """While a process is stopped nothing is counted, and no window stretches across."""
    with begin("frozen", 1009, 503, interval_s=0.05, max_age_s=0.3) as (work, ticks):
        pid, froze = map(int, work.stdout.readline().split())
        tools.until(lambda: tools.counted(ticks).calls("getppid", pid=pid) == 1009)
        many = len(ticks) + 20
        tools.until(lambda: len(ticks) > many)
        end = int(tools.finish(work, "\n"))
    counted = tools.counted(ticks)
    rows = counted.of({pid})
    assert counted.calls("getppid", rows) == 1009 + 503
    assert not ((rows.t_start_ns <= froze) & (rows.t_end_ns >= end)).any()
    assert rows.t_end_ns.min() < end < rows.t_end_ns.max()
    assert counted.lost == NOTHING_LOST


@pytest.mark.parametrize("how", ["restarted", "given-up"])
def test_an_interrupted_call_is_counted_each_time_the_kernel_is_entered(count, how):
    """A call made again after a signal counts again, and to be interrupted is no error."""
    counted = count("signals", how, 211)
    rows = counted.of({int(counted.output)})
    assert counted.calls("recvfrom", rows) == 211 + 1
    assert counted.calls("rt_sigreturn", rows) == 211
    assert counted.total("errors", calls.number("recvfrom"), rows) == 0
    assert counted.total("errors", calls.number("rt_sigreturn"), rows) == 0


def test_calls_that_fail_are_counted_by_number(count):
    """An error is counted under the number of the call that returned it."""
    counted = count("failing", 1013, 503)
    rows = counted.of({int(counted.output)})
    assert counted.calls("fchdir", rows) == 1013 + 503
    assert counted.total("errors", calls.number("fchdir"), rows) == 1013


def test_a_connection_that_is_begun_has_not_failed(count):
    """A connect in progress has not failed; a refused one has, and others that return the same."""
    counted = count("connecting", 509, 307, 211)
    rows = counted.of({int(counted.output)})
    assert counted.calls("connect", rows) == 509 + 307
    assert counted.total("errors", calls.number("connect"), rows) == 307
    for call in ("sendto", "sendmsg", "sendmmsg"):
        assert counted.calls(call, rows) == 509
        assert counted.total("errors", calls.number(call), rows) == 0
    assert counted.calls("fchdir", rows) == 211
    assert counted.total("errors", calls.number("fchdir"), rows) == 211


@x86_only
def test_32_bit_calls_are_kept_apart(count):
    """Number 20 by the 32-bit gate is getpid, and never the 64-bit number 20 (writev)."""
    counted = count("compat", 601)
    rows = counted.of({int(counted.output)})
    assert counted.total("compat", GETPID_32, rows) == 601
    assert counted.calls("writev", rows) == 0


@x86_only
def test_a_32_bit_program_makes_no_64_bit_call(count, tmp_path):
    """All that a 32-bit binary does is a 32-bit call, and the exec that ends it is one too."""
    binary = tmp_path / "elf32"
    counted = count("elf32", 1201, binary)
    parent = int(counted.output)
    exes = np.array([counted.windows.programs[i].exe for i in counted.windows.program])
    inside = counted.windows.take(exes == str(binary))
    ours, child = inside.take(inside.pid == parent), inside.take(inside.ppid == parent)
    assert inside.syscalls.row_sums().sum() == 0
    made = ours.compat.to_dense().sum(axis=0)
    did = {number: int(made[number]) for number in np.flatnonzero(made)}
    assert did == {GETPID_32: 1201, FORK_32: 1, WAITPID_32: 1, EXECVE_32: 1}
    assert child.compat.to_dense()[:, EXECVE_32].tolist() == [1]
    assert child.n_events.tolist() == [1]
    assert ours.execs.sum() == child.execs.sum() == 1


@pytest.mark.parametrize("how", [(), ("sqpoll",)])
def test_io_uring_submissions_are_counted_by_opcode(count, how):
    """Work handed over by io_uring is seen, whoever takes it, and is no system call."""
    counted = count("uring", 307, 211, 1511, *how, min_events=TO_THE_END)
    rows = counted.of({int(counted.output)})
    assert counted.total("uring", 0, rows) == 307
    assert counted.total("uring", 22, rows) == 211
    assert counted.total("uring", OPEN_BY_URING, rows) == 1511
    assert counted.calls("openat", rows) < 1511, "what the interpreter opens, and no more"
    assert rows.exits.sum() == 2, "one exec into the interpreter, one end"


def test_threads_that_outlive_the_first_one_are_counted(count):
    """A process ends with its last thread, not with its first."""
    counted = count("leader_gone", 401, min_events=TO_THE_END)
    rows = counted.of({int(counted.output)})
    assert counted.calls("getppid", rows) == 401
    assert rows.exits.sum() == 2, "one exec into the interpreter, one end"


def test_a_pid_used_again_within_a_tick_is_two_processes(count):
    """Identity is pid and start: two processes of one pid are never mixed."""
    counted = count("pid_reuse", interval_s=5.0)
    pid, parent = map(int, counted.output.split())
    rows = counted.of({pid})
    rows = rows.take(rows.ppid == parent)
    getuid = rows.syscalls.to_dense()[:, calls.number("getuid")]
    assert sorted(getuid[getuid > 0].tolist()) == [101, 211]
    assert len(set(rows.start_time_ns.tolist())) == 2


def test_transitions_add_up_to_calls(count):
    """Every call is one transition from the thread's call before."""
    counted = count("short_processes", 23)
    parent = int(counted.output)
    rows = counted.windows.take((counted.windows.pid == parent) | (counted.windows.ppid == parent))
    calls_made = rows.syscalls.row_sums() + rows.compat.row_sums()
    # Of the whole process: a window may be read between the two counters of one call.
    assert rows.transitions.row_sums().sum() == calls_made.sum()
    assert calls_made.sum() > 23 * 23


def test_a_slot_used_again_between_ticks_keeps_no_name(count):
    """Windows read early, when slots run low, name the program that filled them."""
    counted = count("two_programs", 1009, interval_s=4.0, max_processes=1024)
    rows = counted.windows.take(counted.windows.ppid == int(counted.output))
    exes = np.array([counted.windows.programs[i].name for i in rows.program])
    getuid = rows.syscalls.to_dense()[:, calls.number("getuid")]
    assert (exes == "true").sum() == 1009
    assert not getuid[exes == "true"].any(), "what a child did was given to another program"
    assert getuid[exes != "true"].sum() == 1009 * 23
