"""Promises of what is said beside figures of recordings: what was broken, and what means little."""

from __future__ import annotations

import numpy as np

from oddcall.service.evaluation.recordings_caveats import caveats
from oddcall.training.figures import Interval, Result, measure
from oddcall.training.recording_figures import BarelyMet, Kept

MET = BarelyMet(10, 12, 12, 0, 0, 0.048, 2.6e-7)


def row(promised: float, realised: float, low: float) -> Kept:
    return Kept(promised, realised, Interval(low, 2 * realised), realised)


def test_a_broken_promise_is_called_broken():
    """Named are promises of which half again came, and more than drawing again explains."""
    rows = [row(0.1, 0.14, 0.11), row(0.01, 0.029, 0.02), row(0.001, 0.014, 0.0005)]
    assert [kept.broken for kept in rows] == [False, True, False]
    (said,) = caveats({}, rows, None)
    assert said.startswith("Broken: of p-values on clean windows a promised 1 % came as 2.9 %. ")
    assert [*caveats({}, [rows[0], rows[2]], None)] == []


def told_apart(overlap: float) -> Result:
    """Twenty windows of attacks, that part of which is like the clean ones."""
    like = round(20 * overlap)
    return measure(np.zeros(40), np.concatenate([np.zeros(like), np.ones(20 - like)]), 0.5)


def test_programs_barely_met_are_said_to_hardly_alert_and_why():
    """So is a detector that by itself tells more than all together; not where it tells no more."""
    results = {"together": told_apart(0.5), "novelty": told_apart(0.2), "nearest": told_apart(0.6)}
    blind, better = caveats(results, [], MET)
    assert "hardly ever alert" in blind
    assert "seen nothing of them" in blind
    assert better.startswith("novelty by itself tells windows apart better than all together")
    assert len([*caveats(results | {"novelty": told_apart(0.5)}, [], MET)]) == 1
    assert [*caveats(results, [], None)] == []
