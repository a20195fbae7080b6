"""Promises about what the page is given of alerts that were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from oddcall.models.features import FeatureSpec
from oddcall.models.tolerance import Behaviour
from oddcall.models.window import Program
from oddcall.service.alerts.episode import Episodes
from oddcall.service.board.board import Board
from oddcall.service.history import History
from oddcall.service.state import StateDir
from oddcall.service.web.records import Records

PTRACE, LISTEN = 101, 50
PROGRAM = Program("/usr/sbin/nginx")


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


def test_what_would_be_tolerated_is_said_before_it_is(
    odd_calls: Any, host: Any, batch: Any, row: Any, tmp_path: Path
) -> None:
    """The page has the words of the terminal: the sentence, and calls that it does not name."""
    episodes = Episodes(odd_calls, type(odd_calls).explain, host)
    seen = batch(row(at_s=1, calls={PTRACE: 2}))
    (line,) = episodes.step(seen, odd_calls.judge(seen)).sent
    board, state = Board(host, capacity=9), StateDir(tmp_path)
    board.remember([line], 0)
    sentence = line["explanation"]["sentence"]
    records = Records(board, state)
    unkept = records.episode(line["id"])
    assert unkept is not None
    assert unkept["tolerates"] == [sentence], "as far as it is known"
    kept = History(state.history)
    kept.add(line)
    behaviour = Behaviour.of(PROGRAM, np.array([LISTEN]), FeatureSpec().vectors(seen))
    kept.behaved(line["episode_id"], [behaviour])
    kept.close()
    told = records.episode(line["id"])
    assert told is not None
    assert told["tolerates"] == [sentence, "also, not said above: listen"]
