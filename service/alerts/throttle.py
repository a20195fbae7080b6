"""At most so many alerts an hour go out; what is held back is kept, counted, and told of.

A flood of alerts hides the one that matters, and whoever floods on purpose wants just that. So
critical episodes pass whatever went before, every other one past the cap is held back with all
its lines, and a notice says when that begins and how much it came to. Time is the windows' own:
a replay sends and holds back what its host did.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from oddcall.service.alerts import notice
from oddcall.service.alerts.alert import Alert
from oddcall.service.alerts.notice import Notice
from oddcall.service.quantities import counted, format_duration

_HOUR_NS = 3_600_000_000_000


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
        Episodes an hour.
    host : dict of str
        As alerts name it.
    """

    def __init__(self, most: int, host: Mapping[str, str]) -> None:
        self._most, self._host = most, dict(host)
        self._sent_ns: deque[int] = deque(maxlen=most)
        self._held: set[str] = set()
        self._count = self._since_ns = 0

    def cap(self, most: int) -> None:
        """Have another cap from now on."""
        self._most, self._sent_ns = most, deque(self._sent_ns, maxlen=most)

    def sort(self, lines: Iterable[Alert], now_ns: int) -> Told:
        """Sort the lines of a tick that ended at ``now_ns``, UTC, in their order."""
        told = Told()
        if self._count and self._room(now_ns):
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
        episode = line["episode_id"]
        if line["severity"] == "critical":
            self._held.discard(episode)
            return True
        if line["state"] != "open":
            held = episode in self._held
            if line["state"] == "close":
                self._held.discard(episode)
            return not held
        if self._room(now_ns):
            self._sent_ns.append(now_ns)
            return True
        if not self._count:
            self._since_ns = now_ns
            told.notices.append(self._begun(now_ns))
        self._held.add(episode)
        self._count += 1
        return False

    def _room(self, now_ns: int) -> bool:
        # The absolute gap: a clock set back must not hold alerts back for ever.
        full = len(self._sent_ns) == self._most
        return not full or abs(now_ns - self._sent_ns[0]) >= _HOUR_NS

    def _begun(self, now_ns: int) -> Notice:
        sentence = (
            f"{counted(self._most, 'alert')} went out within an hour: until there is room again, "
            "others are kept in the history and not sent, unless they are critical."
        )
        return notice.build("throttled", sentence, self._host, now_ns, {"sent": self._most})

    def _over(self, now_ns: int) -> Notice:
        span_s = max(now_ns - self._since_ns, 0) // 1_000_000_000
        were = "was" if self._count == 1 else "were"
        sentence = (
            f"{counted(self._count, 'alert')} {were} not sent in the last "
            f"{format_duration(span_s)}: more than {self._most} within an hour. The history has "
            f"{'it' if self._count == 1 else 'them'}."
        )
        counts = {"alerts": self._count}
        self._count = 0
        return notice.build("throttled", sentence, self._host, now_ns, counts)
