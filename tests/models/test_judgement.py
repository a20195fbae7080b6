"""Judging in time: sums of news speak where no window does, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.models.judgement import Judgement
from oddcall.models.model import Model
from oddcall.models.window import WindowBatch
from oddcall.training.fit import fit
from oddcall.training.synthetic import WEB, attacks, host, window


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
