"""Alerts as they were written, and what their programs did, kept in the state directory.

One SQLite file that a watch writes and anybody reads meanwhile: the command line, the
dashboard. Bounded by a number of alerts; the oldest go first, and with the last line of an
episode goes what was kept of it. What a day held is counted apart, and outlives its lines.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from oddcall.models.errors import SettingError, StorageError
from oddcall.models.storage import storage_error
from oddcall.models.tolerance import Behaviour
from oddcall.service import database
from oddcall.service.alerts.alert import Alert, iso, to_json
from oddcall.service.quantities import counted
from oddcall.service.state import is_there

#: Fewest characters of an id that name it.
SHORTEST = 4
#: Days whose counts are kept.
_DAYS = 400
_SCHEMA = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS alerts (
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE, episode TEXT NOT NULL, state TEXT NOT NULL, time TEXT NOT NULL,
  alert TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS episodes ON alerts (episode, place);
CREATE INDEX IF NOT EXISTS times ON alerts (time);
CREATE TABLE IF NOT EXISTS behaviours (
  episode TEXT NOT NULL, program TEXT NOT NULL, behaviour BLOB NOT NULL,
  PRIMARY KEY (episode, program));
CREATE TABLE IF NOT EXISTS days (day TEXT PRIMARY KEY, episodes INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """One line of an alert, as it was written: the native object."""

    alert: Alert

    @property
    def id(self) -> str:
        """Id of the line."""
        return str(self.alert["id"])

    @property
    def episode_id(self) -> str:
        """Id of its episode."""
        return str(self.alert["episode_id"])


@dataclass(frozen=True, slots=True)
class KeptEpisode:
    """The lines of one episode, oldest first.

    Attributes
    ----------
    place : int
        Of the last line that showed something, or of the close if nothing else is kept: what
        ``History.episodes`` takes as ``before``.
    lines : list of Kept
    """

    place: int
    lines: list[Kept]


class History:
    """The store. One may be shared by several threads.

    Parameters
    ----------
    path : Path
        Made when missing, with its folder.
    say : callable
        Told when the file is damaged, or cannot be written: alerts go on without it.
    most : int, default 10,000
        Lines kept.
    file : sqlite3.Connection, optional
        Opened already, by ``reading``.

    Raises
    ------
    StorageError
        When the file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        say: Callable[[str], None] = print,
        most: int = 10_000,
        *,
        file: sqlite3.Connection | None = None,
    ) -> None:
        self._path, self._say, self._most = path, say, most
        self._turn = threading.Lock()
        self._failing = False
        try:
            self._file = file or database.opened(path, _TABLES, _SCHEMA, say, alone=False)
            self._identity = _identity_of(path)
        except sqlite3.Error as error:
            raise _unusable(path, error) from error
        except OSError as error:
            raise storage_error(path, error) from error

    @classmethod
    def reading(cls, path: Path) -> Self:
        """Open one that is there.

        Raises
        ------
        SettingError
            When there is none.
        PrivilegeError
            When it may not be read.
        StorageError
            When it cannot be read.
        """
        if not is_there(path):
            raise SettingError(
                f"no alert is known in {path.parent}",
                expected=f"the history of a watch, {path.name}",
                fix="Name the watch's directory with --state-dir; `oddcall watch` fills it, "
                "once it has learned.",
            )
        try:
            file = database.existing(path)
            file.execute("SELECT place FROM alerts LIMIT 1")
        except sqlite3.Error as error:
            raise _unusable(path, error) from error
        return cls(path, file=file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    # Writing: by the watch. What cannot be written is said once; the alert has gone out.

    def add(self, alert: Alert) -> None:
        """Keep one line; the same id again is the same line."""
        row = (alert["id"], alert["episode_id"], alert["state"], alert["time"], to_json(alert))
        self._write(lambda file: self._add(file, row))

    def behaved(self, episode_id: str, behaviours: Sequence[Behaviour]) -> None:
        """Keep what programs did in an episode, in place of what was kept of it before."""
        rows = [
            (episode_id, json.dumps(told["program"]), zlib.compress(json.dumps(told).encode()))
            for told in (behaviour.as_dict() for behaviour in behaviours)
        ]
        insert = "INSERT OR REPLACE INTO behaviours VALUES (?, ?, ?)"
        self._write(lambda file: file.executemany(insert, rows))

    # Reading.

    def latest(self, most: int = 50) -> list[Kept]:
        """Give the newest lines, newest first."""
        return self._lines("SELECT alert FROM alerts ORDER BY place DESC LIMIT ?", most)

    def episodes(
        self, most: int, before: int | None = None, program: str = ""
    ) -> list[KeptEpisode]:
        """Give the episodes that showed something last, the latest first.

        Parameters
        ----------
        before : place of an episode, for the page after it; the first page by default.
        program : part of the path or of the name that a program gives itself; any by default.
        """
        limit = before if before is not None else 1 << 62
        name = (
            "json_extract(alert, '$.program.exe') || ' ' || json_extract(alert, '$.program.comm')"
        )
        wanted = f"instr(lower({name}), lower(?))" if program else "? = ''"
        last = "coalesce(max(place) FILTER (WHERE state != 'close'), max(place))"
        page = (
            f"SELECT episode, {last} FROM alerts WHERE episode IN "  # noqa: S608  ours, all of it
            f"(SELECT episode FROM alerts WHERE {wanted}) "
            f"GROUP BY episode HAVING {last} < ? ORDER BY {last} DESC LIMIT ?"
        )
        return [
            KeptEpisode(place, self.episode(found))
            for found, place in self._rows(page, program, limit, most)
        ]

    def episode(self, episode_id: str) -> list[Kept]:
        """Give the lines of one episode, oldest first."""
        return self._lines("SELECT alert FROM alerts WHERE episode = ? ORDER BY place", episode_id)

    def find(self, word: str) -> Kept:
        """Find one line by the id of it or of its episode, by the beginning of one, or ``last``.

        Raises
        ------
        SettingError
            When there is none, or several episodes are meant.
        """
        found = self._last() if word == "last" else self._named(word)
        episodes = {kept.episode_id for kept in found}
        if len(episodes) == 1:
            return found[-1]
        if word == "last" and not episodes:
            raise SettingError(
                f"there has been no alert yet: {self._path} holds none",
                fix="If a watch writes elsewhere, name its directory with --state-dir.",
            )
        several = f"{len(episodes)} of that beginning" if episodes else "no alert of that beginning"
        if len(word) < SHORTEST:
            several = counted(len(word), "character")
        raise SettingError(
            f"no one alert is named {word!r}",
            expected=f"an alert's id, or at least {SHORTEST} characters of its beginning, or last",
            got=several,
            fix="`oddcall feedback list --alerts` shows the latest ones.",
        )

    def behaviours(self, episode_id: str) -> list[Behaviour]:
        """Give what programs did in an episode; what cannot be read is left out."""
        wanted = "SELECT behaviour FROM behaviours WHERE episode = ? ORDER BY rowid"
        found = []
        for (blob,) in self._rows(wanted, episode_id):
            try:
                found.append(Behaviour.from_dict(json.loads(zlib.decompress(blob))))
            except (ValueError, zlib.error):
                continue
        return found

    def per_day(self, days: int = 30) -> dict[str, int]:
        """Count the episodes that opened on each of the last days (UTC) that had any."""
        first = (datetime.now(UTC) - timedelta(days=days - 1)).date().isoformat()
        return dict(self._rows("SELECT day, episodes FROM days WHERE day >= ? ORDER BY day", first))

    def opened_since(self, time_ns: int) -> int:
        """Count the episodes that opened since a time, UTC."""
        count = "SELECT count(*) FROM alerts WHERE state = 'open' AND time >= ?"
        return int(self._rows(count, iso(time_ns))[0][0])

    def _last(self) -> list[Kept]:
        """Give the lines of the episode that showed something last: to close is to show nothing."""
        return [line for episode in self.episodes(1) for line in episode.lines]

    def _named(self, word: str) -> list[Kept]:
        if len(word) < SHORTEST or not set(word) <= set("0123456789abcdef-"):
            return []
        return self._lines(
            "SELECT alert FROM alerts WHERE id GLOB ? OR episode GLOB ? ORDER BY place",
            f"{word}*",
            f"{word}*",
        )

    def _lines(self, query: str, *values: object) -> list[Kept]:
        return [Kept(json.loads(alert)) for (alert,) in self._rows(query, *values)]

    def _rows(self, query: str, *values: object) -> list[Any]:
        try:
            with self._turn:
                return self._file.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error

    def _add(self, file: sqlite3.Connection, row: tuple[str, ...]) -> None:
        insert = "INSERT OR IGNORE INTO alerts (id, episode, state, time, alert)"
        if not file.execute(f"{insert} VALUES (?, ?, ?, ?, ?)", row).rowcount:
            return
        _, _, state, time, _ = row
        if state == "open":
            count = (
                "INSERT INTO days VALUES (?, 1) ON CONFLICT DO UPDATE SET episodes = episodes + 1"
            )
            file.execute(count, (time[:10],))
            oldest = "DELETE FROM days WHERE day <= (SELECT day FROM days ORDER BY day DESC"
            file.execute(f"{oldest} LIMIT 1 OFFSET {_DAYS})")
        last = "SELECT place FROM alerts ORDER BY place DESC LIMIT 1 OFFSET ?"
        if past := file.execute(last, (self._most,)).fetchone():
            file.execute("DELETE FROM alerts WHERE place <= ?", past)
            gone = "DELETE FROM behaviours WHERE episode NOT IN (SELECT episode FROM alerts)"
            file.execute(gone)

    def _write(self, step: Callable[[sqlite3.Connection], object]) -> None:
        try:
            with self._turn:
                self._begin_anew_if_gone()
                with self._file:
                    step(self._file)
        except (sqlite3.Error, OSError) as error:
            if not self._failing:
                self._say(f"alerts are not kept: {self._path} cannot be written ({error})")
            self._failing = True
        else:
            self._failing = False

    def _begin_anew_if_gone(self) -> None:
        """Write to the file that has the name, not to one that was removed or moved away."""
        with suppress(FileNotFoundError):
            if _identity_of(self._path) == self._identity:
                return
        gone = self._file
        self._file = database.opened(self._path, _TABLES, _SCHEMA, self._say, alone=False)
        self._identity = _identity_of(self._path)
        gone.close()
        self._say(f"{self._path} was removed or replaced: alerts are kept in the one there is now")


def _identity_of(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _unusable(path: Path, error: sqlite3.Error) -> StorageError:
    return StorageError(
        f"the history {path} cannot be used",
        got=str(error),
        fix="Run as its owner, free some space, or name another place with --state-dir.",
    )


def titled(alert: Mapping[str, Any]) -> str:
    """Name an alert on one line: when, how grave, which program."""
    program = alert["program"]
    name = (program["exe"] or program["comm"]).rsplit("/", 1)[-1] or "unknown"
    return f"{alert['time'][:19].replace('T', ' ')}  {alert['severity']:<8}  {name}"
