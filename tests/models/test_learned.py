"""What was learned while watching outlives a restart and a training, for the same lessons."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from oddcall.models import adaptation
from oddcall.models.judgement import Judgement
from oddcall.models.learned import Learned, having_learned
from oddcall.models.model import Model
from oddcall.training.fit import fit
from oddcall.training.synthetic import BEGAN_S, REDIS, WEB, Chain, attacks, window

PATHS, WEIGHTS = WEB.paths[:5], WEB.weights[:5]
GETPID = 39


def ticks(count: int, start: int, seed: int, weights: tuple[float, ...] = WEIGHTS) -> list:
    random = np.random.default_rng(seed)
    chain = Chain(WEB.program, PATHS, weights)
    return [window(chain, chain.walk(600, random), second=start + i) for i in range(count)]


def others(count: int, start: int, seed: int) -> list:
    random = np.random.default_rng(seed)
    return [window(REDIS, REDIS.walk(400, random), second=start + i) for i in range(count)]


@pytest.fixture(scope="module")
def model() -> Model:
    return fit(ticks(300, 0, 1))


@pytest.fixture(scope="module")
def learned(model: Model) -> list[Learned]:
    """After a day of other proportions and of a harmless call."""
    judgement, random = Judgement(model), np.random.default_rng(2)
    chain = Chain(WEB.program, PATHS, (20, 4, 12, 12, 0.6))
    for i in range(200):
        made = np.concatenate([chain.walk(1200, random), [GETPID]]).astype(np.int64)
        judgement.judge(window(chain, made, second=1000 + 600 * i))
    return judgement.learned()


def mean_of(model: Model) -> np.ndarray:
    return next(d for d in model.detectors if d.name == "pca_residual").subspaces.mean


def knows(model: Model, number: int) -> bool:
    novelty = next(d for d in model.detectors if d.name == "novelty")
    return bool(np.unpackbits(novelty.seen, axis=1)[model.standing(WEB.program).profile, number])


def test_a_restart_goes_on_from_what_was_learned(model: Model, learned: list[Learned]):
    """Written down, read and begun with, it is the model that there was; without, the trained."""
    (one,) = learned
    assert one.program == WEB.program
    assert GETPID in one.symbols
    assert np.abs(one.way).max() > 0.01
    again = [Learned.from_dict(json.loads(json.dumps(one.as_dict())))]
    begun = Judgement(model, again)
    assert knows(begun.model, GETPID)
    assert not knows(Judgement(model).model, GETPID)
    assert np.abs(mean_of(begun.model) - mean_of(model)).max() > 0.01
    (told,) = begun.learned()
    assert told.symbols.tolist() == one.symbols.tolist()
    assert told.way == pytest.approx(one.way, abs=1e-6)


def test_restarts_give_no_more_than_a_day_may(model: Model):
    """Begun again every hour of a day, a mean moves no further than in one day without a stop."""
    learned: list[Learned] = []
    random, far = np.random.default_rng(7), Chain(WEB.program, PATHS, (20, 4, 12, 12, 0.6))
    today = BEGAN_S // 86_400 + 1
    day = today * 86_400 - BEGAN_S
    for hour in range(23):
        judgement = Judgement(model, learned)
        for part in range(4):
            for second in range(2):
                at = day + 3600 * hour + 900 * part + second
                judgement.judge(window(far, far.walk(600, random), second=at))
        learned = judgement.learned()
    (one,) = learned
    assert one.day == today
    assert 0 < np.sqrt((one.way**2).sum()) <= one.way_of_day + 1e-6 <= adaptation.FAR + 1e-6
    begun = Judgement(model, [replace(one, way_of_day=adaptation.FAR)])
    for part in range(4):
        begun.judge(window(far, far.walk(600, random), second=day + 82_900 + 900 * part))
    assert np.array_equal(begun.learned()[0].way, one.way)


def test_a_training_that_takes_newcomers_in_keeps_it(model: Model, learned: list[Learned]):
    """A model trained anew on the same lesson and another program's goes on; without one it does
    not, nor where the program itself was learned anew."""
    judgement = Judgement(model, learned)
    judgement.model = fit([*ticks(300, 0, 1), *others(300, 0, 5)])
    assert knows(judgement.model, GETPID)
    assert [one.program for one in judgement.learned()] == [WEB.program]
    judgement.model = fit([*ticks(300, 50, 9), *others(300, 0, 5)])
    assert not knows(judgement.model, GETPID)
    # It is kept for who comes back to the first model.
    again = Judgement(model, judgement.learned())
    assert knows(again.model, GETPID)


def test_a_restart_does_not_end_the_quiet_after_an_alert(model: Model):
    """Nothing is learned in the ten minutes after an alert, also by who begins anew in them."""
    judgement = Judgement(model)
    for batch in attacks(0, 700, Chain(WEB.program, PATHS, WEIGHTS))["scan"]:
        assert judgement.judge(batch).alert.any()
    begun = Judgement(model, judgement.learned())
    retrained = Judgement(model, judgement.learned())
    retrained.model = fit([*ticks(300, 0, 1), *others(300, 0, 5)])
    for started in (begun, retrained):
        assert started._adaptation is not None
        for batch in ticks(100, 710, 5):
            started.judge(batch)
        assert started._adaptation._windows.sum() == 0


def test_a_file_that_says_more_than_may_be_learned_is_not_believed(
    model: Model, learned: list[Learned]
):
    """ptrace is no symbol that becomes known, whatever was written down."""
    more = replace(learned[0], symbols=np.array([GETPID, 101]))
    begun = having_learned(model, [more])
    assert knows(begun, GETPID)
    assert not knows(begun, 101)


def test_what_does_not_fit_changes_nothing(model: Model, learned: list[Learned]):
    """Of another lesson, another program or other features, it leaves the model as it was."""
    (one,) = learned
    for wrong in (
        replace(one, first_ns=one.first_ns + 1),
        replace(one, program=REDIS.program),
        replace(one, features="0"),
    ):
        left = having_learned(model, [wrong])
        assert np.array_equal(mean_of(left), mean_of(model))
        assert not knows(left, GETPID)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("columns", [-1]),
        ("symbols", [10**7]),
        ("way", [1.0]),
        ("way", ["far"]),
        ("program", {"path": "/x"}),
        ("first_ns", None),
        ("day", None),
        ("day", 10**30),
        ("way_of_day", float("nan")),
        ("way", [1e300]),
        ("symbols_of_day", -1000),
        ("symbols", [9, 3]),
        ("program", {"exe": ["a"]}),
    ],
)
def test_what_is_nothing_learned_is_refused(learned: list[Learned], name: str, value: object):
    """A line that lacks a part or holds one that does not fit is a ValueError."""
    (one,) = learned
    with pytest.raises(ValueError, match=r"nothing learned|could not convert|inhomogeneous"):
        Learned.from_dict({**one.as_dict(), name: value})
