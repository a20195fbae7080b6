"""What a simulated behaviour is, and the bounds it keeps to."""

from __future__ import annotations

import os
import select
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

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
#: Asked for once: a server that asks who it is just when it misbehaves would give itself away.
_PID = os.getpid()
_NUMBERS = count(1)


def clear(folder: Path, pid: int | None = None) -> None:
    """Remove what the behaviours of one process, or of any, made in a folder."""
    for room in folder.glob(f"{_ROOM}{'*' if pid is None else pid}-*"):
        shutil.rmtree(room, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a behaviour may go.

    Attributes
    ----------
    deadline_s : float
        When to stop, on the monotonic clock. Each behaviour has a bound on its count as well.
    folder : Path
        Where it may make a folder of its own; see `room`.
    pause_s : float, default 0
        Seconds between two steps: a patient intruder hides among what the process does anyway.
    """

    deadline_s: float
    folder: Path
    pause_s: float = 0.0

    @classmethod
    def lasting(cls, seconds: float, folder: Path, pause_s: float = 0.0) -> Bounds:
        """Bounds that end so many seconds from now."""
        return cls(time.monotonic() + seconds, folder, pause_s)

    def room(self) -> Path:
        """Make a folder of its own, for `clear` to remove.

        Whoever asked for the behaviour removes it, not the process that misbehaves: what is
        noticed is to be the behaviour, not the tidying up, nor the making of a name.
        """
        room = self.folder / f"{_ROOM}{_PID}-{next(_NUMBERS)}"
        room.mkdir(mode=0o700)
        return room

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
    invisible : str
        Why counts of calls cannot tell it from what the demo server does anyway; empty where
        they can.
    faint : bool
        Whether it may be missed after a lesson of a few minutes.
    """

    name: str
    technique: str
    summary: str
    expects: tuple[str, ...]
    cause: tuple[str, ...]
    harmless_because: str
    act: Callable[[Bounds], Facts]
    invisible: str = ""
    faint: bool = False

    @property
    def tactic(self) -> str:
        """What the technique is for, in ATT&CK's words: ``"credential access"``."""
        return TACTICS.get(self.technique.partition(".")[0], "of your own")
