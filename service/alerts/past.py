"""Episodes that closed, as far as one must know them again: what comes back is the same alert."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from oddcall.service.alerts.alert import Alert, Sighting

#: The strongest features of a window say what kind of behaviour it is.
_KIND_FEATURES = 3
#: More than this part of what a window shows makes it the same behaviour.
_MOST = 0.5

#: Executable, unit and container: whose behaviour it was.
Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Kinds:
    """Kinds of behaviour: their strongest features, and what those hint at."""

    named: frozenset[str] = frozenset()

    @classmethod
    def of(cls, seen: Sighting) -> Self:
        """Say what one window shows."""
        said = seen.explanation
        features = {feature.feature: feature.contribution for feature in said.top}
        return cls(_strongest(features) | {hint.technique for hint in said.hints})

    @classmethod
    def told(cls, alert: Alert) -> Self:
        """Say what the window of an alert's line showed."""
        top = alert["explanation"]["top"]
        features = {feature["feature"]: feature["contribution"] for feature in top}
        return cls(_strongest(features) | {hint["technique"] for hint in alert["attack_hints"]})

    def __or__(self, other: Kinds) -> Kinds:
        """Take both together."""
        return Kinds(self.named | other.named)

    def __len__(self) -> int:
        return len(self.named)

    def likeness(self, shown: Kinds) -> float:
        """Part of what a window shows that is among these."""
        return len(shown.named & self.named) / max(len(shown.named), 1)

    def include(self, shown: Kinds) -> bool:
        """Whether most of what a window shows is among these."""
        return self.likeness(shown) > _MOST


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
    """

    id: str
    place: Place
    kinds: Kinds
    returns: int
    ended_ns: int


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
        if not before.include(shown):
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


def _recalled(lines: list[Alert]) -> Past:
    kinds = Kinds()
    for line in lines:
        kinds |= Kinds.told(line)
    first, last = lines[0], max(lines, key=lambda line: str(line["time"]))
    program = first["program"]
    place = (program["exe"], program["unit"] or "", program["container"] or "")
    ended_ns = int(datetime.fromisoformat(last["time"]).timestamp() * 1e6) * 1000
    return Past(first["episode_id"], place, kinds, last.get("returns", 0), ended_ns)
