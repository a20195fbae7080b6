"""A rule over counted calls: what a window must hold for a technique to be hinted at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from oddcall.models.explanation.observation import Call


@dataclass(frozen=True, slots=True)
class Need:
    """Calls that a rule wants to see.

    Attributes
    ----------
    calls : tuple of str
        Any of them; natively, as 32-bit calls or through io_uring. Empty is every call.
    via : str
        Only calls made this way count: ``"32-bit "`` or ``"io_uring "``.
    at_least : int
        Together so often in the window.
    failing : bool
        Only failures count, and only where they are unusual for the program.
    working : bool
        Calls that failed do not count.
    odd : bool
        Only calls count that the baseline never made, or far less of.
    part : float
        Of all calls of the window they are at least this part: what goes on beside much other
        work is no sign of a technique that anything may need.
    more_than : tuple of str
        They are more than all of these calls together, usual ones as well.
    """

    calls: tuple[str, ...] = ()
    via: str = ""
    at_least: int = 1
    failing: bool = False
    working: bool = False
    odd: bool = True
    part: float = 0.0
    more_than: tuple[str, ...] = ()

    def met_by(self, made: Sequence[Call]) -> list[Call]:
        """Give the calls that meet the need; none when it is not met."""
        counted = [
            call
            for call in made
            if call.count
            and (call.plain in self.calls or not self.calls)
            and call.name.startswith(self.via)
        ]
        if self.failing:
            counted = [call for call in counted if call.failing]
        elif self.odd:
            counted = [call for call in counted if call.unusual]
        count = sum(map(self._counts, counted))
        enough = max(self.at_least, self.part * sum(call.count for call in made))
        if self.more_than:
            beside = sum(call.count for call in made if call.plain in self.more_than)
            enough = max(enough, beside + 1)
        return counted if count >= enough else []

    def _counts(self, call: Call) -> int:
        if self.failing:
            return call.failed
        return call.count - call.failed if self.working else call.count


@dataclass(frozen=True, slots=True)
class Rule:
    """All needs met in one window hint at one technique.

    Attributes
    ----------
    technique, title : str
    needs : tuple of Need
    reason : str
    unless : str
        A technique, of an earlier rule, that the same calls are told by already.
    """

    technique: str
    title: str
    needs: tuple[Need, ...]
    reason: str
    unless: str = ""
