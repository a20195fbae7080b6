"""What a simulated behaviour is, and the bounds it keeps to."""

from __future__ import annotations

import os
import re
import select
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from oddcall.models.storage import storage_error

#: What a behaviour found out about itself: numbers and short texts, fit for JSON.
Facts = dict[str, int | str]

#: The tactic that each technique is simulated for; some techniques serve several.
TACTICS = {
    "T1059": "execution",
    "T1106": "defence evasion",
    "T1053": "persistence",
    "T1547": "persistence",
    "T1543": "persistence",
    "T1068": "privilege escalation",
    "T1548": "privilege escalation",
    "T1611": "privilege escalation",
    "T1014": "defence evasion",
    "T1027": "defence evasion",
    "T1055": "defence evasion",
    "T1070": "defence evasion",
    "T1620": "defence evasion",
    "T1003": "credential access",
    "T1040": "credential access",
    "T1552": "credential access",
    "T1555": "credential access",
    "T1016": "discovery",
    "T1046": "discovery",
    "T1057": "discovery",
    "T1082": "discovery",
    "T1083": "discovery",
    "T1021": "lateral movement",
    "T1005": "collection",
    "T1074": "collection",
    "T1560": "collection",
    "T1071": "command and control",
    "T1041": "exfiltration",
    "T1048": "exfiltration",
    "T1485": "impact",
    "T1486": "impact",
    "T1489": "impact",
    "T1496": "impact",
    "T1499": "impact",
}


_ROOM = "oddcall-simulate-"
_NUMBERS = count(1)


@contextmanager
def roomed(folder: Path, prepare: Callable[[Path], object]) -> Iterator[Path]:
    """Make a behaviour's room in a folder, with what it works on, and remove it in the end.

    Whoever asks for a behaviour does so, not the process that misbehaves: what is noticed is to
    be the behaviour, not the laying out of its prey, nor the tidying up.

    Parameters
    ----------
    folder : Path
        Where nobody else can write; see `places`.
    prepare : callable
        Makes in the room what the behaviour works on.

    Raises
    ------
    StorageError
        If the room cannot be made.
    """
    room = folder / f"{_ROOM}{os.getpid()}-{next(_NUMBERS)}"
    try:
        room.mkdir(mode=0o700)
    except OSError as error:
        raise storage_error(room, error) from error
    try:
        prepare(room)
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)


def room_in(folder: Path, name: str) -> Path | None:
    """Find the room of a name in a folder; None where no room is called so."""
    return folder / name if re.fullmatch(rf"{_ROOM}\d+-\d+", name) else None


def clear(folder: Path) -> None:
    """Remove every room that was left in a folder."""
    for room in folder.glob(f"{_ROOM}*"):
        shutil.rmtree(room, ignore_errors=True)


def nothing(room: Path) -> None:
    """Lay out no prey."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a behaviour may go.

    Attributes
    ----------
    deadline_s : float
        When to stop, on the monotonic clock. Each behaviour has a bound on its count as well.
    room : Path
        A folder of its own, with what it works on, which whoever asked made and removes.
    pause_s : float, default 0
        Seconds between two steps: a patient intruder hides among what the process does anyway.
    """

    deadline_s: float
    room: Path
    pause_s: float = 0.0

    @classmethod
    def lasting(cls, seconds: float, room: Path, pause_s: float = 0.0) -> Bounds:
        """Bounds that end so many seconds from now."""
        return cls(time.monotonic() + seconds, room, pause_s)

    def times(self, most: int) -> Iterator[int]:
        """Count up to ``most``, as long as there is time; at least once."""
        for turn in range(most):
            if turn and not self._go_on():
                return
            yield turn

    def _go_on(self) -> bool:
        """Wait for the next step; whether there is time for it."""
        left_s = self.deadline_s - time.monotonic()
        if self.pause_s and left_s > 0:
            # As the demo server waits, so that the waiting itself is nothing new.
            select.poll().poll(1000 * min(self.pause_s, left_s))
            left_s = self.deadline_s - time.monotonic()
        return left_s > 0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One thing an intruder does, done for real to nobody's harm.

    Attributes
    ----------
    name : str
        What is typed after ``oddcall simulate run``.
    technique : str
        MITRE ATT&CK id of what it is like.
    summary : str
        One sentence.
    expects : tuple of str
        The system calls it makes that most programs do not, in their order.
    cause : tuple of str
        Of its calls those that give it away: an alert's sentence names one of them.
    harmless_because : str
        Why it can be run on a live host, as root too.
    act : callable
        Does it, in the process that calls, and tells what came of it. A refusal by the
        kernel is told as ``refused``, not raised: the attempt was made all the same.
    prepare : callable
        Makes in the room what the behaviour works on: files, say. Whoever asks for the behaviour
        does this, before it and in a process of its own, so that it is no part of what is noticed.
    invisible : str
        Why counts of calls cannot tell it from what the demo server does anyway; empty where
        they can.
    faint : bool
        Whether it may be missed after a lesson of a few minutes.
    tactic : str
        What the technique is for, in ATT&CK's words: ``"credential access"``. Where none is
        given it is that of `TACTICS`, else ``"of your own"``.
    """

    name: str
    technique: str
    summary: str
    expects: tuple[str, ...]
    cause: tuple[str, ...]
    harmless_because: str
    act: Callable[[Bounds], Facts]
    prepare: Callable[[Path], object] = nothing
    invisible: str = ""
    faint: bool = False
    tactic: str = ""

    def __post_init__(self) -> None:
        known = TACTICS.get(self.technique.partition(".")[0], "of your own")
        object.__setattr__(self, "tactic", self.tactic or known)  # frozen from here on
