"""Whose process it was is known also where pids are given away again."""

from __future__ import annotations

from oddcall.service.trial.ancestry import Ancestry


def test_descent_is_followed_through_processes_that_have_ended() -> None:
    """A grandchild descends by its recorded parent; strangers and loops do not."""
    family = Ancestry([(20, 2, 10), (30, 3, 20), (40, 4, 1), (50, 5, 51), (51, 5, 50)])
    assert family.descends(30, 3, 20, {10})
    assert family.descends(99, 9, 30, {10})
    assert family.descends(10, 1, 1, {10})
    assert not family.descends(40, 4, 1, {10})
    assert not family.descends(50, 5, 51, {10})


def test_a_pid_that_was_given_away_again_is_another_process() -> None:
    """The parent is who had the pid when the child began, before and after."""
    family = Ancestry([(20, 2, 10), (20, 200, 1), (30, 3, 20), (31, 300, 20), (20, 2, 1)])
    assert family.descends(30, 3, 20, {10})
    assert not family.descends(31, 300, 20, {10})
    assert not family.descends(20, 200, 1, {10})
    assert family.descends(20, 2, 1, {10}), "whoever adopts it later was not its parent"
    assert not family.descends(77, 1, 20, {10}), "a parent begins before its child"
