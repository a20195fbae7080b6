"""Promises of scores over time: whose are drawn."""

from __future__ import annotations

import numpy as np

from oddcall.models.window import Program
from oddcall.training.ground_truth import CLEAN
from oddcall.training.judged import Judged
from oddcall.training.labels import Label
from oddcall.training.report.timeline import strips


def judged_of(attacked: int, clean: dict[str, int]) -> Judged:
    """A window of an attack in so many programs, and windows of others, all alerting falsely."""
    names = [f"attacked{i}" for i in range(attacked)] + [
        n for n, k in clean.items() for _ in range(k)
    ]
    programs = tuple(dict.fromkeys(names))
    n = len(names)
    yes = np.ones(n, np.bool_)
    return Judged(
        source=np.zeros(n, np.int64),
        start_ns=np.arange(n) * 10**9,
        end_ns=(np.arange(n) + 1) * 10**9,
        program=np.array([programs.index(name) for name in names]),
        programs=tuple(Program(f"/bin/{name}", 1, i) for i, name in enumerate(programs)),
        attack=np.array([i if i < attacked else CLEAN for i in range(n)]),
        p_value=np.full(n, 1e-9),
        threshold=np.full(n, 1e-6),
        alert=yes,
        ready=yes,
        known=yes,
        detectors={},
    )


def drawn(attacked: int, clean: dict[str, int]) -> list[str]:
    labels = [Label(f"{i}", i * 10**9, (i + 1) * 10**9) for i in range(attacked)]
    return [strip.name for strip in strips(judged_of(attacked, clean), labels)]


def test_what_alerted_falsely_is_drawn_however_many_were_attacked():
    """The two programs with the most false alerts have a strip beside six or more attacked."""
    for attacked in (0, 1, 3, 4, 6, 9):
        names = drawn(attacked, {"a": 2, "b": 9, "c": 5})
        assert names[-2:] == ["b", "c"]
        assert len(names) == min(attacked, 4) + 2


def test_attacked_programs_fill_the_page_where_there_are_no_others():
    """No strip is kept for what is not there."""
    assert len(drawn(9, {})) == 6
