"""How far the lesson of a watch is, written down for who asks from outside.

A watch that learns has told no states of programs yet, or those of an earlier lesson: what it says
on its own screen is repeated by whoever is asked meanwhile.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from oddcall.models.durations import format_duration
from oddcall.models.errors import OddcallError
from oddcall.models.storage import write_whole
from oddcall.service.state import StateDir

#: Between two times it is written down: a person asks now and then.
_PACE_NS = 5_000_000_000


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson, going on or interrupted.

    Attributes
    ----------
    line : str
        How far it is and how long still, for people.
    done : float or None
        Part of it that is over, in [0, 1]; None while a baseline is trained of it.
    remaining_s : float or None
        Seconds until there may be enough; None likewise.
    written_ns : int
        When that was so, UTC.
    pid : int
        The watch.
    """

    line: str
    done: float | None
    remaining_s: float | None
    written_ns: int
    pid: int

    def told(self, now_ns: int) -> str:
        """Say it, and how old that is."""
        return (
            f"A watch, process {self.pid}, is in its lesson: {self.line} "
            f"(as of {self._age(now_ns)} ago)."
        )

    def told_interrupted(self, now_ns: int) -> str:
        """Say where it was interrupted, and how long ago."""
        return f"A lesson was interrupted {self._age(now_ns)} ago: {self.line}."

    def _age(self, now_ns: int) -> str:
        return format_duration(round(max(now_ns - self.written_ns, 0) / 1e9))


class Telling:
    """Writes down how far the lesson of a state directory is; what cannot be written is left out.

    Parameters
    ----------
    state : StateDir
    """

    def __init__(self, state: StateDir) -> None:
        self._path, self._written_ns = state.lesson, 0

    def tell(
        self, line: str, now_ns: int, done: float | None = None, remaining_s: float | None = None
    ) -> None:
        """Say how far it is, now and then: see `Lesson`."""
        # The absolute gap: a clock set back must not keep it from being told for hours.
        if abs(now_ns - self._written_ns) < _PACE_NS:
            return
        self._written_ns = now_ns
        told = asdict(Lesson(line, done, remaining_s, now_ns, os.getpid()))
        # The recording lies on the same disk, and ends the lesson where that is full.
        with suppress(OddcallError):
            write_whole(self._path, json.dumps(told).encode())

    def end(self) -> None:
        """Say no more: it is over. What one that is interrupted wrote last stays."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def lesson_in(state: StateDir) -> Lesson | None:
    """Tell of the lesson that a watch with this directory is in; None where it is in none."""
    lesson = _read(state)
    return lesson if lesson and lesson.pid == state.holder() else None


def interrupted_in(state: StateDir) -> Lesson | None:
    """Tell of the lesson that the next watch with this directory goes on with; None for none."""
    lesson = _read(state)
    return lesson if lesson and not state.holder() else None


def _read(state: StateDir) -> Lesson | None:
    """Read what the last lesson wrote; the next watch that takes hold removes it."""
    try:
        told: dict[str, Any] = json.loads(state.lesson.read_text(encoding="utf-8"))
        lesson = Lesson(**told)
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    numbers = isinstance(told["written_ns"], int) and isinstance(told["pid"], int)
    return lesson if numbers and lesson.written_ns >= 0 else None
