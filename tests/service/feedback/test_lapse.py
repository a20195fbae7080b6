"""Promises of what was answered, once the alert tells more: it is unread again, and not lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oddcall.service.alerts.episode import Episodes
from oddcall.service.answers import Unread
from oddcall.service.board.board import Board
from oddcall.service.cli import run
from oddcall.service.feedback import Feedback
from oddcall.service.history import History, Kept
from oddcall.service.sinks.filter import Filter
from oddcall.service.state import StateDir
from oddcall.service.web.records import Records

from .conftest import EPISODE, Clock, said

PTRACE, CONNECT = 101, 42


class Watch:
    """What of a watch writes alerts, and what a person sees of them."""

    def __init__(self, odd_calls: Any, host: Any, batch: Any, row: Any, folder: Path) -> None:
        self.state, self.said = StateDir(folder), list[str]()
        self._model, self._batch, self._row = odd_calls, batch, row
        self._episodes = Episodes(odd_calls, type(odd_calls).explain, host)
        self._history = History(self.state.history)
        self._board = Board(host, capacity=9)
        self._unread = Unread(Feedback(self.state.feedback), self.said.append)
        self._records = Records(self._board, self.state)

    def see(self, at_s: float, *calls: int) -> list[dict[str, Any]]:
        """Judge one window of these calls; gives the lines of it, kept."""
        windows = self._batch(self._row(at_s=at_s, calls=dict.fromkeys(calls, 3)))
        lines = self._episodes.step(windows, self._model.judge(windows)).sent
        for line in lines:
            self._board.alerted(line)
            self._history.add(line)
            self._unread.wrote(line)
        return lines

    def verbs(self, episode: str) -> list[str]:
        """Say what holds for an alert, as its row on the page has it."""
        return self._records.verbs().get(episode, [])

    def row(self, episode: str) -> dict[str, Any]:
        """Give it as the page shows it."""
        told = self._records.episode(episode)
        assert told is not None
        return told


@pytest.fixture
def watch(odd_calls: Any, host: Any, batch: Any, row: Any, tmp_path: Path) -> Watch:
    return Watch(odd_calls, host, batch, row, tmp_path / "state")


@pytest.fixture
def feedback(watch: Watch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Type a verb; gives what it prints."""

    def typed(*words: str) -> str:
        assert run(["feedback", *words, "--state-dir", str(watch.state.path)]) == 0
        return capsys.readouterr().out

    return typed


def test_an_attack_behind_an_alert_that_was_seen_is_not_lost(
    watch: Watch, feedback: Callable[..., str]
) -> None:
    """It reaches who hears of alerts only, is unread on the page and in the list, and says why."""
    (opened,) = watch.see(1, PTRACE)
    episode = opened["episode_id"]
    assert opened["explanation"]["sentence"] in feedback("ack", episode[:8]), "what was seen"
    watch.see(2, PTRACE)
    assert watch.verbs(episode) == ["ack"], "the same goes on"
    (attack,) = watch.see(3, CONNECT)
    assert attack["episode_id"] == episode, "within a moment: one alert"
    assert Filter(states=("open",))(attack)
    assert watch.verbs(episode) == ["news"]
    shown = watch.row(episode)
    assert shown["answers"] == [], "it can be acknowledged anew"
    assert attack["explanation"]["sentence"] in [shown["sentence"], *shown["also"]]
    (lapsed,) = watch.said
    assert lapsed == (
        f"alert {episode[:8]} tells more than when it was answered: connect, which no earlier "
        "line of this alert names; graver: high before"
    )
    assert "  news\n" in feedback("list", "--alerts")
    assert "the alert tells more since " in feedback("list")
    (listed,) = json.loads(feedback("list", "--json"))["feedback"]
    assert (listed["in_force"], bool(listed["lapsed"])) == (False, True)
    told = feedback("ack", episode[:8])
    assert "noted as seen\n" in told
    assert attack["explanation"]["sentence"] in told
    assert watch.verbs(episode) == ["ack"]
    watch.see(4, CONNECT, PTRACE)
    assert watch.verbs(episode) == ["ack"]


def test_an_attack_by_what_came_back_is_not_lost(
    watch: Watch, feedback: Callable[..., str]
) -> None:
    """An hour later, too: what was seen comes back as seen, and what it then does more does not."""
    (opened,) = watch.see(1, PTRACE)
    feedback("ack", opened["id"])
    watch.see(60)
    (back, *_) = watch.see(3600, PTRACE)
    assert (back["state"], watch.verbs(opened["id"])) == ("update", ["ack"])
    watch.see(3601, CONNECT)
    assert watch.verbs(opened["id"]) == ["news"]


def test_what_is_tolerated_stays_so_and_is_unread(
    state: StateDir, clock: Clock, kept: Kept
) -> None:
    """Only the reading lapses: what was normal is, and the same answer may be given to all."""
    first = said(state, clock, "tolerate", kept)
    feedback = Feedback(state.feedback, clock)
    ((_, span),) = feedback.tolerances().tolerated
    clock.now += 1000
    assert feedback.lapse(EPISODE, "bpf")
    assert not feedback.lapse(EPISODE, "keyctl"), "it is unread already"
    assert [held for _, held in feedback.tolerances().tolerated] == [span]
    assert Feedback(state.feedback, clock).of(EPISODE)[0].lapsed_ns == clock.now
    again = said(state, clock, "tolerate", kept)
    assert again.id != first.id
    assert feedback.of(EPISODE)[-1].lapsed_ns is None


def test_what_nobody_answered_is_not_written_of(state: StateDir, clock: Clock) -> None:
    """Without an answer there is nothing to lapse, and no file."""
    assert not Feedback(state.feedback, clock).lapse(EPISODE, "bpf")
    assert not state.feedback.exists()


def test_where_it_cannot_be_written_it_is_said(watch: Watch, feedback: Callable[..., str]) -> None:
    """A file that cannot be written costs the mark, not the alert, and the watch says so."""
    (opened,) = watch.see(1, PTRACE)
    feedback("ack", opened["id"])
    watch.state.feedback.unlink()
    watch.state.feedback.mkdir()
    (attack,) = watch.see(2, CONNECT)
    assert attack["news"] == ["connect"]
    (told,) = watch.said
    assert told.endswith(f"Alert {opened['id'][:8]} tells more than when it was answered.")
