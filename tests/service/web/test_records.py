"""Promises about what the page is given of alerts that were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from oddcall.service.alerts.episode import Episodes
from oddcall.service.board.board import Board
from oddcall.service.history import History
from oddcall.service.state import StateDir
from oddcall.service.web.records import Records

PTRACE = 101


def test_an_episode_is_whole_though_the_board_has_its_end_only(
    odd_calls: Any, host: Any, batch: Any, row: Any, tmp_path: Path
) -> None:
    """What the board let go of is taken from the history, each line once."""
    episodes, lines = Episodes(odd_calls, type(odd_calls).explain, host), []
    for at in (1, 100, 200):
        seen = batch(row(at_s=at, calls={PTRACE: 2}))
        lines += episodes.step(seen, odd_calls.judge(seen)).sent
    board, state = Board(host, capacity=9), StateDir(tmp_path)
    board.remember(lines[-2:], 0)
    kept = History(state.history)
    for line in lines[:-1]:
        kept.add(line)
    kept.close()
    told = Records(board, state).episode(lines[-1]["id"])
    assert told is not None
    assert told["history"] == lines
    assert told["onset"] == lines[0]["explanation"]["onset"]
