"""A program that changes while it is recorded is told from one that only varies."""

from __future__ import annotations

import numpy as np

from oddcall.training.fit import fit
from oddcall.training.steadiness import unsteady
from oddcall.training.synthetic import WEB, Chain, window

SECOND = 1_000_000_000


def test_a_step_is_found_and_chance_is_not():
    """Of twenty programs, the one whose p-values fall half way is named, and no other."""
    random = np.random.default_rng(0)
    p = random.random((20, 240))
    p[7, 120:] **= 4
    at = np.tile(np.arange(240) * SECOND, 20)
    assert unsteady(p.ravel(), at, np.repeat(np.arange(20), 240), 20).tolist() == [7]


def test_a_burst_is_one_moment():
    """Hundreds of short processes in one second weigh no more than one."""
    random = np.random.default_rng(1)
    calm, burst = random.random(100), np.full(500, 0.001)
    at = np.concatenate([np.arange(100), np.full(500, 100)]) * SECOND
    p = np.concatenate([calm, burst])
    assert not len(unsteady(p, at, np.zeros(600, np.int64), 1))


def test_no_windows_are_steady():
    """A profile that nothing calibrates has not changed."""
    nothing = np.zeros(0, np.int64)
    assert not len(unsteady(np.zeros(0), nothing, nothing, 2))


def test_training_says_so_by_name():
    """A server that did other work in the last minutes of its recording is warned of."""
    random = np.random.default_rng(2)

    def ticks(count: int, start: int, weights: tuple[float, ...]) -> list:
        chain = Chain(WEB.program, WEB.paths[:5], weights)
        return [window(chain, chain.walk(600, random), second=start + i) for i in range(count)]

    usual, other = WEB.weights[:5], (20, 8, 40, 12, 0.6)
    steady = fit(ticks(400, 0, usual)).warnings
    changed = fit([*ticks(320, 0, usual), *ticks(80, 320, other)]).warnings
    assert not any("changed while being recorded" in text for text in steady)
    assert any(text.startswith("python3.11 changed while being recorded") for text in changed)
