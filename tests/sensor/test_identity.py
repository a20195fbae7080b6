"""Which program a slot counts for, from a made process tree and made heads."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from oddcall.models.window import OTHER
from oddcall.sensor.identity import Identities
from oddcall.sensor.layout import HEAD

GROUP = "0::/system.slice/web.service\n"


def tree(root: Path, pid: int, start_s: int, exe: Path) -> None:
    """Make one process's folder."""
    folder = root / str(pid)
    folder.mkdir(parents=True)
    fields = ["S", "1", *["0"] * 17, str(start_s * 100), *["0"] * 20]
    (folder / "stat").write_text(f"{pid} (name) {' '.join(fields)}\n")
    (folder / "cgroup").write_text(GROUP)
    (folder / "cmdline").write_bytes(b"name\0")
    (folder / "exe").symlink_to(exe)


def head(pid: int, start_s: int, exe: Path, *, ppid: int = 1, path: str = "", serial: int = 1):
    found = exe.stat()
    kernel_dev = (os.major(found.st_dev) << 20) | os.minor(found.st_dev)
    one = np.zeros(1, HEAD)
    one["tgid"], one["ppid"], one["start_ns"] = pid, ppid, start_s * 1_000_000_000
    one["dev"], one["ino"], one["exe"], one["serial"] = kernel_dev, found.st_ino, path, serial
    return one


@pytest.fixture
def exe(tmp_path: Path) -> Path:
    file = tmp_path / "bin" / "server"
    file.parent.mkdir()
    file.write_text("a program")
    return file


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    folder.mkdir()
    return folder


def test_a_living_process_is_what_proc_says(proc, exe):
    """Executable, inode and unit come from /proc while the process lives."""
    tree(proc, 7, 100, exe)
    known = Identities(8, proc, 16)
    known.meet(np.array([3]), head(7, 100, exe))
    program = known.programs[known.program[3]]
    assert (program.exe, program.ino, program.unit) == (str(exe), exe.stat().st_ino, "web.service")
    assert known.complete[3]


def test_a_process_gone_already_is_its_parents_kin(proc, exe):
    """A child that ended before it was read has the binary by inode and the group of its parent."""
    tree(proc, 7, 100, exe)
    known = Identities(8, proc, 16)
    both = np.concatenate([head(8, 101, exe, ppid=7), head(7, 100, exe)])
    known.meet(np.array([4, 3]), both)
    assert known.program[4] == known.program[3]
    assert known.complete[4]


def test_a_pid_taken_by_another_process_is_not_believed(proc, exe, tmp_path):
    """/proc/PID of a later process says nothing about the one that had the pid before."""
    other = tmp_path / "bin" / "other"
    other.write_text("another program")
    tree(proc, 7, 500, other)
    known = Identities(8, proc, 16)
    known.meet(np.array([3]), head(7, 100, exe, path=str(exe)))
    assert known.programs[known.program[3]].exe == str(exe)
    assert not known.complete[3], "its group was never read"


def test_a_path_that_leads_elsewhere_now_is_kept_as_incomplete(proc, exe, tmp_path):
    """A path given to exec is believed only while it leads to the inode that was run."""
    replaced = tmp_path / "bin" / "replaced"
    replaced.write_text("a newer binary")
    known = Identities(8, proc, 16)
    known.meet(np.array([3]), head(7, 100, exe, path=str(replaced)))
    program = known.programs[known.program[3]]
    assert (program.exe, program.ino) == (str(replaced), exe.stat().st_ino)
    assert not known.complete[3]


def test_what_a_slot_held_before_is_no_part_of_a_path(proc, exe):
    """The kernel writes a path up to its zero; the rest of the field is the last occupant's."""
    known = Identities(8, proc, 16)
    known.meet(np.array([3]), head(7, 100, exe, path=f"{exe}\0ger/than/this"))
    assert known.programs[known.program[3]].exe == str(exe)


def test_programs_past_the_cap_share_one_row_and_are_counted(proc, tmp_path):
    """An attacker who runs many names fills no memory: they are 'other', and told."""
    known = Identities(8, proc, 3)
    for i in range(5):
        exe = tmp_path / f"program{i}"
        exe.write_text("x")
        known.meet(np.array([i]), head(10 + i, 100 + i, exe, path=str(exe)))
    assert len(known.programs) == 3
    assert known.refused == 3
    assert known.programs[known.program[4]] == OTHER


def test_what_is_kept_follows_the_living(proc, exe):
    """Nothing is kept of a process that ended."""
    tree(proc, 7, 100, exe)
    known = Identities(8, proc, 16)
    known.meet(np.array([3]), head(7, 100, exe))
    known.forget(head(7, 100, exe))
    assert known._groups == {}


def test_a_program_run_by_a_descriptor_is_not_claimed_to_be_known(proc, exe):
    """A path of another process's descriptors says nothing here, and the identity says so."""
    tree(proc, 7, 100, exe)
    known = Identities(8, proc, 16)
    both = np.concatenate([head(7, 100, exe), head(8, 101, exe, ppid=7, path="/dev/fd/3")])
    both["ino"][1] += 1
    known.meet(np.array([3, 4]), both)
    assert known.programs[known.program[4]].exe == "/dev/fd/3"
    assert known.complete.tolist()[3:5] == [True, False]


def test_what_is_kept_is_bounded_though_ends_are_not_told(proc, exe):
    """Processes that lost their slots end unseen: what was kept of them gives way to others'."""
    known = Identities(8, proc, 16)
    for pid in range(100, 200):
        tree(proc, pid, 100, exe)
        known.meet(np.array([3]), head(pid, 100, exe))
    assert len(known._groups) <= 16
