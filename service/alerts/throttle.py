"""At most so many alerts an hour go out; what is held back is kept, counted, and told of.

A flood of alerts hides the one that matters, and whoever floods on purpose wants just that. So
slighter alerts take no room from graver ones: an alert is held back, with all its lines, where so
many of its own grade or graver went out within the hour, and critical ones pass whatever went
before. One that becomes graver, or shows another kind of behaviour, is
looked at anew. A notice says when holding back begins, and how
much it came to. Time is the windows' own: a replay sends and holds back what its host did.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from oddcall.models.durations import format_duration
from oddcall.service.alerts import notice
from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.notice import Notice
from oddcall.service.alerts.severity import LEVELS
from oddcall.service.quantities import counted

_HOUR_NS = 3_600_000_000_000
_ALWAYS = LEVELS.index("critical")


@dataclass(slots=True)
class Told:
    """Lines of one tick: sent, held back, and what is said of those held back."""

    sent: list[Alert] = field(default_factory=list)
    held: list[Alert] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)


class Throttle:
    """The cap of one run.

    Parameters
    ----------
    most : int
        Episodes an hour, of one grade and the graver ones together.
    host : dict of str
        As alerts name it.
    """

    def __init__(self, most: int, host: Mapping[str, str]) -> None:
        self._most, self._host = most, dict(host)
        #: When alerts of each grade that is counted went out within the last hour.
        self._sent: list[deque[int]] = [deque() for _ in LEVELS[:_ALWAYS]]
        self._held: dict[str, int] = {}
        self._count = self._since_ns = 0

    def cap(self, most: int) -> None:
        """Have another cap from now on."""
        self._most = most

    def sort(self, lines: Iterable[Alert], now_ns: int) -> Told:
        """Sort the lines of a tick that ended at ``now_ns``, UTC, in their order."""
        told = Told()
        for sent in self._sent:
            # The absolute gap: a clock set back must not hold alerts back for ever.
            while sent and abs(now_ns - sent[0]) >= _HOUR_NS:
                sent.popleft()
        if self._count and self._room(0):
            told.notices.append(self._over(now_ns))
        for line in lines:
            if self._passes(line, now_ns, told):
                told.sent.append(line)
            else:
                told.held.append(line)
        return told

    def end(self, lines: Iterable[Alert], now_ns: int) -> Told:
        """Sort the last lines, and say what is still to be said."""
        told = self.sort(lines, now_ns)
        if self._count:
            told.notices.append(self._over(now_ns))
        return told

    def _passes(self, line: Alert, now_ns: int, told: Told) -> bool:
        episode, state = line["episode_id"], line["state"]
        if state == "close":
            return self._held.pop(episode, None) is None
        grade = LEVELS.index(line["severity"])
        graver = grade > self._held.get(episode, grade)
        if state != "open" and (episode not in self._held or not (graver or line.get("news"))):
            return episode not in self._held
        if grade == _ALWAYS or self._room(grade):
            self._held.pop(episode, None)
            if grade < _ALWAYS:
                self._sent[grade].append(now_ns)
            return True
        if not self._count:
            self._since_ns = now_ns
            told.notices.append(self._begun(now_ns))
        self._count += episode not in self._held
        self._held[episode] = grade
        return False

    def _room(self, grade: int) -> bool:
        """Whether one more of a grade may go out."""
        return sum(map(len, self._sent[grade:])) < self._most

    def _begun(self, now_ns: int) -> Notice:
        sentence = (
            f"{counted(self._most, 'alert')} went out within an hour: until there is room again, "
            "others are kept in the history and not sent, unless they are graver."
        )
        return notice.build("throttled", sentence, self._host, now_ns, {"sent": self._most})

    def _over(self, now_ns: int) -> Notice:
        span_s = max(now_ns - self._since_ns, 0) // 1_000_000_000
        were = "was" if self._count == 1 else "were"
        sentence = (
            f"{counted(self._count, 'alert')} {were} not sent in the last "
            f"{format_duration(span_s)}: more than {self._most} as grave within an hour. "
            f"The history has {'it' if self._count == 1 else 'them'}."
        )
        counts = {"alerts": self._count}
        self._count = 0
        return notice.build("throttled", sentence, self._host, now_ns, counts)
