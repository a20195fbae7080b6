"""Alerts that were written and what people said of them, as the page shows and changes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from oddcall.models.errors import OddcallError, SettingError
from oddcall.models.tolerance import Behaviour
from oddcall.service.alerts.tolerated import told
from oddcall.service.board.board import Board
from oddcall.service.board.episodes import folded
from oddcall.service.feedback import VERBS, Feedback
from oddcall.service.given import standing
from oddcall.service.history import History
from oddcall.service.learning.states import begun
from oddcall.service.state import StateDir

Json = dict[str, Any]
_Found = TypeVar("_Found")

#: Episodes on a page of them.
PAGE = 25
#: Sayings end by themselves: how old what is shown of them may be.
_FRESH_S = 10.0
#: Who says what is said here.
_WHO = "the page"
#: Longest note, and longest time that something is tolerated for.
_NOTE, _LONGEST_S = 1000, 3650 * 86400.0


class Records:
    """What the state directory keeps, behind the latest lines that the board has.

    Parameters
    ----------
    board : Board
    state : StateDir
    """

    def __init__(self, board: Board, state: StateDir) -> None:
        self._board, self._state = board, state
        self._feedback = Feedback(state.feedback)
        self._verbs: dict[str, list[str]] = {}
        self._read_s = -_FRESH_S

    def episodes(self, before: int | None = None, program: str = "") -> Json:
        """Give a page of episodes, the latest first, and how many began on each of the last days.

        Parameters
        ----------
        before : what an earlier page gave as ``older``.
        program : part of a program's path or name; any by default.
        """
        if not self._state.history.exists():
            with self._board.lock:
                lines = list(self._board.alerts)
            return {"episodes": folded(lines), "older": None, "per_day": {}}
        history = History.reading(self._state.history)
        try:
            found = history.episodes(PAGE + 1, before, program)
            days = history.per_day(30)
        finally:
            history.close()
        page = found[:PAGE]
        return {
            "episodes": [folded(kept.alert for kept in one.lines)[0] for one in page],
            "older": page[-1].place if len(found) > PAGE else None,
            "per_day": days,
        }

    def episode(self, word: str) -> Json | None:
        """Give one episode with every line of it, oldest first, and what holds of what was said.

        ``tolerates`` says what would become normal with it.

        Parameters
        ----------
        word : id of the episode, or of one of its lines.
        """
        with self._board.lock:
            lines = list(self._board.alerts)
        of = next((a["episode_id"] for a in lines if word in {a["id"], a["episode_id"]}), None)
        found = [line for line in lines if line["episode_id"] == of]
        # The board has the latest lines only: an episode may have begun before them.
        if not any(line["id"] == of for line in found):
            latest = {line["id"] for line in found}
            found = [line for line in self._kept(of or word) if line["id"] not in latest] + found
        if not found:
            return None
        episode_id = str(found[0]["episode_id"])
        return {
            **folded(found)[0],
            "history": found,
            "answers": [said.as_dict() for said in self._feedback.of(episode_id)],
            "tolerates": told(found, self._behaviours(episode_id)),
        }

    def verbs(self) -> dict[str, list[str]]:
        """Say what holds for each episode, by verb; ``news`` last where it told more since."""
        if self._feedback.changed() or time.monotonic() - self._read_s >= _FRESH_S:
            self._verbs = standing(self._feedback.given(), time.time_ns())
            self._read_s = time.monotonic()
        return self._verbs

    def given(self) -> list[Json]:
        """Give everything that was ever said, the newest first."""
        return [said.as_dict() for said in reversed(self._feedback.given())]

    def say(self, asked: Json) -> Json:
        """Say what was asked for: ``verb``, ``alert``, and perhaps ``note`` and ``expires_s``.

        ``said_before`` is true where that held already: what is given is what was said then, and
        nothing was added, nor the note.

        Raises
        ------
        SettingError
            When it cannot be said.
        StorageError
            When it cannot be written down.
        """
        verb, alert = asked.get("verb"), str(asked.get("alert", ""))
        note, expires_s = _note(asked.get("note", "")), _expires(asked.get("expires_s"))
        if verb == "undo":
            undone = self._feedback.undo(alert, who=_WHO, note=note)
            return {**undone.as_dict(), "said_before": False}
        if verb not in VERBS:
            raise SettingError(
                "there is no such answer", expected=f"{', '.join(VERBS)} or undo", got=repr(verb)
            )
        history = History.reading(self._state.history)
        try:
            said, before = self._feedback.answer(
                str(verb),
                history.find(alert),
                history,
                who=_WHO,
                note=note,
                expires_s=expires_s,
                begun_ns=begun(self._state.programs),
            )
        finally:
            history.close()
        return {**said.as_dict(), "said_before": before}

    def _behaviours(self, episode_id: str) -> list[Behaviour]:
        return self._asked(lambda history: history.behaviours(episode_id))

    def _kept(self, word: str) -> list[Json]:
        def lines(history: History) -> list[Json]:
            try:
                return [kept.alert for kept in history.episode(history.find(word).episode_id)]
            except SettingError:
                return []

        return self._asked(lines)

    def _asked(self, ask: Callable[[History], list[_Found]]) -> list[_Found]:
        """Ask the history; nothing where there is none that can be read."""
        try:
            history = History.reading(self._state.history)
        except OddcallError:
            return []
        try:
            return ask(history)
        finally:
            history.close()


def _note(value: object) -> str:
    if not isinstance(value, str) or len(value) > _NOTE:
        raise SettingError("the note is not usable", expected=f"a text of at most {_NOTE} letters")
    return value


def _expires(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST_S:
        raise SettingError(
            "the time it holds for is not usable",
            expected="seconds above 0, for ten years at most",
            got=repr(value),
        )
    return float(value)
