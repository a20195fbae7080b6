#!/usr/bin/env python3
"""What a look at the kernel's counters takes, as ever more processes are tracked but idle.

Usage: .venv/bin/python benchmarks/sweep.py [--active 200] [--rounds 200]

Against maps in memory that this script plays the kernel for, so it needs no privilege. Every
active process makes calls of 40 kinds in every tick, and every one of their windows closes:
the most that a look can have to do. Idle ones made theirs long ago. What is timed is the look
itself: finding what counted, reading it, taking differences, closing the windows.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from oddcall.sensor.layout import COUNT_COLUMNS, HEADER
from oddcall.sensor.maps import Maps
from oddcall.sensor.sweep import Sweep, WindowRule

IDLE = (100, 1_000, 10_000)
#: Kinds of call of an active process in a tick, and of transitions between them.
KINDS, PAIRS = 40, 80
GOAL_MS = 5.0


class Host:
    """Processes that hold slots, some of which go on counting."""

    def __init__(self, active: int, idle: int) -> None:
        self._random = np.random.default_rng(1)
        self.maps = Maps.in_memory(active + idle + 1, lambda _: True)
        self._heads = self.maps.heads
        everybody = np.arange(1, active + idle + 1)
        self._heads["tgid"][1:] = everybody
        self._heads["serial"][1:] = 1
        self._heads["state"][1:] = HEADER["OC_LIVE"]
        self.maps.tally[HEADER["OC_SLOTS_TAKEN"]] = len(everybody)
        # Spread among the idle, as they are on a host that has run for long.
        self._active = np.sort(self._random.choice(everybody, active, replace=False))
        self._calls = self._columns("syscalls", active, KINDS)
        self._transitions = self._columns("transitions", active, PAIRS)
        self.count(everybody[:, None], np.arange(KINDS)[None, :])

    def _columns(self, block: str, rows: int, kinds: int) -> np.ndarray:
        columns = COUNT_COLUMNS[block]
        picked = [
            self._random.choice(columns.stop - columns.start, kinds, replace=False)
            for _ in range(rows)
        ]
        return np.array(picked) + columns.start

    def count(self, slots: np.ndarray, columns: np.ndarray) -> None:
        """Add to counters, as the program in the kernel does."""
        self.maps.counts[slots, columns] += np.uint32(3)
        self.maps.touched[slots] = self.maps.control[HEADER["OC_EPOCH"]]

    def tick(self) -> None:
        """Let every active process make its calls."""
        self.count(self._active[:, None], self._calls)
        self.count(self._active[:, None], self._transitions)


def looks_ms(active: int, idle: int, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each look: by the clock, and of the processor."""
    host = Host(active, idle)
    sweep = Sweep(host.maps, WindowRule(min_events=1), 0.0)
    for second in (1.0, 2.0):  # the first reads everybody, and its epoch is read once more
        sweep.look(second)
    clock, processor = [], []
    for second in range(3, rounds + 3):
        host.tick()
        began, began_cpu = time.perf_counter(), time.thread_time()
        closed = sweep.look(float(second))
        clock.append((time.perf_counter() - began) * 1e3)
        processor.append((time.thread_time() - began_cpu) * 1e3)
        if len(closed) != active:
            raise SystemExit(f"{len(closed)} windows closed where {active} processes counted")
    return clock, processor


def main() -> None:
    """Print a row for each number of idle processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--active", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args()
    print(f"{'active':>8}{'idle':>10}{'median ms':>12}{'95 % ms':>10}{'processor ms':>15}")
    for idle in IDLE:
        clock, processor = looks_ms(given.active, idle, given.rounds)
        middle, slow = statistics.median(clock), statistics.quantiles(clock, n=20)[-1]
        used = statistics.median(processor)
        print(f"{given.active:>8,}{idle:>10,}{middle:>12.2f}{slow:>10.2f}{used:>15.2f}", flush=True)
    print(f"goal: under {GOAL_MS:.0f} ms")


if __name__ == "__main__":
    main()
