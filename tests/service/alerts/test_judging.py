"""The line from windows to alerts: what is learned while watching stays from batch to batch."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.models.window import WindowBatch
from oddcall.service.alerts.episode import Episodes
from oddcall.service.alerts.judging import steps
from oddcall.training.fit import fit
from oddcall.training.synthetic import WEB, Chain, window


def ticks(count: int, start: int, seed: int, weights: tuple[float, ...]) -> list[WindowBatch]:
    random = np.random.default_rng(seed)
    chain = Chain(WEB.program, WEB.paths[:5], weights)
    return [window(chain, chain.walk(600, random), second=start + i) for i in range(count)]


def test_the_line_keeps_what_was_learned_from_batch_to_batch(host: dict[str, str]) -> None:
    """Steps of a watch go on with one judgement, though learning gives it another model."""
    usual = WEB.weights[:5]
    model = fit(ticks(500, 0, 1, usual))
    episodes = Episodes(model, lambda *_: pytest.fail("nothing alerts"), host)
    batches = [*ticks(40, 600, 1, usual), *ticks(150, 5000, 3, (20, 6, 24, 12, 0.6))]
    *_, last = steps(batches, episodes)
    assert [found.program for found in last.drift()] == [WEB.program]
    assert episodes.model is model
