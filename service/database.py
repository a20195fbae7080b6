"""SQLite files of ours: opened whole, of a known schema, and begun anew where they are damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

#: Seconds to wait for another process that writes.
_PATIENCE_S = 0.5


def opened(
    path: Path, tables: str, schema: int, say: Callable[[str], None], *, alone: bool
) -> sqlite3.Connection:
    """Open a database for writing, and make its tables.

    Writes go to its log without waiting for the disk: a killed process loses none, a power cut
    may lose the last ones. One connection may be used by several threads that share a lock.

    Parameters
    ----------
    tables : statements that make what is missing.
    schema : version of them; a file of a later one is refused.
    say : told when the file is damaged, and was put aside.
    alone : whether no other process may hold the file meanwhile.

    Raises
    ------
    sqlite3.Error, OSError
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return _connected(path, tables, schema, alone=alone)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        damaged = path.with_suffix(".damaged")
        path.replace(damaged)
        for beside in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + beside).unlink(missing_ok=True)
        say(f"{path} is damaged ({error}): it is now {damaged.name}, and begun anew")
        return _connected(path, tables, schema, alone=alone)


def existing(path: Path) -> sqlite3.Connection:
    """Open a database that is there, for reading beside whoever writes it; raises sqlite3.Error."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", _PATIENCE_S, check_same_thread=False, uri=True
    )


def _connected(path: Path, tables: str, schema: int, *, alone: bool) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=_PATIENCE_S, check_same_thread=False)
    try:
        path.chmod(0o600)
        if alone:
            file.execute("PRAGMA locking_mode = EXCLUSIVE")
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        if _schema_of(file, schema) < schema:
            file.executescript(f"{tables} PRAGMA user_version = {schema};")
    except BaseException:
        file.close()
        raise
    return file


def _schema_of(file: sqlite3.Connection, newest: int) -> int:
    """Look whether the file is whole; raises sqlite3.Error where it is of no use."""
    (found,) = file.execute("PRAGMA user_version").fetchone()
    if found > newest:
        raise sqlite3.OperationalError("it was written by a newer oddcall")
    (sound,) = file.execute("PRAGMA quick_check(1)").fetchone()
    if sound != "ok":
        raise sqlite3.DatabaseError(sound)
    return int(found)
