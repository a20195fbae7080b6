"""Promises about the board: what the watch writes there is what readers find, and it is bounded."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from oddcall.models.abroad import Abroad
from oddcall.models.model import Model
from oddcall.models.window import Program
from oddcall.sensor.sensor import Cost, Tick
from oddcall.service.board.board import ALERTS, SPANS, Board
from oddcall.service.board.picture import picture, program, states, timeline
from oddcall.service.board.processes import Processes
from oddcall.service.board.programs import Programs, key_of
from oddcall.service.learning.evidence import Evidence
from oddcall.training.synthetic import REDIS, WEB, window

T0 = 1_700_000_000_000_000_000
S = 1_000_000_000
HOST = {"name": "web1", "id": "5d", "boot_id": "0b", "kernel": "6.1.0", "arch": "x86_64"}


class At:
    """A clock that is set."""

    def __init__(self, time_ns: int = T0) -> None:
        self.time_ns = time_ns

    def __call__(self) -> int:
        return self.time_ns


def tick_of(windows: Any, time_ns: int, **changes: Any) -> Tick:
    tick = Tick(
        time_ns, 0.0, windows, {"full map": 0}, 3, Cost(time_ns % T0 / S * 0.02, 70_000_000)
    )
    return replace(tick, **changes)


def board_of(now: Any = None) -> Board:
    return Board(HOST, capacity=100, loader="bcc", now=now or At())


def test_programs_show_their_worst_window(watched: Board, trained: Model) -> None:
    """A program that misbehaves is seen at its p-value, with its calls a second and its state."""
    shown = {entry["exe"]: entry for entry in picture(watched)["programs"]}
    web, redis = shown[WEB.program.exe], shown[REDIS.program.exe]
    assert min(web["p_worst"], redis["p_worst"]) <= trained.threshold
    assert web["calls_s"] > 0
    assert web["state"] == "ready"
    assert web["level"] == "program"
    assert f"{web['baseline_windows']:,} windows" in web["why"]
    assert states(watched)["ready"] >= 2


def test_the_timeline_is_the_same_at_every_resolution(watched: Board) -> None:
    """Windows and the least p-value of a span do not depend on how it is cut into bins."""
    lines = [timeline(watched, span) for span in SPANS]
    assert {sum(line["windows"]) for line in lines} == {watched.windows}
    assert len({min(p for p in line["p"] if p is not None) for line in lines}) == 1
    assert all(len(line["time_s"]) == len(line["p"]) for line in lines)


def test_a_program_s_page_lays_observed_beside_typical(watched: Board) -> None:
    """Its normal lists calls by share with quantiles, and marks what it never made before."""
    odd = min(picture(watched)["programs"], key=lambda entry: entry["p_worst"] or 1)
    page = program(watched, odd["id"])
    assert page is not None
    calls = {call["call"]: call for call in page["baseline"]["calls"]}
    assert calls["connect"]["never"]
    assert calls["connect"]["lately"] > 0
    usual = [call for call in calls.values() if not call["never"]]
    assert all(c["typical"]["q05"] <= c["typical"]["q50"] <= c["typical"]["q95"] for c in usual)
    assert sum(call["lately"] or 0 for call in calls.values()) == pytest.approx(1, abs=0.01)
    assert page["processes"]
    assert program(watched, "no such key") is None


def test_a_program_of_another_host_s_model_is_shown_once(trained: Model) -> None:
    """Away from its model's host a binary stands as the one it is taken for, with its normal."""
    board = board_of()
    away = Abroad("5d", replace(trained, metadata={"host_id": "builder"}))
    here = replace(WEB.program, ino=70_000)
    windows = window(replace(WEB, program=here), [0, 1, 3])
    board.watching(trained)
    board.same, told = away.same, board.standing
    board.standing = lambda known: told(away.same(known))
    board.see(tick_of(windows, T0))
    board.judged(windows, trained.judge(away.told(windows)))
    shown = [one for one in picture(board)["programs"] if one["exe"] == WEB.program.exe]
    assert [(one["state"], one["level"]) for one in shown] == [("ready", "program")]
    page = program(board, key_of(here))
    assert page is not None
    assert page["baseline"]["windows"] == shown[0]["baseline_windows"]


def test_it_is_json(watched: Board) -> None:
    """Nothing of it needs numpy, and nothing is NaN, also where nothing was judged."""
    for board in (watched, board_of()):
        for shown in (picture(board), timeline(board, "10m"), states(board)):
            json.dumps(shown, allow_nan=False)


def test_what_is_not_judged_has_no_p_value(batch: Any, row: Any, trained: Model) -> None:
    """A program that training never met is shown, as unknown, without a p-value of its own."""
    board = board_of()
    board.watching(trained)
    windows = batch(row(at_s=1))
    board.see(tick_of(windows, T0 + S))
    board.judged(windows, trained.judge(windows))
    (shown,) = [p for p in picture(board)["programs"] if p["name"] == "nginx"]
    assert (shown["state"], shown["p_now"], shown["p_worst"]) == ("unknown", None, None)
    assert picture(board)["processes"][0]["p"] is None


def test_what_may_not_alert_has_no_p_value(batch: Any, row: Any, trained: Model) -> None:
    """Past the threshold there is an alert: a program that is still learned has no bar there."""
    board = board_of()
    board.watching(trained)
    windows = batch(row(at_s=1, program=WEB.program, calls={101: 500}))
    found = trained.judge(windows)
    none = np.zeros(1, np.bool_)
    board.see(tick_of(windows, T0 + S))
    board.judged(windows, found)
    assert found.alert.all()
    assert picture(board)["processes"][0]["p"] <= trained.threshold
    for at, verdicts in ((2, found), (700, replace(found, ready=none, alert=none))):
        windows = batch(row(at_s=at, program=WEB.program, calls={101: 500}))
        board.see(tick_of(windows, T0 + at * S))
        board.judged(windows, verdicts)
    (shown,) = [p for p in picture(board)["programs"] if p["exe"] == WEB.program.exe]
    assert (shown["p_now"], shown["p_worst"]) == (None, None)
    assert set(timeline(board, "10m")["p"]) == {None}
    assert picture(board)["processes"][0]["p"] is None


def test_learning_is_seen(batch: Any, row: Any) -> None:
    """While it learns, progress and each program's state are there; watching ends that."""
    board, evidence = board_of(), Evidence(60, 2, 40)
    for at in range(1, 21):
        windows = batch(row(at_s=at))
        board.see(tick_of(windows, T0 + at * S))
        evidence.add(windows, T0 + at * S)
        board.learning(evidence, "learning")
    shown = picture(board)
    assert shown["phase"] == "learning"
    assert 0.2 < shown["learning"]["done"] < 0.5
    assert shown["programs"][0]["why"] == "20 of the 40 windows that a baseline needs."
    board.training("training: calibrating")
    assert picture(board)["learning"]["line"] == "training: calibrating"


def test_losses_cost_and_lateness_are_there(batch: Any) -> None:
    """Coverage is by kind; cost is a share of one processor over the last minute."""
    board = board_of()
    for at in range(30):
        lost = {"full map": 0, "programs past the cap": at}
        board.see(tick_of(batch(), T0 + at * S, lost=lost, late_s=0.25, tracked=40))
    shown = picture(board)
    assert (
        shown["coverage"]["lost"]["programs past the cap"] == shown["coverage"]["lost_total"] == 29
    )
    assert (shown["coverage"]["tracked"], shown["coverage"]["capacity"]) == (40, 100)
    assert shown["cost"]["cpu_share"] == pytest.approx(0.02, rel=0.01)
    assert shown["cost"]["kernel_share"] is None
    assert max(value or 0 for value in timeline(board, "10m")["late_s"]) == 0.25


def test_what_no_sink_got_is_counted() -> None:
    """Alerts past the cap of an hour are counted once each, for the page to say."""
    board = board_of(At())
    board.held_back([{"state": "open"}, {"state": "update"}, {"state": "close"}, {"state": "open"}])
    assert picture(board)["budget"]["unsent"] == 2


def test_the_budget_of_a_day_is_counted_in_episodes(batch: Any) -> None:
    """Only what opens an episode uses the budget, and tomorrow begins at nothing."""
    clock = At()
    board = board_of(clock)
    for state in ("open", "update", "close", "open"):
        board.alerted({"id": "1", "state": state, "severity": "high"})
    assert (board.used_today, board.opened) == (2, {"high": 2})
    clock.time_ns += 86_400 * S
    assert board.used_today == 0


def test_it_knows_when_ticks_stop(batch: Any) -> None:
    """A tick that is overdue by seconds is no sign of life."""
    clock = At()
    board = board_of(clock)
    assert board.alive
    board.see(tick_of(batch(), T0))
    clock.time_ns += 7 * S
    assert board.alive
    clock.time_ns += 2 * S
    assert not board.alive


def test_it_is_bounded(batch: Any, row: Any) -> None:
    """However many programs, processes and alerts come, the board holds the newest of them."""
    programs, processes = Programs(most=20), Processes(most=30)
    for at in range(1, 101):
        made = Program(f"/bin/p{at}", 1, at)
        windows = batch(row(at_s=at, pid=1000 + at, program=made), row(at_s=at, pid=5))
        programs.advance(T0 + at * S)
        processes.count(windows, programs.count(windows))
        processes.forget_stale(T0 + at * S)
    assert len(programs.rows) == 20
    assert made in programs.rows
    assert len(processes) == 30
    assert processes.columns["pid"].tolist().count(5) == 1
    board = board_of()
    for i in range(ALERTS + 10):
        board.alerted({"id": str(i), "state": "close"})
    assert [a["id"] for a in list(board.alerts)[-1:]] == [str(ALERTS + 9)]
    assert len(board.alerts) == ALERTS


def test_busy_processes_are_shown_among_any_number_of_short_ones(batch: Any, row: Any) -> None:
    """A server stays in the picture however many processes lived a moment after it."""
    board = board_of()
    board.see(tick_of(batch(row(at_s=1, pid=5, calls={0: 5000})), T0 + S))
    for at in range(2, 12):
        gone = [row(at_s=at, pid=1000 * at + i, exits=1) for i in range(50)]
        board.see(tick_of(batch(*gone), T0 + at * S))
    shown = picture(board)["processes"]
    assert len(shown) == 200
    assert picture(board)["processes_lately"] == 501
    assert [p["pid"] for p in shown if not p["ended"]] == [5]


def test_a_process_that_is_quiet_leaves(batch: Any, row: Any) -> None:
    """A process without a window for a minute is no longer shown."""
    processes = Processes()
    processes.count(batch(row(at_s=0)), np.zeros(1, np.int64))
    processes.forget_stale(T0 + 30 * S)
    assert len(processes) == 1
    processes.forget_stale(T0 + 90 * S, interval_s=31.0)
    assert len(processes) == 1, "three ticks, where they are longer"
    processes.forget_stale(T0 + 90 * S)
    assert len(processes) == 0


def test_living_processes_fill_the_room_there_is(batch: Any, row: Any) -> None:
    """Where fewer have ended than there is room for, more that live are shown."""
    board = board_of()
    board.see(tick_of(batch(*(row(at_s=1, pid=100 + i) for i in range(180))), T0 + S))
    assert len(picture(board)["processes"]) == 180


def test_a_clock_that_is_set_back_leaves_no_process_behind(batch: Any, row: Any) -> None:
    """What was seen hours ahead of the new time was seen long ago."""
    processes = Processes()
    processes.count(batch(row(at_s=20_000)), np.zeros(1, np.int64))
    processes.forget_stale(T0 + 9000 * S)
    assert len(processes) == 0


def test_a_host_that_slept_is_watched_on(batch: Any, row: Any) -> None:
    """After more than a minute without a tick all processes are stale, and the next are shown."""
    board = board_of()
    board.see(tick_of(batch(row(at_s=1, pid=5)), T0 + S))
    board.see(tick_of(batch(row(at_s=100, pid=5), row(at_s=100, pid=6)), T0 + 100 * S))
    assert sorted(p["pid"] for p in picture(board)["processes"]) == [5, 6]


def test_a_program_keeps_its_key() -> None:
    """The key in an address is the same after a restart, and another binary's is another."""
    assert key_of(Program("/bin/a", 1, 2)) == key_of(Program("/bin/a", 1, 2))
    assert key_of(Program("/bin/a", 1, 2)) != key_of(Program("/bin/a", 1, 3))


def test_readers_and_the_writer_do_not_disturb_each_other(batch: Any, row: Any) -> None:
    """Pictures taken while the board is written are whole, and nobody waits for ever."""
    board, done, taken = board_of(), threading.Event(), []

    def read() -> None:
        while not done.is_set():
            taken.append(picture(board))

    reader = threading.Thread(target=read)
    reader.start()
    for at in range(1, 200):
        board.see(tick_of(batch(row(at_s=at, pid=at)), T0 + at * S))
    done.set()
    reader.join()
    assert all(len(p["processes"]) <= p["windows"] for p in [*taken, picture(board)])
    assert picture(board)["windows"] == 199
