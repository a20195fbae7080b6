"""How long to wait before trying again: longer each time, and never in step with others."""

from __future__ import annotations

from random import SystemRandom

_CHANCE = SystemRandom()


class Backoff:
    """Waits that double, with jitter.

    Parameters
    ----------
    first_s : float, default 0.5
        Longest first wait, seconds.
    most_s : float, default 60.0
        Longest wait at all.
    """

    def __init__(self, first_s: float = 0.5, most_s: float = 60.0) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._tries = 0

    def next_s(self) -> float:
        """Seconds to wait now: between half and the whole of what it has grown to."""
        grown_s = min(self._first_s * 2.0**self._tries, self._most_s)
        self._tries = min(self._tries + 1, 60)
        return grown_s * _CHANCE.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin anew: it worked."""
        self._tries = 0
