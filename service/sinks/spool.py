"""A bounded queue of alerts on disk: what a restart, or a kill, finds again.

One SQLite file a sink, held by one process. An alert is kept as the native object, so a
queue outlives a change of the sink's format. Writes go to the log of the database without
waiting for the disk: a killed process loses none, a power cut may lose the last ones. Where
the disk cannot be written, alerts wait in memory instead, and are sent from there.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from oddcall.models.errors import StorageError
from oddcall.models.storage import storage_error
from oddcall.service import database
from oddcall.service.alerts.alert import Alert, to_json
from oddcall.service.sinks.losses import Losses, Toll
from oddcall.service.sinks.memory import Memory, Waiting, worth

#: Alerts that wait in memory at most while the disk cannot be written.
_OVERFLOW = 1000
_SCHEMA = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS waiting (
  place INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE, worth INTEGER NOT NULL, alert TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS least ON waiting (worth, place);
CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, full INTEGER, refused INTEGER);
"""
_LEAST = "SELECT place FROM waiting WHERE place > ? ORDER BY worth, place LIMIT 1"


class InUseError(StorageError):
    """Another process uses the queue."""


class Spool:
    """A queue in a file.

    Parameters
    ----------
    path : Path
        Made when missing, with its folder.
    most : int
        Alerts held at once.
    say : callable
        Told when the file is damaged, or the disk cannot be written.

    Raises
    ------
    InUseError
        When another process holds the file.
    StorageError
        When it cannot be made.
    """

    durable = True

    def __init__(self, path: Path, most: int, say: Callable[[str], None]) -> None:
        self._path, self._most, self._say = path, most, say
        try:
            self._file = database.opened(path, _TABLES, _SCHEMA, say, alone=True)
            if not self._file.execute("SELECT 1 FROM waiting LIMIT 1").fetchone():
                self._file.execute("VACUUM")  # a burst that was delivered leaves a large file
        except sqlite3.Error as error:
            raise _unusable(path, error) from error
        except OSError as error:
            raise storage_error(path, error) from error
        self.toll = Toll(*(self._count(name) for name in ("lost", "told")))
        self._overflow = Memory(_OVERFLOW, self.toll)
        self._kept = int(self._file.execute("SELECT count(*) FROM waiting").fetchone()[0])
        # Places up to this one are delivered, or on their way: not to be dropped or sent again.
        self._past = self._flying = 0
        self._failing = False

    def __len__(self) -> int:
        return self._kept + len(self._overflow)

    def put(self, alert: Alert) -> None:
        """Let an alert wait; the same id again is the same alert."""
        try:
            with self._file:
                added = self._add(alert)
                dropped = bool(added) and self._kept >= self._most and self._drop_least()
        except sqlite3.Error as error:
            self._overflow.put(alert)
            self._fails(error)
        else:
            self._kept += added - dropped
            if dropped:
                self._lose(Losses(full=1))
            self._failing = False

    def first(self, most: int) -> list[Waiting]:
        """Give the oldest ones: those on disk, then those in memory."""
        try:
            rows = self._file.execute(
                "SELECT place, alert FROM waiting WHERE place > ? ORDER BY place LIMIT ?",
                (self._past, most),
            ).fetchall()
        except sqlite3.Error as error:
            rows = []
            self._fails(error)
        self._flying = rows[-1][0] if rows else self._past
        if rows:
            return [Waiting(place, json.loads(alert)) for place, alert in rows]
        # Their places are below zero, so that `done` can tell them.
        return [Waiting(-1 - w.place, w.alert) for w in self._overflow.first(most)]

    def done(self, taken: Sequence[Waiting]) -> None:
        """Forget what was delivered."""
        self._overflow.done([Waiting(-1 - w.place, w.alert) for w in taken if w.place < 0])
        on_disk = [waiting.place for waiting in taken if waiting.place >= 0]
        if not on_disk:
            return
        self._past = self._flying = max(on_disk)
        self._kept -= len(on_disk)
        # Where the disk cannot be written they stay in the file, and are past all the same.
        with contextlib.suppress(sqlite3.Error), self._file:
            self._file.execute("DELETE FROM waiting WHERE place <= ?", (self._past,))

    def told(self, losses: Losses) -> None:
        """Note that these losses are known."""
        self.toll.told += losses
        self._save()

    def close(self) -> None:
        """Close the file; what waits in memory goes there, or is lost and counted."""
        alerts = [waiting.alert for waiting in self._overflow.first(_OVERFLOW)]
        fitting = alerts[: max(self._most - self._kept, 0)]
        try:
            with self._file:
                for alert in fitting:
                    self._add(alert)
        except sqlite3.Error:
            fitting = []
        if lost := len(alerts) - len(fitting):
            self._lose(Losses(full=lost))
        self._file.close()

    def _add(self, alert: Alert) -> int:
        row = (str(alert["id"]), worth(alert), to_json(alert))
        insert = "INSERT OR IGNORE INTO waiting (id, worth, alert) VALUES (?, ?, ?)"
        return int(self._file.execute(insert, row).rowcount)

    def _drop_least(self) -> bool:
        found = self._file.execute(_LEAST, (self._flying,)).fetchone()
        if found:
            self._file.execute("DELETE FROM waiting WHERE place = ?", found)
        return bool(found)

    def _lose(self, losses: Losses) -> None:
        self.toll.lost += losses
        self._save()

    def _save(self) -> None:
        rows = [("lost", *self.toll.lost.as_dict().values())]
        rows.append(("told", *self.toll.told.as_dict().values()))
        with contextlib.suppress(sqlite3.Error), self._file:
            self._file.executemany("INSERT OR REPLACE INTO counts VALUES (?, ?, ?)", rows)

    def _count(self, name: str) -> Losses:
        found = self._file.execute("SELECT full, refused FROM counts WHERE name = ?", (name,))
        return Losses(*(found.fetchone() or (0, 0)))

    def _fails(self, error: sqlite3.Error) -> None:
        if not self._failing:
            self._say(f"alerts wait in memory: {self._path} cannot be written ({error})")
        self._failing = True


def _unusable(path: Path, error: sqlite3.Error) -> StorageError:
    if "locked" in str(error):
        return InUseError(
            f"the queue {path} is in use",
            got="another `oddcall watch`",
            fix="Stop that one, or name another directory with --state-dir.",
        )
    return StorageError(
        f"the queue {path} cannot be used",
        got=str(error),
        fix="Free some space, or name another place with --state-dir.",
    )
