"""Novelty: only what was never seen, and the more of it the more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oddcall.models.detectors import Novelty
from oddcall.models.detectors.novelty import BULK
from oddcall.models.features import FeatureSpec
from oddcall.models.window import WindowBatch
from oddcall.training.synthetic import WEB, window

SPEC = FeatureSpec()


@pytest.fixture(scope="module")
def seen() -> Novelty:
    random = np.random.default_rng(0)
    rows = [window(WEB, WEB.walk(4000, random)) for _ in range(20)]
    return Novelty().fit(SPEC.vectors(WindowBatch.concat(rows)))


def score(detector: Novelty, calls, **life: int) -> float:
    return float(detector.score(SPEC.vectors(window(WEB, calls, **life)))[0])


def test_what_was_seen_scores_exactly_zero(seen: Novelty):
    """A window of known paths is not novel at all, however short or long."""
    assert score(seen, WEB.paths[0] * 2) == 0
    assert score(seen, (7,)) == 0


def test_it_grows_with_the_number_of_unseen_symbols(seen: Novelty):
    """Each further unseen call adds to the score."""
    scores = [score(seen, WEB.paths[0] * 9 + (101, 102, 103)[:k]) for k in range(4)]
    assert scores == sorted(scores)
    assert len(set(scores)) == 4


def test_it_grows_with_their_share(seen: Novelty):
    """The same unseen symbols weigh more where they fill the window."""
    rare = score(seen, WEB.paths[0] * 60 + (41, -42, 3))
    often = score(seen, WEB.paths[0] * 60 + (41, -42, 3) * 300)
    assert often > 2 * rare > 0


def test_a_tiny_window_is_not_filled_by_accident(seen: Novelty):
    """One unseen call among five events counts little more than one among hundreds."""
    tiny, long = score(seen, (7, 7, 7, 7, 101)), score(seen, WEB.paths[0] * 30 + (101,))
    assert 0 < tiny < 2.5 * long


def test_failing_calls_forks_and_execs_are_symbols(seen: Novelty):
    """A known call that never failed before, a first fork and a first exec are each new."""
    known = WEB.paths[0] * 9
    assert score(seen, (*known, -3)) > score(seen, known)
    assert score(seen, known, forks=1) > 0
    assert score(seen, known, execs=1) > 0


def test_compat_and_uring_are_symbols(seen: Novelty):
    """32-bit calls and io_uring submissions count, whichever their number."""
    from dataclasses import replace

    from oddcall.models.sparse import Sparse

    plain = window(WEB, WEB.paths[0] * 9)
    for block, width in (("compat", 512), ("uring", 64)):
        one = Sparse.from_rows([np.array([3])], [np.array([2])], width)
        assert seen.score(SPEC.vectors(replace(plain, **{block: one})))[0] > 0


def test_load_alone_is_not_novel(seen: Novelty):
    """Rate, length and entropy are not symbols: a thousand times the load scores 0."""
    assert score(seen, WEB.paths[0] * 5000, seconds=0.001) == 0


def test_parts_sum_to_the_score(seen: Novelty):
    """What explains a score adds up to it, and names nothing that was seen before."""
    vector = SPEC.vectors(window(WEB, WEB.paths[0] * 9 + (101, -102), forks=2))
    parts = seen.contributions(vector)
    assert parts.sum() == pytest.approx(seen.score(vector)[0])
    assert set(np.flatnonzero(parts)) <= set(seen.unseen(vector))
    assert parts[SPEC.column("syscalls", 101)] > 0
    assert SPEC.column("syscalls", 101) in seen.unseen(vector)


def test_one_new_branch_is_one_new_call(seen: Novelty):
    """A new call that fails, and the steps into and out of it, count as that call alone."""
    vector = SPEC.vectors(window(WEB, (*WEB.paths[0], -102, *WEB.paths[0])))
    parts = seen.contributions(vector)
    assert set(np.flatnonzero(parts)) == {SPEC.column("syscalls", 102)}
    assert set(np.flatnonzero(parts)) < set(seen.unseen(vector))


def test_a_known_call_that_newly_fails_counts_by_how_often(seen: Novelty):
    """Five thousand names that are not there are more news than one, as often as it is made."""
    usual = WEB.paths[0] * 9
    regardless = replace(seen, peaks=None)
    made = 40 * (WEB.paths[0][0],)
    failed = [tuple(-call for call in made[:n]) + made[n:] for n in (0, 1, 4, 40)]
    scores = [score(regardless, usual + calls) for calls in failed]
    steps = np.diff(scores)
    assert scores[0] < scores[1]
    assert (steps[1:] > BULK * 2).all()


def test_a_known_call_in_unknown_bulk_counts(seen: Novelty):
    """A call that windows hold a few of is news where one holds hundreds, and more by the more."""
    usual = WEB.paths[0] * 9
    regardless = replace(seen, peaks=None)
    scores = [
        score(seen, usual + (11,) * n) - score(regardless, usual + (11,) * n)
        for n in (4, 400, 1600)
    ]
    assert scores[0] == 0 < scores[1] < scores[2]
    vector = SPEC.vectors(window(WEB, usual + (11,) * 400))
    parts = seen.contributions(vector)
    assert parts.argmax() == SPEC.column("syscalls", 11)
    assert SPEC.column("syscalls", 11) in seen.unseen(vector)
    assert 0 < seen.most(np.array([SPEC.column("syscalls", 11)]))[0] < 50


def test_known_bulk_hardly_depends_on_the_rest_of_the_window(seen: Novelty):
    """Four hundred of what came in a few are as odd in a second that is three times as busy."""

    def known(usual: tuple[int, ...]) -> float:
        made = usual + (11,) * 400
        return score(seen, made) - score(replace(seen, peaks=None), made)

    assert known(WEB.paths[0] * 60) > 0.75 * known(WEB.paths[0] * 20) > 0


def test_bulk_does_not_add_up(seen: Novelty):
    """What is left of a window for sums over time says nothing of amounts."""
    odd = SPEC.vectors(window(WEB, WEB.paths[0] * 9 + (11,) * 400))
    only = np.zeros(1, np.int64)
    told = seen.knowing(seen.symbols(odd, only, 1), only)
    assert seen.score(odd)[0] > 0
    assert told.score(odd)[0] == 0
