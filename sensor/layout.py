"""The shared header as numpy sees it: one dtype for a head, one row width for the counts."""

from __future__ import annotations

import re
from importlib import resources

import numpy as np

from oddcall.models.window import BLOCKS


def _constants() -> dict[str, int]:
    text = resources.files("oddcall.bpf").joinpath("oddcall.h").read_text()
    found = re.findall(r"^#define (OC_\w+) (\d+)", text, flags=re.MULTILINE)
    return {name: int(value) for name, value in found}


#: Every number of ``bpf/oddcall.h`` by its name.
HEADER = _constants()

#: One ``struct oc_head``.
HEAD = np.dtype(
    [
        ("start_ns", "u8"),
        ("cgroup_id", "u8"),
        ("ino", "u8"),
        ("dev", "u4"),
        ("tgid", "u4"),
        ("ppid", "u4"),
        ("uid", "u4"),
        ("comm", f"S{HEADER['OC_COMM']}"),
        ("exe", f"S{HEADER['OC_EXE']}"),
        ("serial", "u4"),
        ("state", "u4"),
        ("forks", "u4"),
        ("execs", "u4"),
        ("ended_ns", "u8"),
    ]
)

#: Order of the blocks in ``struct oc_counts``, and the columns each takes of a row.
COUNT_ORDER = ("syscalls", "errors", "transitions", "compat", "uring")
COUNT_COLUMNS: dict[str, slice] = {}
_at = 0
for _block in COUNT_ORDER:
    COUNT_COLUMNS[_block] = slice(_at, _at + BLOCKS[_block])
    _at += BLOCKS[_block]
#: 32-bit counters in one ``struct oc_counts``.
COUNT_WIDTH = _at
#: Columns whose counts are events: calls, and 32-bit calls with io_uring submissions beside them.
EVENT_COLUMNS = (
    COUNT_COLUMNS["syscalls"],
    slice(COUNT_COLUMNS["compat"].start, COUNT_COLUMNS["uring"].stop),
)

#: Rows of the tally, by the name people see.
TALLIES = {
    "slots taken": HEADER["OC_SLOTS_TAKEN"],
    "processes without a slot": HEADER["OC_LOST_PROCESS"],
    "processes not indexed": HEADER["OC_LOST_INDEX"],
    "threads displaced": HEADER["OC_LOST_THREAD"],
}
