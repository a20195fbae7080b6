"""Promises of choosing without attacks: tests are made of clean traces, and tell good from bad."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.training.traces.detectors.order import Order
from oddcall.training.traces.detectors.peers import RawIsolationForest
from oddcall.training.traces.selection import RULES, WEIGHTS, Trial, judge, overall, quality, trials
from oddcall.training.traces.traces import TraceSet, Vocabulary


@pytest.fixture(scope="module")
def clean() -> TraceSet:
    """Ten programs of eighteen traces each: short steps in random order."""
    random, vocabulary = np.random.default_rng(6), Vocabulary()
    for call in range(60):
        vocabulary.id(str(call))
    traces = []
    for program in range(10):
        steps = [random.integers(0, 60, random.integers(2, 6)) for _ in range(5)]
        for _ in range(18):
            order = random.integers(0, len(steps), random.integers(12, 40))
            traces.append(np.concatenate([np.array([program]), *(steps[i] for i in order)]))
    # Some traces have copies, as in any real set.
    traces += traces[::9]
    return TraceSet.of(traces, vocabulary, [str(i) for i in range(len(traces))])


@pytest.fixture(scope="module")
def made(clean: TraceSet) -> list[Trial]:
    return list(trials(clean, 2))


def test_foreign_traces_are_not_learned_from(clean: TraceSet, made: list[Trial]) -> None:
    """No trace is in two of what is learned, normal and foreign, nor a copy of a foreign one."""
    for trial in made:
        parts = (trial.train, trial.normal["foreign"], trial.attack["foreign"])
        assert len({label for part in parts for label in part.labels}) == sum(map(len, parts))
        known, normal, foreign = (
            {part.trace(i).tobytes() for i in range(len(part))} for part in parts
        )
        assert not foreign & (known | normal)
        assert len(trial.train) == 3 * (len(trial.train) + len(trial.normal["foreign"])) // 4
        assert 0.2 * len(clean) <= len(trial.attack["foreign"]) <= 0.5 * len(clean)


def test_every_kind_of_test_is_there(made: list[Trial]) -> None:
    """Each kind has normal and odd traces; the weights of the kinds add up to one."""
    for trial in made:
        assert set(trial.attack) == set(trial.normal) == set(WEIGHTS)
        assert all(len(part) for part in (*trial.attack.values(), *trial.normal.values()))
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_the_same_trials_each_time(clean: TraceSet, made: list[Trial]) -> None:
    """Selection can be repeated: the same traces give the same tests."""
    (again, *_) = trials(clean, 1)
    for kind, part in again.attack.items():
        assert np.array_equal(part.calls, made[0].attack[kind].calls)


def is_one_stretch_longer(trace: np.ndarray, than: np.ndarray) -> bool:
    """Whether a trace is the other one with one stretch put in somewhere."""
    n = len(than)
    if len(trace) <= n:
        return False
    ahead = np.append(trace[:n] != than, True).argmax()
    behind = np.append((trace[-n:] != than)[::-1], True).argmax()
    return bool(ahead + behind >= n)


def is_a_tenth_other(trace: np.ndarray, than: np.ndarray) -> bool:
    """Whether a trace is as long as the other one, and the same but for a tenth of its calls."""
    return len(trace) == len(than) and bool((trace != than).sum() <= max(1, len(than) // 10))


def test_altered_traces_keep_their_calls(made: list[Trial]) -> None:
    """Shuffling changes no count of a call; a splice only adds; substitution keeps the length."""
    attack, normal = made[0].attack, made[0].normal["shuffled"]
    known = [normal.trace(i) for i in range(len(normal))]
    counted = {np.bincount(normal.trace(i), minlength=60).tobytes() for i in range(len(normal))}
    shuffled = attack["shuffled"]
    assert all(
        np.bincount(shuffled.trace(i), minlength=60).tobytes() in counted
        for i in range(len(shuffled))
    )
    for kind in ("spliced", "burst"):
        spliced = attack[kind]
        assert all(
            any(is_one_stretch_longer(spliced.trace(i), trace) for trace in known)
            for i in range(len(spliced))
        )
    other = attack["substituted"]
    assert all(
        any(is_a_tenth_other(other.trace(i), trace) for trace in known) for i in range(len(other))
    )


def test_a_good_detector_is_told_from_a_bad_one(made: list[Trial]) -> None:
    """A model of the order beats raw counts, and no rule of joining breaks a good detector."""
    wanted = {"order": Order, "isolation-forest": RawIsolationForest}
    judged = judge(made[0], wanted)
    good, bad = (overall(judged.quality({name: 1.0})) for name in wanted)
    assert good > bad + 0.2
    for name, rule in RULES.items():
        alone = judged.quality({"order": 1.0}, rule)
        assert overall(alone) == pytest.approx(good, abs=0.05), name


def test_quality_by_hand() -> None:
    """Nothing found below is a sixth, all above is one."""
    low, high = np.arange(100.0), np.arange(200.0, 220.0)
    assert quality(low, high) == pytest.approx(1)
    assert quality(np.zeros(100), np.zeros(20)) == pytest.approx(0.5 / 3)
