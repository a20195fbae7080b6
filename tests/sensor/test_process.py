"""Identity from a fake /proc, and from the real one where a fake cannot lie well enough."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oddcall.models.window import Program
from oddcall.sensor import process
from oddcall.sensor.process import Process

PID = 4211
STAT = (
    "{pid} ({comm}) S 77 4211 4211 0 -1 4194560 2034 0 0 0 12 5 0 0 20 0 1 0 123456 9216000 880 "
    "18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A tree with one process, of an nginx that was installed beside it."""
    program = tmp_path / "usr/sbin/nginx"
    program.parent.mkdir(parents=True)
    program.write_bytes(b"\x7fELF")
    folder = tmp_path / "proc" / str(PID)
    folder.mkdir(parents=True)
    (folder / "exe").symlink_to(program)
    (folder / "stat").write_text(STAT.format(pid=PID, comm="nginx"))
    (folder / "cmdline").write_bytes(b"nginx:\0-g\0daemon off;\0")
    (folder / "cgroup").write_text("0::/system.slice/nginx.service\n")
    return tmp_path / "proc"


def found(proc: Path) -> Process:
    told = process.read(proc, PID)
    assert told is not None
    return told


def test_reads_an_identity(proc: Path):
    """Promise: every field is what the tree says, and the program is what a baseline needs."""
    told = found(proc)
    exe = proc.parent / "usr/sbin/nginx"
    assert told.exe == str(exe)
    assert (told.dev, told.ino) == (exe.stat().st_dev, exe.stat().st_ino)
    assert (told.pid, told.ppid, told.uid) == (PID, 77, os.getuid())
    assert told.start_ticks == 123456
    assert told.comm == "nginx"
    assert process.cmdline(proc, PID) == "nginx: -g daemon off;"
    assert told.complete
    assert not told.deleted
    assert told.program == Program(str(exe), told.dev, told.ino, "nginx.service", "")


@pytest.mark.parametrize("comm", ["a b", "(sd-pam)", "x) R 1 (y", ") ", "", "tmux: server"])
def test_a_name_with_spaces_and_parentheses(proc: Path, comm: str):
    """Promise: whatever a process calls itself, parent and start are read from the right place."""
    (proc / str(PID) / "stat").write_text(STAT.format(pid=PID, comm=comm))
    told = found(proc)
    assert (told.comm, told.ppid, told.start_ticks) == (comm, 77, 123456)


@pytest.mark.parametrize(
    ("link", "exe", "deleted"),
    [
        ("/usr/bin/python3.11 (deleted)", "/usr/bin/python3.11", True),
        ("/memfd:payload (deleted)", "/memfd:payload", True),
        ("/opt/a (deleted) b", "/opt/a (deleted) b", False),
        ("/opt/esc\x1b[2J", "/opt/esc\\x1b[2J", False),
    ],
)
def test_executables_without_a_name_or_with_an_odd_one(
    proc: Path, link: str, exe: str, deleted: bool
):
    """Promise: a removed executable keeps its path and is marked; controls are escaped."""
    (proc / str(PID) / "exe").unlink()
    (proc / str(PID) / "exe").symlink_to(link)
    told = found(proc)
    assert (told.exe, told.deleted) == (exe, deleted)


def test_odd_bytes_can_be_written_anywhere(proc: Path):
    """Promise: names and arguments that are not UTF-8 come out as text that encodes again."""
    (proc / str(PID) / "cmdline").write_bytes(b"/bin/\xff\xfe\0\x1b[31mred\n")
    (proc / str(PID) / "stat").write_bytes(
        STAT.format(pid=PID, comm="\udcff").encode("utf-8", "surrogateescape")
    )
    arguments = process.cmdline(proc, PID)
    assert arguments.encode().isascii()
    assert arguments.isprintable()
    assert found(proc).comm == "\\xff"


def test_arguments_are_bounded(proc: Path):
    """Promise: a process cannot make its identity large."""
    (proc / str(PID) / "cmdline").write_bytes(b"a" * 100_000)
    assert len(process.cmdline(proc, PID)) == process.CMDLINE_BYTES


def test_a_process_that_is_gone(proc: Path):
    """Promise: no such process is None, and asking for its arguments is an empty string."""
    assert process.read(proc, PID + 1) is None
    assert process.cmdline(proc, PID + 1) == ""


@pytest.mark.parametrize("lost", ["exe", "cgroup"])
def test_a_process_that_vanishes_half_way_is_incomplete(proc: Path, lost: str):
    """Promise: what could still be read is given and marked incomplete, without an exception."""
    (proc / str(PID) / lost).unlink()
    told = found(proc)
    assert not told.complete
    assert told.start_ticks == 123456


def test_a_process_that_vanishes_before_its_first_read(proc: Path):
    """Promise: an empty folder is a process that is gone."""
    (proc / str(PID) / "stat").unlink()
    assert process.read(proc, PID) is None


@pytest.mark.parametrize("stat", ["", "7 (x", "7 (x) S", "7 (x) S a b", "junk", "7 (x) S 1 " * 9])
def test_a_broken_stat_never_raises(proc: Path, stat: str):
    """Promise: a stat line cut anywhere gives None or -1, not an exception."""
    (proc / str(PID) / "stat").write_text(stat)
    told = process.read(proc, PID)
    assert told is None or told.start_ticks == -1


def test_a_kernel_thread_has_no_executable(proc: Path):
    """Promise: no executable is an empty program, incomplete."""
    (proc / str(PID) / "exe").unlink()
    (proc / str(PID) / "cmdline").write_bytes(b"")
    told = found(proc)
    assert (told.exe, told.complete) == ("", False)
    assert process.cmdline(proc, PID) == ""


def test_starts_agree_down_to_the_tick():
    """Promise: exact nanoseconds and 10 ms ticks of one start agree, another start's do not."""
    assert process.same_start(1_234_560_000_000, 123_456)
    assert process.same_start(1_234_569_999_999, 123_456)
    assert not process.same_start(1_234_590_000_000, 123_456)
    assert not process.same_start(1_234_539_999_999, 123_456)


def test_this_process_reads_itself():
    """Promise: the real /proc is understood: executable, parent, start on the boot clock."""
    told = process.read(Path("/proc"), os.getpid())
    assert told is not None
    real = Path(f"/proc/{os.getpid()}/exe").resolve().stat()
    assert (told.dev, told.ino) == (real.st_dev, real.st_ino)
    assert told.ppid == os.getppid()
    assert told.complete
    boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert 0 < told.start_ticks <= boot // 10_000_000
    assert process.cmdline(Path("/proc"), os.getpid()).startswith(sys.orig_argv[0])


def test_a_zombie_is_incomplete_and_a_reaped_child_is_none():
    """Promise: a child that ended is incomplete until waited for, then gone."""
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    told = process.read(Path("/proc"), child.pid)
    assert told is not None
    assert (told.exe, told.complete, told.ppid) == ("", False, os.getpid())
    child.wait()
    assert process.read(Path("/proc"), child.pid) is None


def test_an_executable_removed_while_it_runs(tmp_path: Path):
    """Promise: the inode of a replaced executable is the running one's, and it is marked."""
    sleep = tmp_path / "sleeper"
    sleep.write_bytes(Path("/bin/sleep").read_bytes())
    sleep.chmod(0o755)
    inode = sleep.stat().st_ino
    with subprocess.Popen([str(sleep), "60"]) as child:
        try:
            sleep.unlink()
            told = process.read(Path("/proc"), child.pid)
            assert told is not None
            assert (told.exe, told.deleted, told.ino) == (str(sleep), True, inode)
            assert told.complete
        finally:
            child.kill()
