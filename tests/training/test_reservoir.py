"""Gathering holds about what it keeps, and keeps the same whenever it makes room."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from oddcall.models.features import SCALARS, FeatureSpec
from oddcall.models.window import Program, WindowBatch
from oddcall.training import reservoir
from oddcall.training.reservoir import Gathered, Reservoir
from oddcall.training.synthetic import WEB, window

#: Windows kept of a program here, and programs that have one window each.
_KEPT, _RARE = 64, 300
CSR = ("data", "indices", "indptr")


@pytest.fixture(scope="module")
def batches() -> list[WindowBatch]:
    """One program of very many windows beside many of a single one, met in between."""
    random = np.random.default_rng(0)
    some = WindowBatch.concat([window(WEB, WEB.walk(40, random), second=i) for i in range(500)])
    rare = tuple(Program(f"/usr/bin/q{i}", 0, 900 + i) for i in range(_RARE))
    programs = (WEB.program, *rare)
    made = []
    for turn in range(60):
        program = np.zeros(len(some), np.int64)
        program[: _RARE // 60] = 1 + turn * (_RARE // 60) + np.arange(_RARE // 60)
        rows = some.take(random.permutation(500))
        later = turn * 1_000_000_000_000
        made.append(
            replace(
                rows,
                programs=programs,
                program=program,
                t_start_ns=rows.t_start_ns + later,
                t_end_ns=rows.t_end_ns + later,
            )
        )
    return made


def gathered(batches: list[WindowBatch]) -> tuple[Gathered, int]:
    """What is gathered, and the most windows that were held at once."""
    found, most = Reservoir(FeatureSpec(), _KEPT, seed=3), 0
    for batch in batches:
        found.add(batch)
        most = max(most, found._held)
    return found.gathered(), most


def test_what_is_held_is_bounded_by_what_is_kept(batches: list[WindowBatch]):
    """Programs of a window each do not let another hold thousands for each of them."""
    whole, most = gathered(batches)
    kept = whole.vectors.shape[0]
    assert kept == _KEPT + _RARE
    assert most <= 2 * (kept + reservoir._TOGETHER) < sum(map(len, batches)) / 3


def test_when_room_is_made_changes_nothing(
    batches: list[WindowBatch], monkeypatch: pytest.MonkeyPatch
):
    """The same as where everything is held to the end, to the last bit."""
    ours, _ = gathered(batches)
    monkeypatch.setattr(reservoir, "_TOGETHER", 10**9)
    theirs, most = gathered(batches)
    assert most == sum(map(len, batches))
    assert same(ours, theirs)


def test_what_was_met_first_is_kept_of_windows_that_are_not(batches: list[WindowBatch]):
    """Every symbol once a program, at the window that met it, however few windows are kept."""
    whole, _ = gathered(batches)
    spec, firsts = FeatureSpec(), whole.firsts
    row = np.repeat(np.arange(len(firsts.program)), np.diff(firsts.vectors.indptr))
    column = firsts.vectors.indices
    events = column == spec.column("scalars", SCALARS.index("events"))
    met = np.full_like(whole.first_met, reservoir.NEVER)
    met[firsts.program[row], column] = firsts.ordinal[row]
    # How many events there were is told of every window.
    met[:, column[events][0]] = whole.first_met[:, column[events][0]]
    assert np.array_equal(met, whole.first_met)
    assert len(np.unique((firsts.program[row] << 16) + column)) == (~events).sum() + len(
        whole.programs
    )
    web = firsts.program == 0
    kept = whole.ordinal[whole.program == 0]
    assert np.isin(firsts.ordinal[web], kept, invert=True).any()


def test_a_tick_keeps_what_each_of_its_windows_met():
    """Of processes that take a new path in one second the one that does most of it is kept too."""
    random, calls = np.random.default_rng(6), np.array([101, 157, 161, 165, 167, 169, 170, 171])
    found = Reservoir(FeatureSpec(), _KEPT, seed=0)
    for second in range(3):
        found.add(window(WEB, WEB.walk(400, random), second=second))
    together = [
        window(WEB, np.append(WEB.walk(40, random), calls[: i + 1]), second=3, pid=100 + i)
        for i in range(len(calls))
    ]
    found.add(WindowBatch.concat(together))
    found.add(window(WEB, np.append(WEB.walk(40, random), calls), second=4))
    firsts = found.gathered().firsts
    made = (firsts.vectors[:, calls].toarray() > 0).sum(axis=1)
    assert made[firsts.ordinal >= 3].tolist() == list(range(1, len(calls) + 1))


def same(one: object, other: object) -> bool:
    """Whether two hold the same to the last bit."""
    if isinstance(one, csr_matrix):
        assert isinstance(other, csr_matrix)
        return all(same(getattr(one, part), getattr(other, part)) for part in CSR)
    if is_dataclass(one) and not isinstance(one, Program):
        return all(same(getattr(one, part.name), getattr(other, part.name)) for part in fields(one))
    return np.array_equal(np.asarray(one), np.asarray(other))
