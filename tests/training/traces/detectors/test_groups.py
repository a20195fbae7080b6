"""Promises of groups of like traces: programs stay together, and new ones are what they show."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.models.errors import EvidenceError
from oddcall.training.traces.detectors.detector import firsts
from oddcall.training.traces.detectors.groups import apart, grouped
from oddcall.training.traces.detectors.order import Order
from oddcall.training.traces.detectors.sets import CallSet
from oddcall.training.traces.detectors.views import MEMBERS, Surprise
from oddcall.training.traces.traces import FOLDS, TraceSet, Vocabulary

TRACES = 4


def programs(random: np.random.Generator, many: int, vocabulary: Vocabulary) -> TraceSet:
    """So many programs of four traces each, of six calls of sixty, each in steps of its own."""
    made = []
    for _ in range(many):
        calls = random.choice(60, 6, replace=False)
        for _ in range(TRACES):
            steps = random.integers(0, 5, random.integers(20, 60))
            made.append(np.concatenate([calls[:1], *(calls[s : s + 2] for s in steps)]))
    return TraceSet.of(made, vocabulary)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    known = Vocabulary()
    for call in range(60):
        known.id(str(call))
    return known


def test_traces_of_a_program_are_in_one_part(vocabulary: Vocabulary) -> None:
    """Like traces stay together, the same each time, and no part is much larger than another."""
    made = programs(np.random.default_rng(0), 15, vocabulary)
    part = apart(made)
    assert (part.reshape(-1, TRACES) == part[::TRACES, None]).all()
    assert np.array_equal(part, apart(made))
    assert np.bincount(part, minlength=FOLDS).min() >= 2 * TRACES


def test_where_mixtures_tell_nothing_parts_are_at_random(vocabulary: Vocabulary) -> None:
    """Traces that make the same calls equally often are divided all the same, evenly."""
    random = np.random.default_rng(0)
    made = TraceSet.of([random.permutation(np.arange(12)) for _ in range(50)], vocabulary)
    assert np.bincount(apart(made)[firsts(made)]).tolist() == [10] * FOLDS


def test_copies_alone_are_refused(vocabulary: Vocabulary) -> None:
    """Fewer different traces than parts are no programs to leave out."""
    with pytest.raises(EvidenceError, match="too few"):
        apart(TraceSet.of([np.arange(3)] * 40, vocabulary))


def test_there_are_no_more_groups_than_different_rows() -> None:
    """Asked for more groups than rows differ, each different row is its own."""
    view = np.repeat(np.eye(3), 5, axis=0)
    group = grouped(view, np.arange(15), 20, 0)
    assert sorted(np.unique(group, return_counts=True)[1]) == [5, 5, 5]


@pytest.mark.parametrize("member", MEMBERS)
def test_a_clean_program_that_is_new_is_as_odd_as_one_left_out(
    member: type, vocabulary: Vocabulary
) -> None:
    """Held against programs left out, a tenth of the new ones is past a tenth, not all of them."""
    random = np.random.default_rng(5)
    known, new = programs(random, 60, vocabulary), programs(random, 60, vocabulary)
    scores = member().fit(known).score(new)
    surprise = Surprise(member.scores_without(known, apart(known))).of(scores)
    # The kindest of five models judges the new ones, so fewer than were promised.
    assert np.mean(surprise > -np.log(0.1)) <= 0.15


@pytest.mark.parametrize("member", [Order, CallSet])
def test_held_against_traces_left_out_every_new_program_is_odd(
    member: type, vocabulary: Vocabulary
) -> None:
    """What the groups are for: traces whose own program is known say nothing of a new one."""
    random = np.random.default_rng(5)
    known, new = programs(random, 60, vocabulary), programs(random, 60, vocabulary)
    judge = member().fit(known)
    surprise = Surprise(judge.held_out).of(judge.score(new))
    assert np.mean(surprise > -np.log(0.1)) > 0.9
