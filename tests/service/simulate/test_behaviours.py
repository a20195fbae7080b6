"""Every behaviour is really run, and what it did is looked at."""

from __future__ import annotations

import json
import os
import platform
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from oddcall.models.errors import SettingError
from oddcall.service.simulate import behaviours, child, files
from oddcall.service.simulate.behaviour import Behaviour, Bounds, roomed
from oddcall.service.simulate.catalogue import named
from oddcall.service.simulate.outcome import perform

from .conftest import done

NAMES = [behaviour.name for behaviour in behaviours()]
ROOT = os.geteuid() == 0


@dataclass(frozen=True)
class Counting(Bounds):
    """Bounds that know how many turns each count came to."""

    turns: list[int] = field(default_factory=list)

    def times(self, most: int) -> Iterator[int]:
        taken = 0
        for turn in super().times(most):
            taken += 1
            yield turn
        self.turns.append(taken)


def children() -> set[str]:
    """Pids of this process's children, those that ended unwaited for among them."""
    tasks = Path("/proc/self/task").iterdir()
    return {pid for task in tasks for pid in (task / "children").read_text().split()}


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


@pytest.mark.parametrize("behaviour", behaviours(), ids=NAMES)
def test_each_cleans_up_and_tells_what_it_did(behaviour: Behaviour, tmp_path: Path):
    """Promise: no file, descriptor or child is left behind, and the facts fit into JSON."""
    before, family = descriptors(), children()
    facts = done(behaviour.name, tmp_path, 5.0)
    assert list(tmp_path.iterdir()) == []
    assert descriptors() <= before
    assert children() <= family
    assert json.loads(json.dumps(facts)) == facts


@pytest.mark.parametrize("behaviour", behaviours(), ids=NAMES)
def test_each_ends_when_its_time_is_over(behaviour: Behaviour, tmp_path: Path):
    """Promise: with no time left, no more than the first step is done."""
    with roomed(tmp_path, behaviour.prepare) as room:
        bounds = Counting(time.monotonic() - 1, room)
        behaviour.act(bounds)
    assert set(bounds.turns) <= {1}, "of what is repeated; some do only one thing"


def test_at_least_the_six_that_are_promised_have_a_technique_each():
    """Promise: the catalogue holds the behaviours of the documentation, each fully described."""
    promised = {"shell-on-socket", "port-scan", "bulk-rewrite", "ptrace-child", "memfd-exec"}
    assert promised | {"failing-opens"} <= set(NAMES)
    assert len(set(NAMES)) == len(NAMES)
    for behaviour in behaviours():
        assert behaviour.technique.startswith("T1")
        assert behaviour.summary.endswith(".")
        assert behaviour.expects
        assert behaviour.harmless_because


def test_the_shell_answers_over_the_socket(tmp_path: Path):
    """Promise: a real shell ran `id` with its descriptors on the socket, and ended well."""
    facts = done("shell-on-socket", tmp_path)
    assert str(facts["said"]).startswith(f"uid={os.getuid()}")
    assert facts["shell_exit"] == 0


def test_the_scan_meets_closed_ports(tmp_path: Path):
    """Promise: 2,000 ports were tried and nearly all of them refused."""
    facts = done("port-scan", tmp_path)
    assert facts["tried"] == 2000
    assert isinstance(facts["closed"], int)
    assert facts["closed"] > 1900


def test_the_rewrite_changes_content_and_name(tmp_path: Path):
    """Promise: each file is inverted byte by byte in place and has another suffix."""
    files.make(tmp_path, 5)
    paths = files.paths(tmp_path, 5)
    before = [path.read_bytes() for path in paths]
    inodes = [path.stat().st_ino for path in paths]
    renamed = files.rewrite(paths, Bounds.lasting(5.0, tmp_path))
    assert [path.suffix for path in renamed] == [".locked"] * 5
    assert [path.stat().st_ino for path in renamed] == inodes
    assert not any(path.exists() for path in paths)
    for old, new in zip(before, renamed, strict=True):
        content = new.read_bytes()
        assert content != old
        assert bytes(255 - byte for byte in content) == old


def test_the_rewrite_reaches_every_file(tmp_path: Path):
    """Promise: all 200 files are rewritten when there is time."""
    assert done("bulk-rewrite", tmp_path) == {"files": 200, "rewritten": 200}
    assert done("bulk-delete", tmp_path) == {"files": 200, "removed": 200}


def test_the_traced_child_is_read_and_ended(tmp_path: Path):
    """Promise: a debugger's view of the child showed the words put there; the child is killed."""
    facts = done("ptrace-child", tmp_path)
    if facts["refused"]:
        pytest.skip(f"this kernel lets nobody trace: {facts['refused']}")
    assert facts["words_read"] == 256
    assert facts["child_exit"] == -signal.SIGKILL


def test_the_program_in_memory_runs(tmp_path: Path):
    """Promise: the copy of `true` ran from memory and said true."""
    facts = done("memfd-exec", tmp_path)
    assert facts["bytes"] == Path("/bin/true").stat().st_size
    assert (facts["child_exit"], facts["refused"]) == (0, "")


def test_every_open_fails(tmp_path: Path):
    """Promise: 5,000 names were tried and not one was there."""
    assert done("failing-opens", tmp_path) == {"tried": 5000, "failed": 5000}


def test_memory_is_read(tmp_path: Path):
    """Promise: most writable regions gave bytes."""
    facts = done("memory-scan", tmp_path)
    assert isinstance(facts["bytes"], int)
    assert facts["bytes"] > 4096


def test_no_module_is_loaded(tmp_path: Path):
    """Promise: every attempt was refused, whoever asks."""
    facts = done("module-load", tmp_path)
    assert facts["tried"] == 20
    assert facts["refused"]


def test_only_the_child_changes_its_namespace(tmp_path: Path):
    """Promise: this process stays where it was; the child may move only as root."""
    home = Path("/proc/self/ns/uts").readlink()
    facts = done("namespace-hop", tmp_path)
    assert Path("/proc/self/ns/uts").readlink() == home
    assert (facts["child_exit"] == 0) or not ROOT


def test_ids_stay_what_they_were(tmp_path: Path):
    """Promise: the child could become itself, and this process is untouched."""
    before = os.getresuid(), os.getresgid()
    assert done("setuid-calls", tmp_path)["child_exit"] == 0
    assert (os.getresuid(), os.getresgid()) == before


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 has 32-bit calls")
def test_32_bit_calls_are_made_or_end_the_child_only(tmp_path: Path):
    """Promise: with emulation the calls answer; without, the child alone is ended."""
    facts = done("compat-calls", tmp_path)
    assert facts["child_exit"] in (0, -signal.SIGSEGV)


def test_the_ring_completes_what_it_was_given(tmp_path: Path):
    """Promise: every read that was submitted completed."""
    facts = done("uring-reads", tmp_path)
    if facts["refused"]:
        pytest.skip(f"io_uring is forbidden here: {facts['refused']}")
    assert facts["submitted"] == facts["completed"] == 1600


def test_a_pause_keeps_the_steps_apart(tmp_path: Path):
    """Promise: no step is taken before the pause is over, and none after the time is."""
    turns = list(Bounds.lasting(0.35, tmp_path, pause_s=0.1).times(1000))
    assert 1 <= len(turns) <= 4


def test_an_outcome_names_process_program_and_time(tmp_path: Path):
    """Promise: who did it and when can be matched with an alert."""
    before = time.time()
    outcome = perform("yield-loop", 1.0, tmp_path)
    assert outcome.pid == os.getpid()
    assert outcome.program == str(Path("/proc/self/exe").readlink())
    assert before <= outcome.start <= outcome.end <= time.time()
    # A busy machine gives what is yielded to others.
    assert 0 < outcome.detail["rounds"] <= 20_000
    assert json.loads(json.dumps(outcome.as_dict()))["name"] == "yield-loop"


@pytest.mark.parametrize("seconds", [0.0, -1.0, 601.0, float("nan")])
def test_durations_out_of_range_are_refused(seconds: float, tmp_path: Path):
    """Promise: nothing is run for no time or for long."""
    with pytest.raises(SettingError, match="duration"):
        perform("yield-loop", seconds, tmp_path)


def test_an_unknown_name_is_answered_with_the_nearest():
    """Promise: a slip of the pen is met with the name that was meant."""
    with pytest.raises(SettingError, match=r"got prot-scan. Did you mean port-scan\?"):
        named("prot-scan")


def test_a_child_tells_why_it_was_refused():
    """Promise: a child's error number, signal or crash comes back as its status."""

    def refuse() -> None:
        raise PermissionError(1, "no")

    def crash() -> None:
        raise RuntimeError

    assert child.refusal(child.wait(child.fork(refuse))) == "Operation not permitted"
    assert child.wait(child.fork(crash)) == 255
    assert child.refusal(child.wait(child.fork(lambda: os.kill(os.getpid(), 9)))) == "SIGKILL"
    assert child.refusal(child.wait(child.fork(lambda: None))) == ""
