"""What a simulated behaviour is, and the bounds it keeps to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

#: What a behaviour found out about itself: numbers and short texts, fit for JSON.
Facts = dict[str, int | str]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a behaviour may go.

    Attributes
    ----------
    deadline_s : float
        When to stop, on the monotonic clock. Each behaviour has a bound on its count as well.
    folder : Path
        Where it may make files. It makes a temporary folder of its own there and removes it.
    """

    deadline_s: float
    folder: Path

    @classmethod
    def lasting(cls, seconds: float, folder: Path) -> Bounds:
        """Bounds that end so many seconds from now."""
        return cls(time.monotonic() + seconds, folder)

    def times(self, most: int) -> Iterator[int]:
        """Count up to ``most``, as long as there is time; at least once."""
        for turn in range(most):
            if turn and time.monotonic() >= self.deadline_s:
                return
            yield turn


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
    harmless_because : str
        Why it can be run on a live host, as root too.
    act : callable
        Does it, in the process that calls, and tells what came of it. A refusal by the
        kernel is told as ``refused``, not raised: the attempt was made all the same.
    """

    name: str
    technique: str
    summary: str
    expects: tuple[str, ...]
    harmless_because: str
    act: Callable[[Bounds], Facts]
