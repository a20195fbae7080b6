"""Promises of the live detectors on whole traces."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.models import calls
from oddcall.models.errors import EvidenceError
from oddcall.training.traces.detectors.windows import Windows
from oddcall.training.traces.traces import TraceSet, Vocabulary


def some(n: int, vocabulary: Vocabulary) -> TraceSet:
    """Traces of the first ten calls of a vocabulary, all different."""
    random = np.random.default_rng(0)
    return TraceSet.of([random.integers(0, 10, 40 + i) for i in range(n)], vocabulary)


def test_no_call_weighs_by_the_order_of_meeting() -> None:
    """A call never made before counts the same whatever number it happened to get."""
    vocabulary = Vocabulary()
    for i in range(500):
        vocabulary.id(f"call{i}")
    judge = Windows().fit(some(40, vocabulary))
    numbers = [*(calls.number(name) for name in ("socket", "ptrace", "setuid", "getuid")), 400]
    strange = TraceSet.of([np.array([*range(10)] * 4 + [n]) for n in numbers], vocabulary)
    scores = judge.score(strange)
    assert scores == pytest.approx(scores[0])


def test_too_few_traces_are_refused_in_its_own_words() -> None:
    """It needs ten traces, and says so of itself: no word of windows, programs or recordings."""
    vocabulary = Vocabulary()
    with pytest.raises(EvidenceError, match=r"too few traces for windows.*at least 10; got 9"):
        Windows().fit(some(9, vocabulary))
    assert len(Windows().fit(some(10, vocabulary)).held_out) == 10
