"""What people say of alerts, one line a saying in ``feedback.jsonl``, never changed or removed.

=========  ============================================================================
ack        it was seen; nothing else changes
tolerate   what the program did is normal for it, for ever or until a time
forget     the program's baseline is dropped, and learned anew
undo       one of the above is taken back, exactly: from then on it was never said
lapse      the watch's own: the alert tells more since. ack ends, the alert is unread again
=========  ============================================================================

A saying holds for windows that begin after it. A running watch takes it up at its next tick; a
replay judges each window by what had been said by then. A tolerated behaviour is written down
with what it is, so it outlives the history it was taken from.
"""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from oddcall.models.errors import SettingError, StorageError, reason
from oddcall.models.tolerance import NEVER, Behaviour, Span, Tolerances
from oddcall.models.window import Program
from oddcall.service.alerts.alert import short
from oddcall.service.appending import alone, append
from oddcall.service.given import Given
from oddcall.service.history import SHORTEST, History, Kept

VERBS = ("ack", "tolerate", "forget")
#: Tolerated behaviours at once: each is a comparison for every window of its program.
MOST_TOLERATED = 256


class Feedback:
    """The sayings of one state directory.

    Parameters
    ----------
    path : Path
        ``feedback.jsonl``; made at the first saying.
    clock : callable, default time.time_ns
    """

    def __init__(self, path: Path, clock: Callable[[], int] = time.time_ns) -> None:
        self._path, self._clock = path, clock
        self._seen: tuple[int, int, int] | None = None

    def changed(self) -> bool:
        """Whether the file is another than at the last call; True at the first, if it is there."""
        try:
            found = self._path.stat()
        except OSError:
            seen = None
        else:
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        before, self._seen = self._seen, seen
        return seen != before

    def given(self) -> list[Given]:
        """Give everything that was ever said, oldest first; lines that are cut are left out."""
        found: dict[str, Given] = {}
        for told in _lines(self._path):
            try:
                if told.get("verb") == "undo":
                    undone = str(told["undoes"])
                    found[undone] = replace(found[undone], undone_ns=int(told["time_ns"]))
                elif told.get("verb") == "lapse":
                    _lapse(found, str(told["episode"]), int(told["time_ns"]))
                else:
                    said = Given.from_line(told)
                    found[said.id] = said
            except (ValueError, KeyError, TypeError):
                continue
        return list(found.values())

    def of(self, episode_id: str) -> list[Given]:
        """Give what holds now for one episode."""
        now_ns = self._clock()
        return [s for s in self.given() if s.episode == episode_id and s.in_force(now_ns)]

    def tolerances(self, *, now: bool = False, given: list[Given] | None = None) -> Tolerances:
        """Give what it all means for judging windows of whatever time.

        Parameters
        ----------
        now : whether what is in force now holds for every window, and nothing else does. What
            was to be forgotten, and is not any more, holds `NEVER`.
        given : what ``given()`` gave, where it was asked already; it is read by default.
        """
        given, now_ns = self.given() if given is None else given, self._clock()
        spans = {said.id: said.span for said in given}
        if now:
            spans = {said.id: Span(0) if said.in_force(now_ns) else NEVER for said in given}
            # A baseline that only the forgetting brought about is known by what was taken back.
            given = [s for s in given if s.verb == "forget" or spans[s.id] != NEVER]
        return Tolerances(
            tuple((b, spans[s.id]) for s in given if s.verb == "tolerate" for b in s.behaviours),
            tuple(
                (p, s.time_ns, spans[s.id]) for s in given if s.verb == "forget" for p in s.programs
            ),
        )

    def answer(
        self,
        verb: str,
        kept: Kept,
        history: History,
        *,
        who: str,
        note: str = "",
        expires_s: float | None = None,
        begun_ns: Callable[[Program], int] = lambda _program: 0,
    ) -> tuple[Given, bool]:
        """Say something of an alert; gives the saying that holds, and whether it held before.

        What holds already is not said again: an alert that was seen, a behaviour that is
        tolerated for as long as asked, programs that are forgotten and were not learned anew
        since. Of several at once one is said.

        Parameters
        ----------
        verb : {"ack", "tolerate", "forget"}
        kept : any line of the alert, as ``History.find`` gives it.
        history : where what its programs did is kept.
        who : person or page that says it.
        expires_s : seconds from now after which a tolerated behaviour is none any more.
        begun_ns : tells when the baseline of a program began to be learned, UTC; 0, the default,
            where that is not known.

        Raises
        ------
        SettingError
            When it cannot be said of this alert.
        StorageError
            When it cannot be written down.
        """
        behaviours = history.behaviours(kept.episode_id) if verb != "ack" else []
        if verb != "ack" and not behaviours:
            raise SettingError(
                f"alert {short(kept.id)} cannot be answered so",
                got="nothing is kept of what its programs did",
                fix="Answer a later alert of the same program.",
            )
        with alone(self._path) as file:
            now_ns = self._clock()
            expires_ns = None if expires_s is None else now_ns + round(expires_s * 1e9)
            if verb == "ack":
                held = self._acknowledged(kept.episode_id)
            elif verb == "forget":
                held = self._forgotten(behaviours, begun_ns)
            else:
                held = self._tolerated(kept.episode_id, behaviours, expires_ns)
            if held:
                return held, True
            if verb == "tolerate":
                self._require_room(now_ns, len(behaviours))
            said = Given(
                id=str(uuid.uuid4()),
                verb=verb,
                alert=kept.id,
                episode=kept.episode_id,
                title=kept.alert["program"]["exe"] or kept.alert["program"]["comm"],
                who=who,
                note=note,
                time_ns=now_ns,
                expires_ns=expires_ns,
                programs=[behaviour.program for behaviour in behaviours],
                behaviours=behaviours if verb == "tolerate" else [],
            )
            append(file, said.as_line())
        return said, False

    def undo(self, word: str, *, who: str, note: str = "") -> Given:
        """Take back the newest saying that holds, by the id or beginning of it or of its alert.

        Raises
        ------
        SettingError
            When nothing that holds is so named.
        """
        # Looked for before as well: nothing is made where nothing was said.
        self._named(word)
        with alone(self._path) as file:
            undone = self._named(word)
            line = {"id": str(uuid.uuid4()), "verb": "undo", "undoes": undone.id}
            append(file, {**line, "who": who, "note": note, "time_ns": self._clock()})
        return undone

    def lapse(self, episode_id: str, why: str) -> bool:
        """Let whatever was said of an alert be of before: it tells more now. False: nothing was.

        Raises
        ------
        StorageError
            When it cannot be written down.
        """
        if not any(said.lapsed_ns is None for said in self.of(episode_id)):
            return False
        with alone(self._path) as file:
            line = {"id": str(uuid.uuid4()), "verb": "lapse", "episode": episode_id}
            append(file, {**line, "who": "oddcall", "note": why, "time_ns": self._clock()})
        return True

    def _named(self, word: str) -> Given:
        """Give the newest saying that holds of the alert that is named."""
        now_ns = self._clock()
        named = [
            said
            for said in self.given()
            if len(word) >= SHORTEST
            and said.in_force(now_ns)
            and any(id_.startswith(word) for id_ in (said.id, said.alert, said.episode))
        ]
        if not named or len({said.episode for said in named}) > 1:
            raise SettingError(
                f"there is nothing to undo for {word!r}",
                got="several alerts of that beginning" if named else "no answer that holds",
                fix="`oddcall feedback list` shows what holds.",
            )
        return named[-1]

    def _acknowledged(self, episode_id: str) -> Given | None:
        """Give the saying by which the alert was seen."""
        return next((said for said in self.of(episode_id) if said.verb == "ack"), None)

    def _forgotten(
        self, behaviours: list[Behaviour], begun_ns: Callable[[Program], int]
    ) -> Given | None:
        """Give a saying that dropped the baselines of all of these, of which none is back."""
        now_ns = self._clock()
        wanted = {behaviour.program.place for behaviour in behaviours}
        begun = max(begun_ns(behaviour.program) for behaviour in behaviours)
        for said in self.given():
            known = {program.place for program in said.programs}
            holds = said.verb == "forget" and said.in_force(now_ns) and begun < said.time_ns
            if holds and wanted <= known:
                return said
        return None

    def _tolerated(
        self, episode_id: str, behaviours: list[Behaviour], expires_ns: int | None
    ) -> Given | None:
        """Give the saying that tolerates all of this now, and for as long."""
        wanted = [behaviour.as_dict() for behaviour in behaviours]
        for said in reversed(self.of(episode_id)):
            long = said.expires_ns is None or (expires_ns or math.inf) <= said.expires_ns
            if said.verb == "tolerate" and long and said.lapsed_ns is None:
                held = [behaviour.as_dict() for behaviour in said.behaviours]
                if all(one in held for one in wanted):
                    return said
        return None

    def _require_room(self, now_ns: int, more: int) -> None:
        held = sum(len(said.behaviours) for said in self.given() if said.in_force(now_ns))
        if held + more > MOST_TOLERATED:
            raise SettingError(
                "too much is tolerated already",
                expected=f"at most {MOST_TOLERATED} behaviours",
                got=str(held),
                fix="Undo some, or train anew on time that holds them: `oddcall watch --relearn`.",
            )


def _lapse(found: dict[str, Given], episode: str, time_ns: int) -> None:
    for said in found.values():
        if said.episode == episode and said.lapsed_ns is None:
            found[said.id] = replace(said, lapsed_ns=time_ns)


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(
            f"the feedback {path} cannot be read",
            got=reason(error),
            fix="Run as its owner, or name another place with --state-dir.",
        ) from error
    found = []
    for line in text.splitlines():
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(told, dict):
            found.append(told)
    return found
