"""Scoring all detectors at once gives what each gives by itself, and works things out once."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.models.model import Model
from oddcall.models.projection import Subspaces
from oddcall.models.scoring import scores, sharing
from oddcall.models.window import WindowBatch
from oddcall.training.fit import fit
from oddcall.training.synthetic import attacks, host


@pytest.fixture(scope="module")
def model() -> Model:
    return fit(host(150, seed=3))


@pytest.fixture
def projected(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that were projected."""
    counted: list[int] = []
    project = Subspaces.project

    def counting(self: Subspaces, vectors, profile):
        counted.append(vectors.shape[0])
        return project(self, vectors, profile)

    monkeypatch.setattr(Subspaces, "project", counting)
    return counted


def odd(model: Model) -> tuple[WindowBatch, np.ndarray]:
    ticks = [*host(20, seed=4, start=150), *attacks(1, 170)["scan"]]
    batch = WindowBatch.concat(ticks)
    profile, _ = model.profile_for(batch)
    known = profile >= 0
    return batch.take(known), profile[known]


def test_together_is_each_by_itself(model: Model, projected: list[int]):
    """To the bit, with one projection for two detectors."""
    batch, profile = odd(model)
    vectors = model.spec.vectors(batch)
    found = scores(model.detectors, {"mixture": vectors, "novelty": vectors}, profile)
    assert projected == [len(batch)]
    for detector in model.detectors:
        assert np.array_equal(found[detector.name], detector.score(vectors, profile))


def test_a_model_read_back_shares_as_well(model: Model, projected: list[int]):
    """Stored detectors are whole by themselves; once read they hold one subspace again."""
    back = Model.from_state(*model.state())
    batch, _ = odd(model)
    assert np.array_equal(back.judge(batch).p_value, model.judge(batch).p_value)
    assert projected == [len(batch)] * 2
    assert back.id == model.id


def test_other_subspaces_are_not_taken_for_the_same(model: Model):
    """Detectors about different means keep what is theirs."""
    residual, nearest, novelty = model.detectors
    moved = residual.about(residual.subspaces.moved(residual.subspaces.mean + 0.01))
    assert sharing((moved, nearest, novelty))[1].subspaces is nearest.subspaces
