"""Records as JSON lines in a file that begins anew when it is large, keeping the last few.

``alerts.jsonl`` is the newest, then ``alerts.jsonl.1``, ``.2`` and so on. A file that
somebody else has moved away (logrotate) is begun anew as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oddcall.models.storage import storage_error
from oddcall.service.sinks.jsonl import JsonLines
from oddcall.service.sinks.transport import Record


class RotatingFile:
    """Append records to a file.

    Parameters
    ----------
    path : Path
        Made when missing, with its folder.
    max_bytes : int
        Size that no file passes, unless one record does by itself.
    keep : int
        Older files to keep.
    """

    batch = 1

    def __init__(self, path: Path, max_bytes: int, keep: int) -> None:
        self._path, self._max_bytes, self._keep = path, max_bytes, keep
        self._lines: JsonLines | None = None

    def send(self, records: Sequence[Record]) -> None:
        """Write one line a record and flush it to the disk; raises StorageError."""
        for record in records:
            lines = self._current(len(record.line) + 1)
            lines.send(record.body)

    def reach(self) -> None:
        """Raise StorageError where the file cannot be written."""
        self._current(0).reach()

    def close(self) -> None:
        """Close the file."""
        lines, self._lines = self._lines, None
        if lines:
            lines.close()

    def _current(self, room: int) -> JsonLines:
        """Give the file with room for so many bytes more."""
        try:
            size = self._path.stat().st_size if self._path.is_file() else 0
            if size and size + room > self._max_bytes:
                self.close()
                self._rotate()
        except OSError as error:
            raise storage_error(self._path, error) from error
        if self._lines is None:
            self._lines = JsonLines(self._path)
        return self._lines

    def _rotate(self) -> None:
        """Give every file the next name; the oldest is written over."""
        if not self._keep:
            self._path.unlink()
            return
        for i in range(self._keep - 1, 0, -1):
            older = self._numbered(i)
            if older.exists():
                older.replace(self._numbered(i + 1))
        self._path.replace(self._numbered(1))

    def _numbered(self, i: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{i}")
