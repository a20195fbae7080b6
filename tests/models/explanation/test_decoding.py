"""Hashed transitions: the pair that is named is, nearly always, the pair that was made."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oddcall.models.explanation.decoding import decoded
from oddcall.models.sparse import Sparse
from oddcall.models.transitions import COMPAT, SEED, START, bucket
from oddcall.models.window import CALLS, TRANSITIONS, WindowBatch


def window(symbols: np.ndarray, begins: bool) -> WindowBatch:
    """One window of a thread that makes these symbols in order, from its beginning or later."""
    before = np.concatenate([[START if begins else symbols[-1]], symbols[:-1]])
    buckets = np.bincount(bucket(before, symbols), minlength=TRANSITIONS)
    native, compat = symbols[symbols < COMPAT], symbols[symbols >= COMPAT] - COMPAT
    return WindowBatch.of(
        programs=(),
        pid=np.array([1]),
        syscalls=Sparse.from_dense(np.bincount(native, minlength=CALLS)[None, :]),
        compat=Sparse.from_dense(np.bincount(compat, minlength=CALLS)[None, :]),
        transitions=Sparse.from_dense(buckets[None, :]),
    )


def walk(rng: np.random.Generator, kinds: int, length: int) -> np.ndarray:
    """A program of so many calls, each with a few that usually follow it."""
    symbols = rng.choice(400, kinds, replace=False)
    liked = rng.dirichlet(np.full(kinds, 0.3))
    follow = [rng.dirichlet(0.08 + 0.5 * liked) for _ in range(kinds)]
    made = [0]
    while len(made) < length:
        made.append(int(rng.choice(kinds, p=follow[made[-1]])))
    return symbols[np.array(made)]


@pytest.mark.parametrize(
    ("kinds", "right", "enough"),
    [(8, 0.99, 0.95), (15, 0.98, 0.95), (25, 0.97, 0.8), (40, 0.9, 0.4)],
)
def test_named_pairs_are_right(kinds: int, right: float, enough: float) -> None:
    """Of the steps whose pair clearly holds its bucket, this share is named as it was made."""
    rng = np.random.default_rng(kinds)
    good = named = total = 0
    for _ in range(10):
        symbols = walk(rng, kinds, 600)
        steps = Counter(zip(symbols[:-1].tolist(), symbols[1:].tolist(), strict=True))
        spread = decoded(window(symbols, begins=True), SEED)
        for pair, count in steps.items():
            (likeliest, part), *_ = spread[int(bucket(*pair))]
            total += count
            if part > 0.8:
                named += count
                good += count * (likeliest == pair)
    assert good / named >= right
    assert named / total >= enough


@settings(max_examples=100, deadline=None)
@given(
    symbols=st.lists(
        st.one_of(st.integers(0, CALLS - 1), st.integers(COMPAT, COMPAT + CALLS - 1)),
        min_size=1,
        max_size=60,
    ),
    begins=st.booleans(),
)
def test_every_step_is_among_its_pairs(symbols: list[int], begins: bool) -> None:
    """The pair that was made is never ruled out, and parts are shares of a bucket's count."""
    made = np.array(symbols)
    spread = decoded(window(made, begins), SEED)
    for before, after in zip(made[:-1].tolist(), made[1:].tolist(), strict=True):
        assert (before, after) in [pair for pair, _ in spread[int(bucket(before, after))]]
    for pairs in spread.values():
        parts = [part for _, part in pairs]
        assert parts == sorted(parts, reverse=True)
        assert not parts or sum(parts) == pytest.approx(1, abs=1e-6)


def test_nothing_to_decode() -> None:
    """A window without calls has no transitions to name; one of another's steps names none."""
    empty = WindowBatch.of(programs=(), pid=np.array([1]))
    assert decoded(empty, SEED) == {}
    other = Sparse.from_dense(np.bincount([7], minlength=TRANSITIONS)[None, :])
    lone = WindowBatch.of(programs=(), pid=np.array([1]), transitions=other)
    assert decoded(lone, SEED) == {7: []}
