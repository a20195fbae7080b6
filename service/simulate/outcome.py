"""Run a behaviour here and now, and say what came of it."""

from __future__ import annotations

import os
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from oddcall.models.errors import SettingError
from oddcall.service.simulate.behaviour import Bounds, Facts
from oddcall.service.simulate.catalogue import file_of, named

#: Asked for once, before anything is learned: only the behaviour itself is to be noticed.
_PID, _PROGRAM = os.getpid(), str(Path("/proc/self/exe").readlink())
#: No behaviour may be asked to last longer.
LONGEST_S = 600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was run, by whom, when.

    Attributes
    ----------
    name : str
        The behaviour.
    pid : int
        The process it was run in, 0 where that is not known; children that it forked are named in
        ``detail``.
    program : str
        Executable of that process: the program an alert should name.
    folder : str
        Its room, removed by now.
    start, end : float
        Seconds since the epoch, UTC.
    detail : dict
        What the behaviour observed of its own effect.
    technique : str
        MITRE ATT&CK id of what it is like.
    visible : bool
        Whether counts of calls can tell it from what the demo server does anyway.
    failure : str
        Why it did not end well, where whoever asked for it goes on all the same: what was done
        until then is no measure of anything.
    """

    name: str
    pid: int
    program: str
    folder: str
    start: float
    end: float
    detail: Facts
    technique: str = ""
    visible: bool = True
    failure: str = ""

    def as_dict(self) -> dict[str, object]:
        """Everything, fit for JSON."""
        return asdict(self)


def perform(name: str, seconds: float, room: Path, pause_s: float = 0.0) -> Outcome:
    """Run a behaviour in this very process, in a room that was made and prepared for it.

    Raises
    ------
    SettingError
        If there is no such behaviour, or the time is out of range.
    """
    behaviour = named(name)
    check_seconds(seconds, pause_s)
    start = time.time()
    # One of somebody's own may tell nothing.
    detail = dict(behaviour.act(Bounds.lasting(seconds, room, pause_s)) or {})
    end = time.time()
    seen = (behaviour.technique, not behaviour.invisible)
    return Outcome(name, _PID, _PROGRAM, str(room), start, end, detail, *seen)


def broke(name: str, error: Exception) -> str:
    """Say in one line what a behaviour raised, and in which line of its file."""
    file = file_of(name)
    # What it returned may not be fit for JSON: then no line of it raised.
    places = [
        f" ({frame.f_code.co_filename}, line {line})"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if file is None or Path(frame.f_code.co_filename) == file
    ]
    return f"{type(error).__name__}: {' '.join(str(error).split())}{''.join(places[-1:])}"


def check_seconds(seconds: float, pause_s: float = 0.0) -> None:
    """Refuse a duration that is no number, not above 0 or past `LONGEST_S`; a pause may be 0."""
    if not 0 <= pause_s <= LONGEST_S:
        raise SettingError(
            "the pause of a simulation is out of range",
            expected=f"0 to {LONGEST_S:.0f} seconds",
            got=repr(pause_s),
        )
    if not 0 < seconds <= LONGEST_S:
        raise SettingError(
            "the duration of a simulation is out of range",
            expected=f"more than 0 and at most {LONGEST_S:.0f} seconds",
            got=repr(seconds),
        )
