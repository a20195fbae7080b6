"""Which windows of a recording belong to which labelled attack."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oddcall.models.sparse import IntArray
from oddcall.models.window import Program
from oddcall.training.columns import ProgramTable, values
from oddcall.training.labels import Label
from oddcall.training.lake import Source
from oddcall.training.parts import tables

#: What a window is when no attack was on.
CLEAN = -1
#: What a window is that begins within ``AFTERMATH_S`` after an attack, in the same process or
#: program: an error that is logged, a child that is reaped. Neither clean nor the attack.
AFTERMATH = -2
AFTERMATH_S = 5.0
#: Everybody's parents: their children are no family.
_FIRST_PIDS = 2
_NUMBERS = ("t_start", "t_end", "pid", "ppid")
_COLUMNS = [*_NUMBERS, "program", "exe", "dev", "ino", "unit", "container_kind"]


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Who and when of windows, in columns of length n: all that labels speak of."""

    start_ns: IntArray
    end_ns: IntArray
    pid: IntArray
    ppid: IntArray
    program: IntArray
    programs: tuple[Program, ...]


def ground_truth(source: Source, labels: Sequence[Label]) -> IntArray:
    """Say of every window of a recording, in its order, which attack it is part of.

    Returns
    -------
    int64 (n,)
        Index into ``labels``, ``CLEAN`` or ``AFTERMATH``.
    """
    meant = [label if label.host in ("", source.host) else None for label in labels]
    return attack_of(_spans(source), meant)


def attack_of(spans: Spans, labels: Sequence[Label | None]) -> IntArray:
    """Say of every window which label it falls under, (n,); the earlier label where two do."""
    found = np.full(len(spans.pid), CLEAN, np.int64)
    for i, label in enumerate(labels):
        if label is None:
            continue
        after_ns = label.end_ns + int(AFTERMATH_S * 1e9)
        near = np.flatnonzero((spans.start_ns < after_ns) & (spans.end_ns > label.start_ns))
        mine = near[_meant(spans, near, label)]
        during = mine[spans.start_ns[mine] <= label.end_ns]
        free = found[mine] == CLEAN
        found[mine[free]] = AFTERMATH
        # An attack right after another one is an attack, not what the first one left behind.
        taken = during[found[during] == AFTERMATH]
        found[taken] = i
    return found


def _meant(spans: Spans, near: IntArray, label: Label) -> NDArray[np.bool_]:
    """Which of the windows near a label are of the processes that it means."""
    if label.pid is not None:
        family = np.array([label.pid], np.int64)
        pid, ppid = spans.pid[near], spans.ppid[near]
        while label.pid > _FIRST_PIDS:
            grown = np.unique(np.concatenate([family, pid[np.isin(ppid, family)]]))
            if len(grown) == len(family):
                break
            family = grown
        return np.isin(pid, family)
    if label.program:
        named = [i for i, program in enumerate(spans.programs) if program.exe == label.program]
        return np.isin(spans.program[near], named)
    return np.ones(len(near), np.bool_)


def _spans(source: Source) -> Spans:
    known = ProgramTable()
    read: dict[str, list[IntArray]] = {name: [] for name in (*_NUMBERS, "program")}
    for table in tables(source.path, _COLUMNS):
        for name in _NUMBERS:
            read[name].append(values(table, name))
        read["program"].append(known.rows(table))
    none = np.zeros(0, np.int64)
    start, end, pid, ppid, program = (np.concatenate([*found, none]) for found in read.values())
    return Spans(start, end, pid, ppid, program, known.programs)
