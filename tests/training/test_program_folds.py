"""Promises of the split by program: of what is judged the first windows are learned, no other."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oddcall.models.errors import EvidenceError
from oddcall.models.window import Program, WindowBatch
from oddcall.training.labels import Label
from oddcall.training.lake import Source, lake
from oddcall.training.program_folds import FEW, FOLDS, by_program
from oddcall.training.recording import METADATA, RecordingWriter, read_batches
from oddcall.training.splits import Fold, pause_ns
from oddcall.training.synthetic import Chain, window

#: Seconds of each recording, and windows of a baseline.
LENGTH, SETTLED = 90, 40


def made(program: Program, second: int, pid: int = 0) -> WindowBatch:
    """One window; every second has another process unless it is told."""
    chain = Chain(program, ((0, 1, 3),), (1.0,))
    return window(chain, [0, 1, 3] * 20, second=second, pid=pid or 1000 + second, seconds=0.5)


def write(folder: Path, host: str, ticks: list[list[WindowBatch]]) -> None:
    with RecordingWriter(
        folder, dict.fromkeys(METADATA, "made") | {"host_id": host, "arch": "x86_64"}
    ) as writer:
        for rows in ticks:
            writer.append(WindowBatch.concat(rows))


PROGRAMS = [Program(f"/usr/bin/p{i}", 0x801, 100 + i, "work.service") for i in range(12)]
UPGRADED = replace(PROGRAMS[1], ino=901)
ELSEWHERE = replace(PROGRAMS[2], unit="other.service")
LINKED = replace(PROGRAMS[3], exe="/opt/also-p3")
COPY = replace(PROGRAMS[0], ino=777)
#: Too few windows to be judged, though its executable has enough elsewhere.
SELDOM = replace(PROGRAMS[6], unit="seldom.service")
SMALL = Program("/usr/bin/small", 0x801, 300, "work.service")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two hosts: one with the twelve and their kin, one with a copy of the first, begun earlier."""
    root = tmp_path_factory.mktemp("programs")
    ticks = []
    for second in range(LENGTH):
        programs = [p for i, p in enumerate(PROGRAMS) if i != 1 or second < LENGTH // 2]
        programs += [UPGRADED] * (second >= LENGTH // 2) + [ELSEWHERE, LINKED]
        programs += [SMALL, SELDOM] * (second < SETTLED - 1)
        ticks.append([made(p, second, pid=100 + n) for n, p in enumerate(programs)])
        # Twice in one second: more than the few end at the same moment as the last of them.
        ticks[-1] += [made(PROGRAMS[4], second, pid=900 + n) for n in range(3)]
    write(root / "a", "a", ticks)
    write(root / "b", "b", [[made(COPY, second)] for second in range(-4, LENGTH)])
    return root


Row = tuple[str, Program, int, int, int]


def sides(fold: Fold, sources: list[Source]) -> tuple[list[Row], list[Row]]:
    """What a fold learns and judges: host, program, end, begin and pid of each window."""
    learned: list[Row] = []
    judged: list[Row] = []
    for source in sources:
        for batch in read_batches(source.path):
            learns, judges = fold.learns(source, batch), fold.judges(source, batch)
            assert not (learns & judges).any()
            for mask, side in ((learns, learned), (judges, judged)):
                side += [
                    (
                        source.host,
                        batch.programs[batch.program[i]],
                        int(batch.t_end_ns[i]),
                        int(batch.t_start_ns[i]),
                        int(batch.pid[i]),
                    )
                    for i in np.flatnonzero(mask)
                ]
    return learned, judged


def every(sources: list[Source]) -> dict[tuple[str, str, str], list[Row]]:
    """All windows by place, in the order of time."""
    found = defaultdict(list)
    whole = Fold("all", lambda _, b: np.ones(len(b), bool), lambda _, b: np.zeros(len(b), bool))
    for row in sides(whole, sources)[0]:
        found[row[1].place].append(row)
    return {place: sorted(rows, key=lambda r: (*r[2:], r[0])) for place, rows in found.items()}


def test_of_a_judged_program_only_its_first_windows_are_learned(root):
    """Over all its hosts, binaries and processes exactly the first few, and a pause after them."""
    sources = lake([root])
    pause, whole = pause_ns(sources), every(lake([root]))
    times: Counter[tuple[str, str, str]] = Counter()
    for fold in by_program(sources, [], SETTLED):
        learned, judged = sides(fold, sources)
        by_place = defaultdict(list)
        for row in learned:
            by_place[row[1].place].append(row)
        places = {row[1].place for row in judged}
        times.update(places)
        assert places
        for place in places:
            first = whole[place][:FEW]
            assert sorted(by_place[place]) == sorted(first)
            begins = min(row[3] for row in judged if row[1].place == place)
            assert begins >= max(row[2] for row in first) + pause
        # The same executable in another unit, and the same file by another name.
        exes = {place[0] for place in places}
        if SELDOM.exe in exes:
            assert len(by_place[SELDOM.place]) == FEW
        for one, other in ((PROGRAMS[2], ELSEWHERE), (PROGRAMS[3], LINKED)):
            assert (one.exe in exes) == (other.exe in exes)
            if one.exe in exes:
                assert len(by_place[one.place]) == len(by_place[other.place]) == FEW
        # Of everybody else all is learned.
        kept = {one for one in whole if len(by_place[one]) > FEW}
        assert all(by_place[place] and len(by_place[place]) == len(whole[place]) for place in kept)
        assert kept | {p for p in whole if p[0] in exes} == set(whole)
    assert set(times) == set(whole) - {SMALL.place, SELDOM.place}
    assert set(times.values()) == {1}


def test_the_first_windows_are_those_of_the_host_that_met_it_first(root):
    """A copy on another host that began earlier gives the few: those of this host are judged."""
    sources = lake([root])
    for fold in by_program(sources, [], SETTLED):
        learned, judged = sides(fold, sources)
        if PROGRAMS[0] in {row[1] for row in judged}:
            mine = [row for row in learned if row[1].place == COPY.place]
            assert Counter(row[0] for row in mine) == {"b": 7, "a": 3}
            assert {row[0] for row in judged if row[1].place == COPY.place} == {"a", "b"}
            return
    pytest.fail("nobody judged it")


def test_a_binary_that_came_later_was_not_met(root):
    """An upgrade is the same program: none of its windows are learned, all are judged."""
    sources = lake([root])
    (fold,) = (
        fold
        for fold in by_program(sources, [], SETTLED)
        if UPGRADED in {row[1] for row in sides(fold, sources)[1]}
    )
    learned, judged = sides(fold, sources)
    assert UPGRADED not in {row[1] for row in learned}
    assert sum(row[1] == UPGRADED for row in judged) == LENGTH - LENGTH // 2


def test_windows_of_attacks_are_none_of_the_first(root):
    """What was attacked at its beginning is learned from the first windows after that."""
    sources = lake([root])
    victim = PROGRAMS[5]
    rows = every(sources)[victim.place]
    label = Label("early", rows[0][3], rows[6][2], program=victim.exe, host="a")
    for fold in by_program(sources, [label], SETTLED):
        learned, judged = sides(fold, sources)
        if victim in {row[1] for row in judged}:
            mine = sorted(row[2] for row in learned if row[1] == victim)
            assert len(mine) == FEW
            # Five seconds after an attack are neither clean nor the attack.
            assert mine[0] > label.end_ns + 5_000_000_000
            return
    pytest.fail("nobody judged it")


def test_folds_are_the_same_in_whatever_order_recordings_come(root):
    """Who is judged together, and by what, depends on the programs alone."""
    sources = lake([root])
    one, other = by_program(sources, [], SETTLED), by_program(sources[::-1], [], SETTLED)
    assert [fold.name for fold in one] == [fold.name for fold in other]
    assert len(one) == FOLDS
    for a, b in zip(one, other, strict=True):
        assert sides(a, sources) == sides(b, sources)


def test_each_fold_holds_nearly_as_many_programs(root):
    """So many others are left to be judged by as can be."""
    sources = lake([root])
    sizes = [
        len({row[1].exe for row in sides(fold, sources)[1]} - {LINKED.exe})
        for fold in by_program(sources, [], SETTLED)
    ]
    assert sum(sizes) == len(PROGRAMS)
    assert max(sizes) - min(sizes) <= 1


def test_the_few_are_fewer_than_a_baseline_takes(root):
    """Where ten windows are enough for a baseline of its own, nine are learned."""
    sources = lake([root])
    fold, *_ = by_program(sources, [], FEW)
    learned, judged = sides(fold, sources)
    place = judged[0][1].place
    assert fold.few == FEW - 1
    assert sum(row[1].place == place for row in learned) == FEW - 1


def test_windows_that_cannot_be_learned_are_none_of_the_first(tmp_path):
    """Of a process that was gone before it was looked at, the program is not sure."""
    ticks = []
    for second in range(LENGTH):
        rows = WindowBatch.concat([made(p, second, pid=100 + n) for n, p in enumerate(PROGRAMS)])
        ticks.append([replace(rows, identity_complete=np.full(len(rows), second >= 5))])
    write(tmp_path / "a", "a", ticks)
    sources = lake([tmp_path])
    fold, *_ = by_program(sources, [], SETTLED)
    learned, judged = sides(fold, sources)
    mine = sorted(row[3] for row in learned if row[1] == judged[0][1])
    assert len(mine) == FEW
    assert mine[0] >= sources[0].start_ns + 5_000_000_000


def test_too_few_programs_are_refused_by_words(tmp_path):
    """Where nobody has eight others beside those of his fold, nothing could be judged."""
    for count in (1, 8):
        folder = tmp_path / str(count)
        write(folder, "a", [[made(p, s) for p in PROGRAMS[:count]] for s in range(LENGTH)])
        with pytest.raises(EvidenceError, match="too few programs") as told:
            by_program(lake([folder]), [], SETTLED)
        assert "at least 8 others that have 40 clean windows each" in str(told.value)
        assert f"{count} such programs" in str(told.value)
    write(tmp_path / "9", "a", [[made(p, s) for p in PROGRAMS[:9]] for s in range(LENGTH)])
    assert by_program(lake([tmp_path / "9"]), [], SETTLED)
