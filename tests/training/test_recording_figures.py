"""Promises of figures of recordings: what counts as an attack that was judged, and where it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from oddcall.models.window import Program
from oddcall.training.judged import Judged
from oddcall.training.labels import Label
from oddcall.training.recording_figures import (
    attacks_found,
    found_at,
    kept,
    programs_judged,
    recall,
)

CLEAN = 50


def judged_of(*attacks: tuple[int, float, bool, bool, int]) -> Judged:
    """Fifty clean windows, and one a (label, p-value, ready, known, recording)."""
    label, p, ready, known, source = (np.array(column) for column in zip(*attacks, strict=True))
    n = CLEAN + len(attacks)
    p_value = np.concatenate([np.linspace(0.02, 1, CLEAN), p])
    ready = np.concatenate([np.ones(CLEAN, np.bool_), ready])
    return Judged(
        source=np.concatenate([np.zeros(CLEAN, np.int64), source]),
        start_ns=np.arange(n),
        end_ns=np.arange(n) + 1,
        program=np.zeros(n, np.int64),
        programs=(Program("/bin/x", 1, 1),),
        attack=np.concatenate([np.full(CLEAN, -1), label]),
        p_value=p_value,
        threshold=np.full(n, 1e-3),
        alert=ready & (p_value <= 1e-3),
        ready=ready,
        known=np.concatenate([np.ones(CLEAN, np.bool_), known]),
        detectors={},
        hosts=("web1", "web2"),
    )


def test_recall_and_rates_are_of_the_same_attacks():
    """Attacks that could not alert, and those without a window, are in neither denominator."""
    judged = judged_of(
        (0, 1e-9, True, True, 0),  # found
        (1, 0.5, True, True, 0),  # missed
        (2, 1.0, False, False, 0),  # of a program without a baseline
        (3, 1e-9, False, True, 0),  # of one whose baseline has not settled
        (5, 1e-9, True, True, 0),  # found, though counts should not tell it
    )
    labels = [Label(str(i), 0, 100) for i in range(5)] + [Label("5", 0, 100, visible=False)]
    found = attacks_found(judged, labels)
    assert [attack.lacks for attack in found] == [
        "", "", "a baseline", "a settled baseline", "a window", "",
    ]  # fmt: skip
    assert (recall(found).count, recall(found).of) == (1, 2)
    assert found_at(found)[0.05] == 0.5
    assert found_at(found[2:5]) == {}
    # A program's row speaks of no others.
    (program,) = programs_judged(judged, labels)
    assert (program.attacks, program.found, program.not_judged) == (2, 1, 2)


def test_what_came_is_also_said_of_programs_that_vary():
    """Windows that are always alike cannot be unlikely: they are left out of the second share."""
    same = [(-1, 1.0, True, True, 0)] * 150
    judged = judged_of(*same)
    programs = (Program("/bin/x", 1, 1), Program("/bin/y", 1, 2))
    alike = replace(judged, program=np.repeat([0, 1], [CLEAN, 150]), programs=programs)
    shares = {row.promised: (row.realised, row.varied) for row in kept(alike)}
    assert shares[0.1] == (5 / 200, 5 / 50)
    assert kept(replace(alike, program=np.ones(200, np.int64)))[0].varied is None


def test_an_attack_is_where_its_windows_are():
    """The host of an attack is that of its windows, or of its label where there are none."""
    judged = judged_of((0, 1e-9, True, True, 1), (1, 0.5, True, True, 0), (1, 0.5, True, True, 1))
    labels = [Label("a", 0, 9), Label("b", 0, 9), Label("c", 0, 9, host="web3"), Label("d", 0, 9)]
    found = attacks_found(judged, labels)
    assert [attack.hosts for attack in found] == [("web2",), ("web1", "web2"), ("web3",), ()]
