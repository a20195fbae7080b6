"""Episodes that closed, as far as one must know them again: what comes back is the same alert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from oddcall.service.alerts.alert import Alert, Sighting
from oddcall.service.alerts.severity import LEVELS

#: The strongest features of a window say what kind of behaviour it is.
_KIND_FEATURES = 3
#: More than this part of what a window shows makes it the same behaviour.
_MOST = 0.5
#: Closed episodes among which one that would come back is looked for.
_REPEATED = 1024
#: How names of features go on, and those of pairs of calls.
_SHARE = " (share of "
_OF_PAIRS = " (share of transitions)"

#: Executable, unit and container: whose behaviour it was.
Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Kinds:
    """Kinds of behaviour.

    Attributes
    ----------
    named : frozenset of str
        Their strongest features, and the techniques that those hint at.
    marks : frozenset of str
        What is another kind by itself, however much else is alike: a technique, and a call that
        the baseline never made.
    """

    named: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()

    @classmethod
    def of(cls, seen: Sighting) -> Self:
        """Say what one window shows."""
        said = seen.explanation
        return cls._showing(
            {feature.feature: feature.contribution for feature in said.top},
            {feature.feature for feature in said.top if feature.never_before},
            {hint.technique for hint in said.hints},
        )

    @classmethod
    def told(cls, alert: Alert) -> Self:
        """Say what the window of an alert's line showed."""
        top = alert["explanation"]["top"]
        return cls._showing(
            {feature["feature"]: feature["contribution"] for feature in top},
            {f["feature"] for f in top if f["observed"] > 0 and f["typical"]["q95"] == 0},
            {hint["technique"] for hint in alert["attack_hints"]},
        )

    @classmethod
    def _showing(cls, features: Mapping[str, float], never: set[str], techniques: set[str]) -> Self:
        # Of pairs of calls some are new wherever one of the calls is.
        calls = {name for name in never if not name.endswith(_OF_PAIRS)}
        return cls(_strongest(features) | techniques, frozenset(calls | techniques))

    def __or__(self, other: Kinds) -> Kinds:
        """Take both together."""
        return Kinds(self.named | other.named, self.marks | other.marks)

    def __len__(self) -> int:
        return len(self.named | self.marks)

    def likeness(self, shown: Kinds) -> float:
        """Part of what a window shows that is among these."""
        return len(shown.named & self.named) / max(len(shown.named), 1)

    def include(self, shown: Kinds) -> bool:
        """Whether most of what a window shows is among these: it belongs to them."""
        return self.likeness(shown) > _MOST

    def cover(self, shown: Kinds) -> bool:
        """Whether a window shows no other kind than these: who knows these need not be told."""
        return self.include(shown) and shown.marks <= self.marks

    def news(self, shown: Kinds) -> frozenset[str]:
        """Name what a window shows and these do not, if that makes it another kind."""
        if self.cover(shown):
            return frozenset()
        new = (shown.named | shown.marks) - self.named - self.marks
        return frozenset(name.partition(_SHARE)[0] for name in new)


def _strongest(features: Mapping[str, float]) -> frozenset[str]:
    """Name the features that weigh most: those a sentence names stand before them."""
    ranked = sorted(features, key=lambda name: -features[name])
    return frozenset(ranked[:_KIND_FEATURES])


@dataclass(frozen=True, slots=True)
class Past:
    """One episode that closed.

    Attributes
    ----------
    id : str
    place : Place
    kinds : Kinds
    returns : int
        Times it came back before.
    ended_ns : int
        End of its last window, UTC.
    grade : int
        The gravest it was, as a place in ``LEVELS``.
    programs : frozenset of str
        Executables of those that joined it.
    """

    id: str
    place: Place
    kinds: Kinds
    returns: int
    ended_ns: int
    grade: int
    programs: frozenset[str]


@dataclass(slots=True)
class Pasts:
    """Episodes that closed within the cooldown; who closed last comes last.

    Parameters
    ----------
    most : int
        Episodes remembered.
    """

    most: int
    _kept: dict[str, Past] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, past: Past) -> None:
        """Remember an episode."""
        self._kept[past.id] = past
        if len(self._kept) > self.most:
            del self._kept[next(iter(self._kept))]

    def forget(self, now_ns: int, cooldown_s: float) -> None:
        """Forget what ended longer ago than the cooldown."""
        # The absolute gap: a clock set back must not keep them for ever.
        ended = [p.id for p in self._kept.values() if abs(now_ns - p.ended_ns) >= cooldown_s * 1e9]
        for id_ in ended:
            del self._kept[id_]

    def taken(self, place: Place, shown: Kinds) -> Past | None:
        """Take out the episode of a program that showed most of this; of several, the last."""
        same = [past for past in self._kept.values() if past.place == place]
        best = max(reversed(same), key=lambda past: past.kinds.likeness(shown), default=None)
        if best is None or not best.kinds.include(shown):
            return None
        return self._kept.pop(best.id)


def telling(lines: Iterable[Alert]) -> list[Alert]:
    """Give those lines of one episode that show something the ones before did not."""
    seen: dict[str, Kinds] = {}
    found = []
    for line in lines:
        shown, exe = Kinds.told(line), line["program"]["exe"]
        before = seen.get(exe, Kinds())
        seen[exe] = before | shown
        if not before.cover(shown):
            found.append(line)
    return found


def by_episode(lines: Iterable[Alert]) -> list[list[Alert]]:
    """Give the lines of each episode together, in their order."""
    groups: dict[str, list[Alert]] = {}
    for line in lines:
        groups.setdefault(line["episode_id"], []).append(line)
    return list(groups.values())


def recalled(lines: Iterable[Alert]) -> list[Past]:
    """Know episodes again from the lines that were written of them, oldest first."""
    found = [_recalled(group) for group in by_episode(lines)]
    return sorted(found, key=lambda past: past.ended_ns)


def repeats(lines: Iterable[Alert], cooldown_s: float) -> set[str]:
    """Name the episodes that would have been updates of an earlier one under a cooldown.

    Parameters
    ----------
    lines : iterable of Alert
        Written without a cooldown, oldest first.
    cooldown_s : float
    """
    pasts, found = Pasts(_REPEATED), set()
    told: dict[str, list[Alert]] = {}
    before: dict[str, Kinds] = {}
    for line in lines:
        id_ = line["episode_id"]
        told.setdefault(id_, []).append(line)
        if line["state"] == "update":
            continue
        now = _recalled(told[id_])
        if line["state"] == "close":
            pasts.keep(replace(now, kinds=now.kinds | before.get(id_, Kinds())))
            continue
        pasts.forget(now.ended_ns, cooldown_s)
        if past := pasts.taken(now.place, now.kinds):
            found.add(id_)
            before[id_] = past.kinds
    return found


def _recalled(lines: list[Alert]) -> Past:
    kinds = Kinds()
    for line in lines:
        kinds |= Kinds.told(line)
    first, last = lines[0], max(lines, key=lambda line: str(line["time"]))
    program = first["program"]
    place = (program["exe"], program["unit"] or "", program["container"] or "")
    ended_ns = int(datetime.fromisoformat(last["time"]).timestamp() * 1e6) * 1000
    grade = max(LEVELS.index(line["severity"]) for line in lines)
    programs = frozenset(str(line["program"]["exe"]) for line in lines)
    returns = last.get("returns", 0)
    return Past(first["episode_id"], place, kinds, returns, ended_ns, grade, programs)
