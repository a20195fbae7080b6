"""A file that only grows by whole lines, of several that may look and write at once."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oddcall.models.storage import storage_error


@contextmanager
def alone(path: Path) -> Iterator[int]:
    """Open a file, made where it is missing, to look and then to write while nobody else does.

    Raises
    ------
    StorageError
        When it cannot be opened or written to.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        file = os.open(path, flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)
    except OSError as error:
        raise storage_error(path, error) from error


def append(file: int, line: Mapping[str, Any]) -> None:
    """Write one whole line, on the disk before anything is said of it."""
    content = memoryview((json.dumps(line, separators=(",", ":")) + "\n").encode())
    size = os.fstat(file).st_size
    # A line that was cut short must not spoil this one.
    if size and os.pread(file, 1, size - 1) != b"\n":
        os.write(file, b"\n")
    try:
        while content:
            content = content[os.write(file, content) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, size)
        raise
