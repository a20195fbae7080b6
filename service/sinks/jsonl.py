"""Alerts as JSON lines in a file: whole lines only, on the disk before the next one."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from pathlib import Path
from typing import TextIO

from oddcall.models.errors import SettingError
from oddcall.models.storage import storage_error
from oddcall.service.alerts.alert import Alert, to_json


class JsonLines:
    """Append alerts to a file.

    Parameters
    ----------
    path : Path
        Made when missing, with its folder; begun anew when it was moved away or removed
        meanwhile. A line cut short by a crash is ended first, so it spoils no other.
    once : bool, default False
        Skip alerts whose id the file already holds: what ``replay`` does.

    Raises
    ------
    StorageError
        When the file cannot be opened.
    SettingError
        When it holds something other than alerts.
    """

    def __init__(self, path: Path, *, once: bool = False) -> None:
        self.name = str(path)
        self._path = path
        self._once = once
        self._held: set[str] = set()
        self.already = 0
        self._file = -1
        self._begin()

    def send(self, alert: Alert) -> None:
        """Write one line and flush it to the disk; raises StorageError, the file as it was."""
        self.reach()
        if self._once and alert["id"] in self._held:
            self.already += 1
            return
        line = memoryview((to_json(alert) + "\n").encode())
        size = None
        try:
            size = self._end_line()
            while line:
                line = line[os.write(self._file, line) :]
            if self._regular:
                os.fsync(self._file)
        except OSError as error:
            if self._regular and size is not None:
                # Where even that fails, the next line ends the one that was cut.
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, size)
            raise storage_error(self._path, error) from error

    def reach(self) -> None:
        """Begin the file anew where the name is another's by now, or nobody's; raises as above."""
        if self._gone:
            self.close()
            self._begin()

    def close(self) -> None:
        """Close the file. Closing again does nothing."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _begin(self) -> None:
        """Open the file that has the name."""
        path = self._path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise storage_error(path, error) from error
        found = os.fstat(self._file)
        #: What tells this file from another one at its path, on the same disk or another.
        self._identity = (found.st_dev, found.st_ino)
        # A pipe or a device can be neither synced, cut nor read back.
        self._regular = stat.S_ISREG(found.st_mode)
        try:
            self._check()
        except SettingError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise storage_error(path, error) from error
        if self._once and self._regular:
            self._held = _ids(path)

    def _check(self) -> None:
        if self._size and os.pread(self._file, 1, 0) != b"{":
            raise SettingError(
                f"{self._path} holds something else",
                expected="a new file, or one of alerts",
                fix="Name another file with --alerts.",
            )
        self._end_line()

    @property
    def _gone(self) -> bool:
        """Whether the name is another file's by now, or nobody's."""
        if self._file < 0 or not self._regular:
            return self._file < 0
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return True
        except OSError:
            return False  # a folder that may no longer be looked into: what is open will do
        return (found.st_dev, found.st_ino) != self._identity

    @property
    def _size(self) -> int:
        return os.fstat(self._file).st_size if self._regular else 0

    def _end_line(self) -> int:
        """End a line that was cut short; returns the size of the file."""
        size = self._size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            size += os.write(self._file, b"\n")
        return size


class JsonStream:
    """Write alerts as JSON lines to a stream such as standard output."""

    name = "standard output"

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def send(self, alert: Alert) -> None:
        """Write one line at once."""
        self._stream.write(to_json(alert) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave the stream to whoever opened it."""


def _ids(path: Path) -> set[str]:
    held = set()
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                held.add(str(json.loads(line)["id"]))
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
    return held
