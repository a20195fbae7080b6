"""The benchmark: its loops do what they say, and its figures are what was measured."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from oddcall.models import calls
from oddcall.models.errors import KernelError
from oddcall.sensor.probe import Probe, ProbeSettings
from oddcall.service.bench import loads, peers, report, rounds
from oddcall.service.bench.attached import others
from oddcall.service.bench.contender import FLOOR, Contender, own
from oddcall.service.bench.loop import CODE, native_loop
from oddcall.service.bench.peers import PEERS, Peer
from oddcall.service.bench.report import Found
from oddcall.service.bench.rounds import Measured, Results, run
from oddcall.service.cli import run as oddcall

GETPPID_ARM = "mov w1,w0; mov x8,173; 1: svc 0; subs w1,w1,1; b.ne 1b; ret"
FORK_ARM = (
    "mov w9,w0; 1: mov x0,0x4111; mov x1,0; mov x2,0; mov x3,0; mov x4,0; mov x8,220; svc 0;"
    "cbnz x0,2f; mov x8,93; svc 0; 2: mov x1,0; mov x2,0; mov x3,0; mov x8,260; svc 0;"
    "subs w9,w9,1; b.ne 1b; ret"
)


@pytest.mark.parametrize(("repeated", "text"), [("getppid", GETPPID_ARM), ("fork", FORK_ARM)])
def test_the_code_for_the_other_architecture_is_what_it_says(
    repeated: str, text: str, tmp_path: Path
) -> None:
    """What cannot run here is at least what an assembler makes of its text."""
    made = tmp_path / "loop.o"
    command = ["clang", "-target", "aarch64-linux-gnu", "-c", "-x", "assembler", "-", "-o", made]
    subprocess.run(command, input=text.replace(";", "\n").encode() + b"\n", check=True)
    assert CODE[repeated]["aarch64"] in made.read_bytes()


def test_an_unknown_architecture_is_refused() -> None:
    """No code, no figures: the error names the architectures that have some."""
    with pytest.raises(KernelError, match="x86_64 or aarch64; got riscv64"):
        native_loop("getppid", "riscv64")


@pytest.mark.kernel
def test_the_loops_do_what_they_repeat_exactly_so_often() -> None:
    """1009 calls are 1009 calls, and 13 short processes are 13 that began and ended."""
    getppid, fork = native_loop("getppid"), native_loop("fork")
    with Probe(ProbeSettings(slots=4096)) as probe:
        getppid(1009)
        fork(13)
        heads = np.array(probe.maps.heads)
        counted = probe.maps.counts[heads["tgid"] == os.getpid()].sum(axis=0)
    assert counted[calls.number("getppid")] == 1009
    children = heads[heads["ppid"] == os.getpid()]
    assert len(children) == 13
    assert children["ended_ns"].all()


class FakeMeasured(Measured):
    """Answers with the cost of whatever is attached, and of what else the machine does."""

    def __init__(self, unrest: Sequence[float] = ()) -> None:
        self.cost = 0.0
        self.unrest = list(unrest)

    def take(self, *, slow: bool) -> dict[str, float]:
        figures = {"ns": 100.0 + self.cost + (self.unrest.pop(0) if self.unrest else 0.0)}
        return figures if slow else figures | {"ns_2_threads": 200.0 + 3 * self.cost}


def row(name: str, cost: float, measured: FakeMeasured, *, slow: bool = False) -> Contender:
    @contextmanager
    def attached() -> Iterator[None]:
        measured.cost = cost
        yield
        measured.cost = 0.0

    return Contender(name, f"the {name}", attached, slow)


@contextmanager
def unavailable() -> Iterator[None]:
    raise KernelError("not installed")
    yield


def measure(count: int) -> tuple[Results, list[Contender], list[float]]:
    measured, told = FakeMeasured(), []
    rows = [
        row(FLOOR, 30.0, measured),
        row("oddcall", 45.0, measured),
        row("strace", 90_000.0, measured, slow=True),
        Contender("bpftrace", "bpftrace", unavailable),
    ]
    results = run(rows, measured, count, lambda _label, done: told.append(done))
    return results, rows, told


@pytest.fixture(autouse=True)
def _nobody_else(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the kernel tests look at what is really attached."""
    if "kernel" not in request.keywords:
        monkeypatch.setattr(rounds, "others", list)


def test_each_row_is_what_it_adds_to_what_was_found_just_before() -> None:
    """The machine's answer has each row's added nanoseconds and its parts of the floor."""
    results, rows, told = measure(5)
    answer = report.as_dict(Found(results), rows)
    assert answer["floor_ns"] == 30.0
    assert answer["bare_ns"] == 100.0
    assert answer["rounds"] == 5
    found = {row["name"]: row for row in answer["rows"]}
    assert list(found) == ["empty", "oddcall", "strace"]
    assert found["oddcall"]["added_ns"] == 45.0
    assert found["oddcall"]["ratio_to_floor"] == 1.5
    assert found["oddcall"]["added_ns_2_threads"] == 135.0
    assert found["strace"]["added_ns"] == 90_000.0
    assert "added_ns_2_threads" not in found["strace"]
    assert answer["absent"] == {"bpftrace": "not installed"}
    assert told == sorted(told)
    assert json.loads(json.dumps(answer)) == answer


def test_a_visit_during_which_the_machine_changed_is_taken_again() -> None:
    """Where a bare call takes longer after than before, nobody knows what the row added."""
    measured = FakeMeasured(unrest=[0.0, 15.0, 20.0, 8.0, 0.0, 0.0, 0.0])
    results = run([row(FLOOR, 30.0, measured)], measured, 1, lambda _label, _done: None)
    assert results.added[FLOOR][0]["ns"] == 30.0
    restless = FakeMeasured(unrest=[0.0, 0.0, 9.0, 0.0, 0.0, 0.0, 9.0, 0.0, 0.0])
    results = run([row(FLOOR, 30.0, restless)], restless, 1, lambda _label, _done: None)
    assert len(results.added[FLOOR]) == 1


def test_the_median_of_the_rounds_is_given() -> None:
    """One disturbed round of five moves nothing but the range."""
    results, rows, _ = measure(5)
    results.added["oddcall"][2] = {"ns": 5000.0}
    found = {row["name"]: row for row in report.as_dict(Found(results), rows)["rows"]}
    assert found["oddcall"]["added_ns"] == 45.0
    assert found["oddcall"]["ratio_to_floor"] == 1.5
    assert found["oddcall"]["added_ns_range"] == [45.0, 5000.0]


def test_the_table_is_aligned_and_says_what_is_absent() -> None:
    """Every figure ends where its column's heading ends; an absent tool has a reason instead."""
    results, rows, _ = measure(1)
    results.others.add("on_sys_exit")
    lines = list(report.render(Found(results), rows))
    heading = next(line for line in lines if "one thread" in line)
    whole = next(line for line in lines if line.startswith("the oddcall"))
    end = heading.index("of floor") + len("of floor")
    assert whole[:end].endswith("1.50")
    assert any(line.startswith("bpftrace") and "absent: not installed" in line for line in lines)
    assert any("Doubtful" in line and "on_sys_exit" in line for line in lines)


class FakeWork:
    """A compile that takes two seconds, and what is attached besides."""

    tries = 1

    def __init__(self, measured: FakeMeasured) -> None:
        self.measured = measured

    def take(self, *, slow: bool) -> dict[str, float]:
        return {"compile": (0.2 if slow else 2.0) + self.measured.cost / 1000}


def test_real_work_is_slowed_down_by_percent_of_what_it_takes() -> None:
    """The machine has medians of each row; people have them in a table of their own."""
    calls, rows, _ = measure(3)
    measured = FakeMeasured()
    again = [row("empty", 10.0, measured), row("oddcall", 30.0, measured)]
    work = run(again, FakeWork(measured), 3, lambda _label, _done: None)
    starts = {"bcc": [{"seconds": 1.5, "mb": 30.0, "peak_mb": 160.0}], "core": [{}]}
    found = Found(calls, work, {"redis": "it is not installed"}, starts)
    answer = report.as_dict(found, rows)
    by_name = {one["name"]: one for one in answer["rows"]}
    assert by_name["empty"]["slowdown_percent"] == {"compile": 0.5}
    assert by_name["oddcall"]["slowdown_percent"] == {"compile": 1.5}
    assert "slowdown_percent" not in by_name["strace"]
    assert answer["absent_work"] == {"redis": "it is not installed"}
    assert answer["loaders"] == {"bcc": starts["bcc"][0]}
    lines = list(report.render(found, rows))
    assert any(line.startswith("the oddcall") and "+1.5 (+1.5 to +1.5)" in line for line in lines)
    assert any("redis: left out, it is not installed" in line for line in lines)
    assert any(line.startswith("bcc") and "160 MB at most" in line for line in lines)
    assert any(line.startswith("core") and "cannot be used here" in line for line in lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("slow", [False, True])
def test_real_work_is_really_done(slow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be done here takes time: of the processor, or by the clock beside what is slow."""
    monkeypatch.setattr(loads, "FUNCTIONS", (10, 1))
    monkeypatch.setattr(loads, "REQUESTS", (1000, 100))
    with loads.loads() as works:
        figures = works.take(slow=slow)
        assert set(figures) == {"compile", "redis"} - set(works.absent)
        assert "compile" in figures, "the tests need a compiler"
        assert all(seconds > 0 for seconds in figures.values())
        assert len(works.pids) == len(figures)


def test_work_that_cannot_be_done_here_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a compiler or a Redis server the benchmark goes on without them."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with loads.loads() as works:
        assert set(works.absent) == {"compile", "redis"}
        assert "installed" in works.absent["redis"]
        assert works.take(slow=False) == {}
        assert works.pids == []


def test_a_row_that_fails_after_the_first_round_is_an_error() -> None:
    """Half a row is no row: what could be attached once must be attachable again."""
    measured = FakeMeasured()
    rounds_of_it = iter([True, False])

    @contextmanager
    def once() -> Iterator[None]:
        if not next(rounds_of_it):
            raise KernelError("gone")
        yield

    with pytest.raises(KernelError, match="gone"):
        run([Contender(FLOOR, "", once)], measured, 2, lambda _label, _done: None)


def tool(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_tool_counts_from_its_word_until_it_is_told_to_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A peer is attached once it says so, knows the process to watch, and is ended by SIGINT."""
    tool(
        tmp_path,
        "countall",
        f"echo $1 > {tmp_path}/pid; trap 'echo done > {tmp_path}/done; exit' INT;"
        "echo Counting; while :; do sleep 0.05; done",
    )
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(peers, "PEERS", [Peer("x", "x", ["nope", "countall"], ["{pid}"], "Count")])
    with peers.peers([4242, 4243])[0].attached():
        assert (tmp_path / "pid").read_text() == "4242,4243\n"
        assert not (tmp_path / "done").exists()
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize("word", ["Count", ""])
def test_a_tool_that_cannot_run_is_quoted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, word: str
) -> None:
    """The last line of a peer that ends at once is the reason of its absence, told at once."""
    monkeypatch.setattr(peers, "_SETTLE_S", 3600.0)
    monkeypatch.setattr(peers, "_SILENT_S", 3600.0)
    tool(tmp_path, "broken", "echo one; echo no kernel headers; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(peers, "PEERS", [Peer("x", "x", ["broken"], [], word)])
    with (
        pytest.raises(KernelError, match="does not run here; got no kernel headers"),
        peers.peers([os.getpid()])[0].attached(),
    ):
        pass


def test_tools_that_are_not_installed_are_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is faked for a tool that is not there."""
    monkeypatch.setenv("PATH", "/nonexistent")
    for peer in peers.peers([os.getpid()]):
        with pytest.raises(KernelError, match="not installed"), peer.attached():
            pass


def test_the_rows_that_the_contract_names_are_there() -> None:
    """`empty`, `oddcall`, one row a loader, and `bpftrace` are among the rows."""
    names = {row.name for row in own()} | {peer.name for peer in PEERS}
    assert names >= {"empty", "oddcall", "oddcall-bcc", "oddcall-core", "bpftrace"}


@pytest.mark.kernel
def test_the_benchmark_runs_on_the_real_kernel(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every row of ours can be attached and measured; how much each is depends on the machine."""
    small = {"ns": ("getppid", 2000, 100, 1), "ns_fork": ("fork", 5, 10, 1)}
    monkeypatch.setattr(rounds, "MEASURES", small)
    monkeypatch.setattr(Measured, "tries", 1)
    assert oddcall(["bench", "sensor", "--json", "--rounds", "1", "--own", "--calls"]) == 0
    answer = json.loads(capsys.readouterr().out)
    found = {row["name"]: row for row in answer["rows"]}
    assert list(found) == [row.name for row in own()]
    assert answer["floor_ns"] == found["empty"]["added_ns"]
    assert all(np.isfinite(row["ratio_to_floor"]) for row in found.values())
    assert answer["bare_ns"] > 10
    assert not answer["absent"]
    assert set(answer["loaders"]) == {"bcc", "core"}


@pytest.mark.kernel
def test_programs_of_others_are_seen() -> None:
    """A program that somebody has attached is told by its name."""
    with Probe(ProbeSettings(slots=64)):
        assert "on_sys_exit" in others()
