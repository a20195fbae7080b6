"""Differencing and windows, against maps that the test itself plays the kernel for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oddcall.sensor.layout import COUNT_COLUMNS, COUNT_WIDTH, HEADER
from oddcall.sensor.maps import Maps
from oddcall.sensor.sweep import Snapshot, Sweep, WindowRule

LIVE, ENDED = HEADER["OC_LIVE"], HEADER["OC_ENDED"]
SLOTS = 8


class Kernel:
    """Does to the maps what the program in the kernel does."""

    def __init__(self) -> None:
        self.freed: list[int] = []
        self.busy = False
        self.maps = Maps.in_memory(SLOTS, self.free)

    def free(self, slot: int) -> bool:
        if not self.busy:
            self.freed.append(slot)
        return not self.busy

    def take(self, slot: int, tgid: int) -> None:
        head = self.maps.heads[slot : slot + 1]
        head["tgid"], head["state"] = tgid, LIVE
        head["serial"] += 1
        head["forks"] = head["execs"] = 0
        self.maps.tally[HEADER["OC_SLOTS_TAKEN"]] += np.uint64(1)
        self.touch(slot)

    def call(self, slot: int, number: int, times: int = 1) -> None:
        self.maps.counts[slot, number : number + 1] += np.uint32(times)  # an array wraps silently
        self.touch(slot)

    def end(self, slot: int) -> None:
        self.maps.heads["state"][slot] = ENDED
        self.touch(slot)

    def touch(self, slot: int) -> None:
        self.maps.touched[slot] = self.maps.control[HEADER["OC_EPOCH"]]


def sweep_of(kernel: Kernel, **rule: float) -> Sweep:
    return Sweep(kernel.maps, WindowRule(**rule), 0.0)


def add_up(parts: list[Snapshot]) -> dict[int, np.ndarray]:
    """Sum the windows of each process."""
    told: dict[int, np.ndarray] = {}
    for part in parts:
        dense = {name: block.to_dense() for name, block in part.blocks.items()}
        for row, tgid in enumerate(part.heads["tgid"].tolist()):
            total = told.setdefault(tgid, np.zeros(COUNT_WIDTH, np.int64))
            for name, columns in COUNT_COLUMNS.items():
                total[columns] += dense[name][row]
    return told


steps = st.lists(
    st.tuples(
        st.sampled_from(["call", "end", "take", "look", "relieve"]),
        st.integers(1, SLOTS - 1),
        st.integers(0, COUNT_WIDTH - 1),
        st.integers(1, 300),
    ),
    max_size=60,
)


@given(steps)
def test_every_call_is_in_exactly_one_window(doings):
    """However calls, ends, reuse and looks fall, the windows of a process add up to its calls."""
    kernel = Kernel()
    sweep = sweep_of(kernel, min_events=100, max_age_s=3.0)
    made: dict[int, np.ndarray] = {}
    holder: dict[int, int] = {}
    parts, now = [], 0.0
    for what, slot, number, times in doings:
        now += 1.0
        in_use = slot in holder
        if what == "take" and not in_use and kernel.maps.heads["state"][slot] != ENDED:
            holder[slot] = len(made) + 1
            made[holder[slot]] = np.zeros(COUNT_WIDTH, np.int64)
            kernel.take(slot, holder[slot])
        elif what == "call" and in_use:
            made[holder[slot]][number] += times
            kernel.call(slot, number, times)
        elif what == "end" and in_use:
            kernel.end(slot)
            del holder[slot]
        elif what == "look":
            parts.append(sweep.look(now))
        elif what == "relieve":
            parts.append(sweep.look(now, ended_only=True))
        while kernel.freed:
            kernel.maps.heads["state"][kernel.freed.pop()] = 0
    parts.append(sweep.look(now + 1.0, close_all=True))
    told = add_up(parts)
    events = [COUNT_COLUMNS[name] for name in ("syscalls", "compat", "uring")]
    for tgid, calls in made.items():
        seen = told.get(tgid, np.zeros(COUNT_WIDTH, np.int64))
        # A window without a call, a 32-bit call or a submission is no window.
        if sum(calls[columns].sum() for columns in events):
            for columns in events:
                assert (seen[columns] == calls[columns]).all()


def test_counters_that_wrap_are_differenced_right():
    """A counter past 2**32 begins at zero again, and no call is lost or invented."""
    kernel = Kernel()
    sweep = sweep_of(kernel, min_events=1)
    kernel.take(1, 7)
    kernel.maps.counts[1, 3] = 2**32 - 10
    sweep.look(1.0)
    kernel.call(1, 3, 17)
    assert sweep.look(2.0).blocks["syscalls"].row(0)[1].tolist() == [17]


def test_a_window_waits_for_evidence_and_then_closes():
    """Few calls are kept until they are enough, and not kept for ever."""
    kernel = Kernel()
    sweep = sweep_of(kernel, min_events=10, max_age_s=5.0)
    kernel.take(1, 7)
    kernel.call(1, 0, 9)
    assert len(sweep.look(1.0)) == 0
    kernel.call(1, 0, 1)
    closed = sweep.look(2.0)
    assert len(closed) == 1
    assert (closed.opened_s[0], closed.closed_s[0]) == (0.0, 2.0)
    kernel.call(1, 0, 1)
    assert [len(sweep.look(at)) for at in (3.0, 6.9, 7.0)] == [0, 0, 1]


def test_an_idle_process_is_not_read():
    """A window begins with the look before its first event, however long nothing happened."""
    kernel = Kernel()
    sweep = sweep_of(kernel, min_events=1)
    kernel.take(1, 7)
    kernel.call(1, 0)
    for at in range(1, 60):
        sweep.look(float(at))
    kernel.call(1, 0)
    assert sweep.look(60.0).opened_s.tolist() == [59.0]


def test_a_slot_is_given_back_once_and_after_it_was_read():
    """Final counts survive until read; the slot then goes back exactly once."""
    kernel = Kernel()
    sweep = sweep_of(kernel)
    kernel.take(1, 7)
    kernel.call(1, 0, 3)
    kernel.end(1)
    assert kernel.freed == []
    closed = sweep.look(1.0)
    assert closed.ended.tolist() == [True]
    for at in (2.0, 3.0, 4.0):
        assert len(sweep.look(at)) == 0
        assert len(sweep.look(at + 0.5, ended_only=True)) == 0
    assert kernel.freed == [1]
    assert sweep.tracked == 0


def test_loss_travels_with_the_windows_it_fell_into():
    """What processes without a slot did is said in the windows of that time, and not later."""
    kernel = Kernel()
    sweep = sweep_of(kernel, min_events=1)
    kernel.take(1, 7)
    kernel.call(1, 0)
    kernel.maps.counts[HEADER["OC_UNTRACKED"], 5] = 13
    kernel.maps.tally[HEADER["OC_LOST_PROCESS"]] = 2
    first = sweep.look(1.0)
    kernel.call(1, 0)
    second = sweep.look(2.0)
    assert (first.lost.tolist(), first.lost_keys.tolist()) == ([13], [2])
    assert (second.lost.tolist(), second.lost_keys.tolist()) == ([0], [0])
    assert sweep.lost()["events without a slot"] == 13


def test_slots_that_fill_up_are_looked_at_early():
    """A burst of short processes calls for a look before the tick; living ones do not for ever."""
    maps = Maps.in_memory(4096, lambda _: True)
    sweep = Sweep(maps, WindowRule(), 0.0)
    taken = maps.tally[HEADER["OC_SLOTS_TAKEN"] : HEADER["OC_SLOTS_TAKEN"] + 1]
    for now, (slots, early) in enumerate([(256, False), (257, True), (513, False), (514, True)]):
        taken[:] = slots
        assert sweep.crowded == early
        if early:
            sweep.look(float(now))
    taken[:] = 2049
    sweep.look(9.0)
    assert sweep.crowded, "more than half are in use"


def test_what_the_untracked_did_is_added_up_past_the_width_of_a_counter():
    """Loss only grows, however often the counters that all the untracked share wrap."""
    kernel = Kernel()
    sweep = sweep_of(kernel)
    for look in range(1, 6):
        kernel.maps.counts[HEADER["OC_UNTRACKED"], 5:6] += np.uint32(2**31)
        sweep.look(float(look))
        assert sweep.lost()["events without a slot"] == look * 2**31


def test_processes_that_lost_out_may_ask_again_when_slots_are_free():
    """The program is told that there is room only while there is."""
    kernel = Kernel()
    sweep = sweep_of(kernel)
    room = HEADER["OC_ROOM"]
    for slot in range(1, SLOTS):
        kernel.take(slot, slot)
    kernel.call(1, 0)
    sweep.look(1.0)
    assert kernel.maps.control[room] == 0
    kernel.end(1)
    sweep.look(2.0)
    assert kernel.maps.control[room] == 1


def test_a_slot_that_the_kernel_is_too_busy_to_take_is_offered_again():
    """No slot is lost between user space and the kernel."""
    kernel = Kernel()
    sweep = sweep_of(kernel)
    for slot in (1, 2):
        kernel.take(slot, slot)
        kernel.end(slot)
    kernel.busy = True
    sweep.look(1.0)
    assert (kernel.freed, sweep.tracked) == ([], 2)
    kernel.busy = False
    sweep.look(2.0)
    assert (kernel.freed, sweep.tracked) == ([2, 1], 0), "the low one is taken first"
