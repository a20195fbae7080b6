"""The residual: changed mixtures are far, changed load is not."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.models.detectors import PcaResidual
from oddcall.models.features import FeatureSpec
from oddcall.models.window import WindowBatch
from oddcall.training.synthetic import WEB, window

SPEC = FeatureSpec()


def walks(events: int, count: int, seed: int):
    random = np.random.default_rng(seed)
    rows = [window(WEB, WEB.walk(events, random)) for _ in range(count)]
    return SPEC.vectors(WindowBatch.concat(rows))


@pytest.fixture(scope="module")
def busy() -> PcaResidual:
    return PcaResidual(components=10).fit(walks(3000, 150, seed=0))


@pytest.mark.parametrize("events", [4, 30, 300, 30_000])
def test_load_does_not_look_odd(busy: PcaResidual, events: int):
    """Taught at one load only, windows a thousand times shorter or ten times longer are near."""
    usual = np.quantile(busy.score(walks(3000, 60, seed=1)), 0.99)
    other = np.quantile(busy.score(walks(events, 60, seed=2)), 0.9)
    odd = busy.score(SPEC.vectors(window(WEB, (257, 0, 3) * 300)))[0]
    assert other < usual + 0.25 * (odd - usual)
    assert odd > 5 * usual


def test_parts_sum_to_the_distance(busy: PcaResidual):
    """Contributions add up to the squared distance before it is divided by what is usual."""
    vector = SPEC.vectors(window(WEB, (257, 0, 3) * 300))
    assert busy.subspaces is not None
    usual = busy.subspaces.spread[0] + busy.subspaces.noise_at(
        SPEC.events(vector), np.zeros(1, np.int64)
    )
    parts = busy.contributions(vector)
    assert parts.sum() / usual[0] == pytest.approx(busy.score(vector)[0], rel=1e-4)


def test_a_steady_program_is_not_held_to_rounding():
    """Identical windows have no variance; a slight difference from them stays small."""
    same = SPEC.vectors(WindowBatch.concat([window(WEB, WEB.paths[0] * 9)] * 50))
    steady = PcaResidual().fit(same)
    slight = SPEC.vectors(window(WEB, WEB.paths[0] * 9 + WEB.paths[2]))
    assert steady.score(same).max() < 0.01
    assert steady.score(slight)[0] < 1
