"""Promises about recording: what is told is what is in it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddcall.models.errors import SettingError
from oddcall.models.window import Program
from oddcall.service.record import record, until
from oddcall.training.recording import RecordingWriter, read_batches

from .conftest import METADATA

SHELL = Program("/bin/dash", 1, 11)


def test_the_summary_counts_what_was_written(
    tmp_path: Path, fake_sensor: Any, screen: Any, batch: Any, row: Any
) -> None:
    """Windows, processes, programs and calls are those of the recording, each counted once."""
    ticks = [
        batch(row(pid=1), row(pid=2, program=SHELL, exits=1)),
        batch(),
        batch(row(pid=1, at_s=3), row(pid=2, at_s=3, program=SHELL), row(pid=3, at_s=3)),
        batch(row(pid=1, at_s=4, exits=1, calls={1: 7})),
    ]
    writer = RecordingWriter(tmp_path / "r", METADATA)
    tally = record(fake_sensor(ticks).ticks(), writer, screen, None)
    assert tally.as_dict() == {
        "windows": 6,
        "processes": 4,
        "programs": 2,
        "calls": 5 * 300 + 7,
        "lost": 0,
        "lost_by_kind": {"full map": 0},
    }
    assert str(tally) == "6 windows, 4 processes, 2 programs, 1,507 calls, lost 0"
    read = list(read_batches(tmp_path / "r"))
    assert not any("going on" in line for line in screen.lines)
    assert sum(map(len, read)) == 6
    assert sum(int(b.syscalls.counts.sum()) for b in read) == 1507


def test_a_recording_that_goes_on_says_so(
    tmp_path: Path, fake_sensor: Any, screen: Any, batch: Any, row: Any
) -> None:
    """Whoever names a folder twice is told that its windows join those that are there."""
    for _ in range(2):
        writer = RecordingWriter(tmp_path / "r", METADATA)
        tally = record(fake_sensor([batch(row(pid=1))]).ticks(), writer, screen, None)
        assert tally.windows == 1, "of this time"
    said = [line for line in screen.lines if "going on" in line]
    assert said == [f"{tmp_path / 'r'} holds a recording of this host: going on with it"]
    assert sum(map(len, read_batches(tmp_path / "r"))) == 2


def test_intervals_are_not_mixed(
    tmp_path: Path, fake_sensor: Any, screen: Any, batch: Any, row: Any
) -> None:
    """A recording goes on at its own interval; at another nothing is added, and it says which."""
    for interval, refused in (("1", ""), ("5.0", "expected its own, 1s; got 5s"), ("1.0", "")):
        writer = RecordingWriter(tmp_path / "r", {**METADATA, "interval_s": interval})
        ticks = fake_sensor([batch(row(pid=1))]).ticks()
        if refused:
            with pytest.raises(SettingError, match=f"{refused}. Type --interval 1s"):
                record(ticks, writer, screen, None)
        else:
            record(ticks, writer, screen, None)
    assert sum(map(len, read_batches(tmp_path / "r"))) == 2


def test_memory_goes_with_the_processes_alive(
    tmp_path: Path, fake_sensor: Any, screen: Any, batch: Any, row: Any
) -> None:
    """A hundred thousand processes that came and went are a number, not a list."""
    ticks = [
        batch(*(row(pid=1000 * tick + i, at_s=tick, exits=1) for i in range(300)))
        for tick in range(1, 20)
    ]
    writer = RecordingWriter(tmp_path / "r", METADATA)
    tally = record(fake_sensor(ticks).ticks(), writer, screen, None)
    assert tally.processes == 19 * 300
    assert not tally._alive


def test_a_process_is_counted_once_whatever_becomes_of_it(
    tmp_path: Path, fake_sensor: Any, screen: Any, batch: Any, row: Any
) -> None:
    """Several programs in turn are one process; one killed in its sleep ends with its pid's next.

    One row a window: tick, pid, start, whether it ended, programs it went on to become.
    """
    rows = [
        (0, 7, 70, 1, 1),
        (0, 7, 70, 0, 0),
        (1, 7, 90, 0, 0),
        (1, 8, 80, 0, 0),
        (2, 8, 99, 1, 0),
        (2, 8, 80, 1, 0),
        (2, 7, 90, 1, 0),
        (2, 7, 90, 1, 1),
    ]
    ticks = []
    for number in range(3):
        _, pid, start, exits, execs = np.array([r for r in rows if r[0] == number]).T
        made = batch(*(row(pid=int(i), exits=int(e)) for i, e in zip(pid, exits, strict=True)))
        ticks.append(replace(made, start_time_ns=start, execs=execs))
    writer = RecordingWriter(tmp_path / "r", METADATA)
    tally = record(fake_sensor(ticks).ticks(), writer, screen, None)
    assert tally.processes == 4
    assert not tally._alive


def test_losses_are_told_by_kind(
    tmp_path: Path, fake_sensor: Any, screen: Any, batch: Any, row: Any
) -> None:
    """A recording that missed something says what."""
    (tick,) = fake_sensor([batch(row())]).ticks()
    tick.lost.update({"full map": 3, "other": 0})
    tally = record([tick], RecordingWriter(tmp_path / "r", METADATA), screen, 10.0)
    assert str(tally).endswith("lost 3 (3 full map)")
    assert screen.statuses[0].done is not None


def test_it_ends_when_the_time_is_over(fake_sensor: Any) -> None:
    """After the duration the source is asked for its last tick; before, it is not."""
    sensor, began = fake_sensor([], endless=True), time.monotonic()
    assert list(until(sensor, 0.3))
    assert sensor.stopped
    assert time.monotonic() - began >= 0.3
    again = fake_sensor([])
    assert list(until(again, None)) == []
    assert not again.stopped
