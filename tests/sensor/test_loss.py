"""What cannot be counted as it should be is counted as lost: every map filled on purpose."""

from __future__ import annotations

import ctypes
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddcall.models import calls
from oddcall.sensor.layout import HEADER
from oddcall.sensor.libbpf import libbpf
from oddcall.sensor.probe import LOADERS, Probe, ProbeSettings
from oddcall.sensor.process import read, same_start
from oddcall.sensor.sensor import Sensor, SensorSettings, Tick

pytestmark = pytest.mark.kernel

PROC = Path("/proc")
INTERVAL = "sched_rr_get_interval"
CROWD, STAYING = 700, 20
#: Fewer slots than that, and with twice as many entries of the index for whatever else runs here.
SLOTS = 512


@pytest.fixture
def sensor(loader: str) -> Callable[..., Sensor]:
    """A sensor that is not entered yet."""

    def build(**settings: float) -> Sensor:
        return Sensor(SensorSettings(**{"interval_s": 0.2, **settings}, loader=loader))

    return build


@contextmanager
def running(tools, name: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    process = tools.start(name, *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def after(ticks: list[Tick], tools) -> None:
    """Wait until all that was done by now has been looked at: for a tick begun after it."""
    seen = len(ticks)
    tools.until(lambda: len(ticks) >= seen + 2)


def untracked(sensor: Sensor, name: str) -> int:
    """Calls of that name by processes that had no slot."""
    row = sensor.probe.maps.counts[np.array([HEADER["OC_UNTRACKED"]])][0]
    return int(row[calls.number(name)])


def begun() -> int:
    """Processes and threads that this host has begun so far."""
    return int(re.search(r"^processes (\d+)", (PROC / "stat").read_text(), re.MULTILINE)[1])


def index(sensor: Sensor) -> dict[int, int]:
    """Slot of every process in the kernel's index by pid."""
    fd, lib = sensor.probe._loader.map_fd("slot_of"), libbpf()
    key, slot, found = ctypes.c_uint32(), ctypes.c_uint32(), {}
    before = None
    while lib.bpf_map_get_next_key(fd, before, ctypes.byref(key)) == 0:
        if lib.bpf_map_lookup_elem(fd, ctypes.byref(key), ctypes.byref(slot)) == 0:
            found[key.value] = slot.value
        before = ctypes.byref(ctypes.c_uint32(key.value))
    return found


def next_tick(agent: subprocess.Popen[str]) -> dict[str, Any]:
    """Read a line of an agent."""
    return json.loads(agent.stdout.readline())


def state(pid: int) -> str:
    """Letter of the state that a process is in."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def lives(pid: int, start_ns: int | None = None) -> bool:
    found = read(PROC, pid)
    if found is None or found.start_ticks < 0:
        return False
    return start_ns is None or same_start(start_ns, found.start_ticks)


def leaks(sensor: Sensor) -> list[tuple[int, int]]:
    """Pids and slots of processes that are gone, but have not let go of what they held."""
    heads, held = sensor.probe.maps.heads.copy(), index(sensor)
    live = np.flatnonzero(heads["state"] == HEADER["OC_LIVE"])
    found = [(pid, slot) for pid, slot in held.items() if not lives(pid)]
    for slot, head in zip(live.tolist(), heads[live], strict=True):
        pid = int(head["tgid"])
        if held.get(pid) != slot or not lives(pid, int(head["start_ns"])):
            found.append((pid, slot))
    return found


def lasting_leaks(sensor: Sensor) -> set[tuple[int, int]]:
    """Leave out what was only just ending, or beginning, when it was looked at."""
    found = set(leaks(sensor))
    for _ in range(1000):
        if not found:
            break
        time.sleep(0.1)
        found &= set(leaks(sensor))
    return found


@pytest.mark.parametrize("asleep", [False, True], ids=["ticking", "user space asleep"])
def test_with_every_slot_taken_nothing_goes_uncounted(tools, sensor, asleep):
    """What finds no slot is counted together, exactly; the others go on; all is mended later."""
    with sensor(max_processes=SLOTS) as watch, running(tools, "crowd", CROWD, STAYING) as crowd:
        if asleep:
            pid = int(crowd.stdout.readline())
            tools.finish(tools.start("burst", 1009))
        with tools.ticking(watch) as ticks:
            if not asleep:
                pid = int(crowd.stdout.readline())
            after(ticks, tools)
            tools.step(crowd)
            after(ticks, tools)  # slots are given back, and processes may ask again
            tools.step(crowd)
            crowd.wait()
            again = tools.finish(tools.start("short_processes", 101))
        seen = tools.counted(ticks, again)
        without_slot = untracked(watch, INTERVAL)

    children = seen.windows.take(seen.windows.ppid == pid)
    had_slot = len(np.unique(children.pid))
    assert had_slot < CROWD, "not every slot was taken"
    assert without_slot > 0
    made = CROWD * 13 + (CROWD - STAYING) * 7
    assert seen.calls(INTERVAL, children) + without_slot == made

    told = seen.lost
    assert told["events without a slot"] >= without_slot
    assert told["processes without a slot"] >= CROWD - had_slot
    assert told["processes not indexed"] == told["hook runs skipped"] == 0

    ours = seen.of({pid})
    assert seen.calls("getppid", ours) == 10_007, "a tracked process is not disturbed"
    assert ours.lost.max() > 0, "what was lost meanwhile is told with its windows"
    assert ours.lost_keys.sum() >= CROWD - SLOTS

    stayed = seen.calls("getpgrp", children)
    assert stayed == STAYING * 211, "those who had lost out are counted when there is room again"
    later = seen.windows.take(seen.windows.ppid == int(again))
    assert later.syscalls.to_dense()[:, calls.number("getuid")].tolist() == [23] * 101
    assert (later.lost == 0).all()


def test_the_index_is_full_only_with_twice_the_slots(tools, sensor):
    """Processes past the index too are counted as lost, once each, and leave nothing behind."""
    before = begun() - len([entry for entry in PROC.iterdir() if entry.name.isdigit()])
    with sensor(max_processes=64) as watch, running(tools, "crowd", CROWD, STAYING) as crowd:
        with tools.ticking(watch) as ticks:
            pid = int(crowd.stdout.readline())
            assert len(index(watch)) <= 128
            tools.step(crowd)
            tools.step(crowd)
            crowd.wait()
            leaked = lasting_leaks(watch)
        seen = tools.counted(ticks, "")
        without_slot = untracked(watch, INTERVAL)
    children = seen.windows.take(seen.windows.ppid == pid)
    assert seen.calls(INTERVAL, children) + without_slot == CROWD * 13 + (CROWD - STAYING) * 7
    lost = seen.lost["processes without a slot"] + seen.lost["processes not indexed"]
    missing = CROWD - len(np.unique(children.pid))
    assert missing <= lost
    assert lost < 3 * (begun() - before), "not at each of its 20 calls anew"
    assert seen.lost["processes not indexed"] >= CROWD - 128
    assert leaked == set()


def test_loss_can_be_simulated(tools, sensor):
    """A share of all processes gets no slot, as if there were none, and what is lost is exact."""
    with sensor(simulate_loss=0.5) as watch, tools.ticking(watch) as ticks:
        parent = tools.finish(tools.start("short_processes", 401))
    seen = tools.counted(ticks, parent)
    children = seen.windows.take(seen.windows.ppid == int(parent))
    assert 120 < len(np.unique(children.pid)) < 280
    assert set(children.syscalls.to_dense()[:, calls.number("getuid")].tolist()) == {23}
    assert seen.calls("getuid", children) + untracked(watch, "getuid") >= 401 * 23
    assert seen.lost["processes without a slot"] >= 401 - len(children)
    assert children.lost.sum() > 0


def test_with_all_lost_there_is_no_window(tools, sensor):
    """Where nothing can be tracked, there is no window but a true count of what was missed."""
    with sensor(simulate_loss=1.0) as watch, tools.ticking(watch) as ticks:
        tools.finish(tools.start("one_process", 5003))
    seen = tools.counted(ticks, "")
    assert len(seen.windows) == 0
    assert untracked(watch, "getppid") >= 5003
    assert seen.lost["events without a slot"] >= 5003


def test_threads_that_displace_each_other_are_counted_exactly(tools, sensor, loader):
    """Two threads on one word lose the transition between them, which is told, and no call."""
    watch = sensor()
    watch.probe = Probe(ProbeSettings(slots=4096, threads=64, loader=loader))
    with watch, tools.ticking(watch) as ticks:
        pid = int(tools.finish(tools.start("threads", 64, 499)))
    seen = tools.counted(ticks, "")
    rows = seen.of({pid})
    assert seen.calls("getppid", rows) == seen.calls("getuid", rows) == 64 * 499
    assert rows.transitions.row_sums().sum() == rows.syscalls.row_sums().sum()
    assert seen.lost["threads displaced"] > 0
    assert seen.lost["events without a slot"] == 0


def test_an_agent_that_was_stopped_says_so_and_has_lost_nothing(tools):
    """Stopped for ten seconds, it has in its next tick all that was done, and how late it is."""
    interval_s = 0.2
    with ExitStack() as held:
        load = held.enter_context(running(tools, "steady"))
        pid = load.stdout.readline().strip()
        agents = {
            loader: held.enter_context(running(tools, "agent", loader, interval_s, pid))
            for loader in LOADERS
        }
        ticks = {loader: [next_tick(agent)] for loader, agent in agents.items()}
        tools.step(load)
        for loader, agent in agents.items():
            while not ticks[loader][-1]["made"]:
                ticks[loader].append(next_tick(agent))
        for agent in agents.values():
            agent.send_signal(signal.SIGSTOP)
            tools.until(lambda a=agent: state(a.pid) == "T")
        stopped = time.monotonic()
        time.sleep(10.0)
        stopped = time.monotonic() - stopped
        for agent in agents.values():
            agent.send_signal(signal.SIGCONT)
        made = int(tools.step(load))
        for loader, agent in agents.items():
            while ticks[loader][-1]["late_s"] < stopped - interval_s:
                ticks[loader].append(next_tick(agent))
            agent.send_signal(signal.SIGTERM)
            ticks[loader] += [json.loads(line) for line in agent.stdout]
    for told in ticks.values():
        assert sum(tick["made"] for tick in told) == made
        assert all(lost == 0 for lost in told[-1]["lost"].values())
        late = max(told, key=lambda tick: tick["late_s"])
        assert late["window_late_s"] == late["late_s"] < late["running_s"]


def test_after_thousands_of_processes_only_the_living_hold_anything(tools, sensor):
    """Slots and index entries all come back, whatever the processes did before they ended."""
    with sensor() as watch, tools.ticking(watch) as ticks:
        for name, *arguments in (
            ("short_processes", 2003),
            ("burst", 3001),
            ("births", "vfork", 211),
            ("threads", 16, 101),
            ("leader_gone", 11),
            ("uring", 11, 11, 11, "sqpoll"),
            ("pid_reuse",),
        ):
            tools.finish(tools.start(name, *arguments))
        after(ticks, tools)
        assert lasting_leaks(watch) == set()
        tools.until(lambda: ticks[-1].tracked < 2000)
    assert ticks[-1].lost["processes without a slot"] == 0
