"""Sensors that count on this host now, and what each has lost, as the kernel's own maps have it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from oddcall.sensor.entries import Entries
from oddcall.sensor.layout import COUNT_WIDTH, HEAD, HEADER, TALLIES
from oddcall.sensor.loaded import OpenMap, holder, maps_of, programs
from oddcall.sensor.loader import HOT_HOOK
from oddcall.sensor.maps import view

_COUNTS = np.dtype((np.uint32, (COUNT_WIDTH,)))


@dataclass(frozen=True, slots=True)
class Running:
    """One sensor, of whichever process.

    Attributes
    ----------
    slots : int
        Processes that it has room for.
    tracked : int
        Processes that it counts now.
    lost : dict of str to int
        What it could not count since it began, by kind; as `Tick.lost` has it, but for what only
        its user space knows. Events without a slot wrap at 2**32 a call.
    pid : int or None
        Process that it belongs to, where that can be seen.
    """

    slots: int
    tracked: int
    lost: dict[str, int]
    pid: int | None = None


def running() -> list[Running]:
    """Find them; none for who may not look (CAP_SYS_ADMIN), nor those of another version."""
    found = []
    for program in programs():
        if program.name == HOT_HOOK:
            with maps_of(program) as maps:
                if _is_ours(maps):
                    found.append(replace(_read(maps), pid=holder(program)))
    return found


def _is_ours(maps: dict[str, OpenMap]) -> bool:
    sizes = {name: one.value_size for name, one in maps.items()}
    wanted = {"heads": HEAD.itemsize, "counts": _COUNTS.itemsize, "tally": 8}
    return wanted.items() <= sizes.items() and maps["tally"].entries == HEADER["OC_TALLIES"]


def _read(maps: dict[str, OpenMap]) -> Running:
    slots = maps["heads"].entries
    heads: Any = view(maps["heads"].fd, slots, HEAD)
    tally = view(maps["tally"].fd, HEADER["OC_TALLIES"], np.dtype(np.uint64))
    untracked = view(maps["counts"].fd, 1, _COUNTS)
    lost = {name: int(tally[row]) for name, row in TALLIES.items() if name != "slots taken"}
    return Running(
        slots=slots - 1,
        tracked=int(np.count_nonzero(heads["state"] == HEADER["OC_LIVE"])),
        lost={"events without a slot": int(Entries.of(untracked).events()[0]), **lost},
    )
