"""On the real kernel, with prime counts: what was done is what is counted, no more, no less."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from oddcall.models import calls
from oddcall.models.transitions import bucket

pytestmark = pytest.mark.kernel

NOTHING_LOST = {
    "events without a slot": 0,
    "processes without a slot": 0,
    "processes not indexed": 0,
    "threads displaced": 0,
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
    counted = count("burst", 10_007, interval_s=5.0, max_processes=4096)
    assert counted.calls("getuid") >= 10_007
    ended = counted.windows.take(counted.windows.exits == 1)
    forked = ended.take(ended.syscalls.to_dense()[:, calls.number("getuid")] == 1)
    assert len(forked) >= 10_007
    assert counted.lost == NOTHING_LOST


def test_threads_lose_no_count_and_their_sequences_do_not_mix(count):
    """64 threads at once: exact counts, and transitions of each thread by itself."""
    counted = count("threads", 64, 499)
    rows = counted.of({int(counted.output)})
    assert counted.calls("getppid", rows) == 64 * 499
    assert counted.calls("getuid", rows) == 64 * 499
    there = int(bucket(calls.number("getppid"), calls.number("getuid")))
    # Each getuid follows its own thread's getppid, but for what the interpreter does between.
    assert counted.total("transitions", there, rows) >= 64 * 499 * 0.9
    assert rows.transitions.row_sums().sum() == rows.syscalls.row_sums().sum()


def test_an_exec_ends_one_program_and_begins_another(count, tmp_path):
    """Counts before the exec belong to the old program, after it to the new one."""
    copy = tmp_path / "other-python"
    shutil.copy(Path(sys.executable).resolve(), copy)
    counted = count("exec_chain", 2003, copy)
    rows = counted.of({int(counted.output)})
    exes = np.array([counted.windows.programs[i].exe for i in rows.program])
    before, after = rows.take(exes != str(copy)), rows.take(exes == str(copy))
    assert counted.calls("getppid", before) == 2003
    assert counted.calls("getpgrp", after) == 4099
    assert counted.calls("getppid", after) == 0
    assert counted.calls("execve", before) == 2, "the start by the test, and the exec itself"
    assert before.execs.sum() == 2
    assert len(set(rows.start_time_ns.tolist())) == 1


def test_calls_that_fail_are_counted_by_number(count):
    """An error is counted under the number of the call that returned it."""
    counted = count("failing", 1013, 503)
    rows = counted.of({int(counted.output)})
    assert counted.calls("fchdir", rows) == 1013 + 503
    assert counted.total("errors", calls.number("fchdir"), rows) == 1013


def test_32_bit_calls_are_kept_apart(count):
    """Number 20 by the 32-bit gate is getpid, and never the 64-bit number 20 (writev)."""
    counted = count("compat", 601)
    rows = counted.of({int(counted.output)})
    assert counted.total("compat", 20, rows) == 601
    assert counted.calls("writev", rows) == 0


@pytest.mark.parametrize("how", [(), ("sqpoll",)])
def test_io_uring_submissions_are_counted_by_opcode(count, how):
    """Work handed over by io_uring is seen, whoever takes it from the queue."""
    counted = count("uring", 307, 211, *how)
    rows = counted.of({int(counted.output)})
    assert counted.total("uring", 0, rows) == 307
    assert counted.total("uring", 22, rows) == 211


def test_threads_that_outlive_the_first_one_are_counted(count):
    """A process ends with its last thread, not with its first."""
    counted = count("leader_gone", 401)
    rows = counted.of({int(counted.output)})
    assert counted.calls("getppid", rows) == 401
    assert rows.exits.sum() == 2, "one exec into the interpreter, one end"


def test_a_pid_used_again_within_a_tick_is_two_processes(count):
    """Identity is pid and start: two processes of one pid are never mixed."""
    counted = count("pid_reuse", interval_s=5.0)
    rows = counted.of({int(counted.output)})
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
