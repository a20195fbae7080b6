"""What was kept of a slot is given back, and memory goes with what is kept."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oddcall.sensor.layout import COUNT_WIDTH
from oddcall.sensor.starts import Starts

SLOTS = 6


@given(st.lists(st.tuples(st.sampled_from(["keep", "drop"]), st.integers(0, SLOTS - 1))))
def test_it_is_an_array_that_forgets(doings):
    """Whatever is kept and dropped in whatever order, a row is what was kept last, or zero."""
    starts, plain = Starts(SLOTS), np.zeros((SLOTS, COUNT_WIDTH), np.uint32)
    for turn, (what, slot) in enumerate(doings, 1):
        if what == "keep":
            plain[slot] = 0
            plain[slot, : turn % 2 * 640 + 2048] = turn
            starts.keep(np.array([slot]), plain[[slot]])
        else:
            plain[slot] = 0
            starts.drop(np.array([slot]))
        assert (starts.of(np.arange(SLOTS)) == plain).all()


def own_kb() -> int:
    return int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def test_only_what_is_kept_takes_memory():
    """One row in a hundred is not the memory of all, and what is dropped goes back."""
    starts = Starts(8192)
    before = own_kb()
    spread = np.arange(0, 8192, 100)
    starts.keep(spread, np.ones((len(spread), COUNT_WIDTH), np.uint32))
    kept = own_kb() - before
    assert kept < 4096, "82 rows of 12 KB, and what else happens to be allocated"
    everybody = np.arange(8192)
    for some in np.array_split(everybody, 64):
        native = np.zeros((len(some), COUNT_WIDTH), np.uint32)
        native[:, 5] = 1
        starts.keep(some, native)
    assert own_kb() - before < 80_000, "8 KB a row while nobody makes 32-bit calls"
    for some in np.array_split(everybody, 64):
        starts.keep(some, np.ones((len(some), COUNT_WIDTH), np.uint32))
    assert own_kb() - before > 90_000
    starts.drop(everybody)
    assert own_kb() - before < 10_000
