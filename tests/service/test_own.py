"""Promises of leaving ourselves out of what is judged."""

from __future__ import annotations

from typing import Any

from oddcall.service.own import Own


def test_our_children_and_theirs_are_left_out(batch: Any, row: Any) -> None:
    """Those of others with the same numbers are not: neither before, nor after ours ended."""
    own = Own(pid=9)
    first = batch(row(pid=40, ppid=9), row(pid=41, ppid=40), row(pid=6), row(pid=7, ppid=41))
    assert own.left_out(first).pid.tolist() == [6, 7]
    assert own.left_out(batch(row(pid=41, ppid=40), row(pid=6))).pid.tolist() == [6]
    last = batch(row(pid=40, ppid=9, exits=1), row(pid=41, ppid=40, exits=1))
    assert len(own.left_out(last)) == 0
    assert own.left_out(batch(row(pid=42, ppid=40))).pid.tolist() == [42]


def test_a_pid_that_was_given_to_another_is_another(batch: Any, row: Any) -> None:
    """Where the end of a child was not seen, its pid under another parent is the host's."""
    own = Own(pid=9)
    own.left_out(batch(row(pid=40, ppid=9)))
    assert own.left_out(batch(row(pid=40, ppid=1), row(pid=43, ppid=40))).pid.tolist() == [40, 43]
