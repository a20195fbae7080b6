"""Judging in time: sums of news speak where no window does, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.models.judgement import Judgement
from oddcall.models.model import Model
from oddcall.models.window import WindowBatch
from oddcall.training.fit import fit
from oddcall.training.synthetic import REDIS, WEB, Chain, attacks, host, window


@pytest.fixture(scope="module")
def model() -> Model:
    return fit(host(400, seed=1))


def barely_odd(second: float) -> WindowBatch:
    """A clean window of the web server in which it once asked for its pid, as it never did."""
    calls = np.concatenate([WEB.walk(400, np.random.default_rng(5)), [39]]).astype(np.int64)
    return window(WEB, calls, second=second, pid=50)


def test_a_cause_is_told_by_the_window_that_shows_it(model: Model):
    """A parent with one small news does not alert by the sum that its child's window made."""
    (child,) = attacks(3, 900.0)["scan"]
    parent = barely_odd(900.0)
    alone = model.judge(parent)
    verdicts = Judgement(model).judge(WindowBatch.concat([child, parent]))
    assert verdicts.alert[0]
    assert verdicts.p_value[1] == pytest.approx(alone.p_value[0])
    assert not verdicts.alert[1]


def test_news_that_was_met_long_ago_is_news_again():
    """Calls met one by one over an hour hide them, half a minute apart, for that day only."""
    steps = (41, 62, 42, 43, 49, 50, 56)  # socket, kill, connect, accept, bind, listen, clone
    chain = Chain(WEB.program, WEB.paths[:5], WEB.weights[:5])
    random = np.random.default_rng(1)
    model = fit([window(chain, chain.walk(600, random), second=i) for i in range(1500)])
    judgement = Judgement(model)

    def alerts(begin: float, every_s: float) -> int:
        found = 0
        for i, number in enumerate(steps):
            calls = np.concatenate([chain.walk(20000, random), [number]]).astype(np.int64)
            found += judgement.judge(window(chain, calls, second=begin + every_s * i)).alert[0]
        return int(found)

    assert alerts(6000, 600) == 0
    assert alerts(16_000, 5) == 0
    assert alerts(7 * 86400, 5) > 0


def test_a_steady_program_does_not_drift_because_its_baseline_moves():
    """A program does two things, now in another ratio: its mean follows, and each stays usual."""

    def does(often: int, rare: int, seconds: range) -> list[WindowBatch]:
        which = [
            REDIS.paths[0] * 60 if i % (often + rare) < often else (12, 9) * 60 for i in seconds
        ]
        return [window(REDIS, c, second=i) for i, c in zip(seconds, which, strict=True)]

    model = fit(does(9, 1, range(400)))
    judgement = Judgement(model)
    p_values = [judgement.judge(tick).p_value[0] for tick in does(3, 1, range(400, 4000))]
    assert min(p_values) > 0.05
    assert not judgement.drift()
