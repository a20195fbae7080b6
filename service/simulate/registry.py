"""Where a running demo server can be found by the command that makes it misbehave."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from oddcall.models.storage import write_whole
from oddcall.sensor import process

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Running:
    """A demo server that runs: its pid, and where it answers."""

    pid: int
    url: str


def _place(folder: Path) -> Path:
    return folder / "server.json"


@contextmanager
def entered(folder: Path, url: str) -> Iterator[None]:
    """Be found for as long as the context lasts."""
    entry = {"pid": os.getpid(), "start_ticks": _start(os.getpid()), "url": url}
    write_whole(_place(folder), json.dumps(entry).encode())
    try:
        yield
    finally:
        _place(folder).unlink(missing_ok=True)


def running(folder: Path) -> Running | None:
    """Find the demo server of this folder; None when it does not run (any more)."""
    try:
        entry = json.loads(_place(folder).read_bytes())
        pid, start, url = int(entry["pid"]), int(entry["start_ticks"]), str(entry["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # A pid alone may be another process's by now.
    return Running(pid, url) if start == _start(pid) else None


def _start(pid: int) -> int:
    found = process.read(_PROC, pid)
    return found.start_ticks if found else -1
