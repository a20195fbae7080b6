"""One thing that was said of an alert, and what holds of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from oddcall.models.tolerance import Behaviour, Span
from oddcall.models.window import Program
from oddcall.service.alerts.alert import iso

#: Stands behind what was said of an alert that told more since.
NEWS = "news"


@dataclass(frozen=True, slots=True)
class Given:
    """One saying.

    Attributes
    ----------
    id : str
    verb : {"ack", "tolerate", "forget"}
    alert, episode : str
        Id of the line that was named, and of its episode.
    title : str
        Program that the alert was about, for people.
    who : str
    note : str
    time_ns : int
        When it was said, UTC.
    expires_ns, undone_ns : int or None
    lapsed_ns : int or None
        When the alert told more than whoever said this can have read, UTC.
    programs : list of Program
        Whose normal it changes.
    behaviours : list of Behaviour
        What is tolerated.
    """

    id: str
    verb: str
    alert: str
    episode: str
    title: str
    who: str
    note: str
    time_ns: int
    expires_ns: int | None = None
    undone_ns: int | None = None
    lapsed_ns: int | None = None
    programs: list[Program] = field(default_factory=list)
    behaviours: list[Behaviour] = field(default_factory=list)

    @property
    def span(self) -> Span:
        """Time it holds for."""
        seen_ns = self.lapsed_ns if self.verb == "ack" else None
        ends = [end for end in (self.expires_ns, self.undone_ns, seen_ns) if end is not None]
        return Span(self.time_ns, min(ends) if ends else None)

    def in_force(self, now_ns: int) -> bool:
        """Whether it holds now."""
        return self.span.until_ns is None or now_ns < self.span.until_ns

    def as_dict(self) -> dict[str, Any]:
        """Give it for a machine, without the numbers of what is tolerated."""
        ends = {
            name: None if value is None else iso(value)
            for name, value in (
                ("expires", self.expires_ns),
                ("undone", self.undone_ns),
                ("lapsed", self.lapsed_ns),
            )
        }
        return {
            "id": self.id,
            "verb": self.verb,
            "alert": self.alert,
            "episode": self.episode,
            "program": self.title,
            "who": self.who,
            "note": self.note,
            "time": iso(self.time_ns),
            **ends,
            "programs": [asdict(program) for program in self.programs],
            "windows": sum(behaviour.windows.shape[0] for behaviour in self.behaviours),
            "symbols": sum(len(behaviour.novel) for behaviour in self.behaviours),
        }

    def as_line(self) -> dict[str, Any]:
        """Give it as it is kept."""
        return {
            **{name: getattr(self, name) for name in _PLAIN},
            "programs": [asdict(program) for program in self.programs],
            "behaviours": [behaviour.as_dict() for behaviour in self.behaviours],
        }

    @classmethod
    def from_line(cls, told: Mapping[str, Any]) -> Self:
        """Build what ``as_line`` was taken from; raises ValueError where it does not fit."""
        try:
            return cls(
                **{name: told[name] for name in _PLAIN},
                programs=[Program(**program) for program in told["programs"]],
                behaviours=[Behaviour.from_dict(entry) for entry in told["behaviours"]],
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a saying: {error!r}") from error


_PLAIN = ("id", "verb", "alert", "episode", "title", "who", "note", "time_ns", "expires_ns")


def standing(given: Iterable[Given], now_ns: int) -> dict[str, list[str]]:
    """Give the verbs that hold for each episode, the last one last.

    `NEWS` is behind them where the alert told more after the last of them.
    """
    found: dict[str, list[str]] = {}
    for said in given:
        if said.undone_ns is not None:
            continue
        verbs = [verb for verb in found.get(said.episode, []) if verb != NEWS]
        if said.in_force(now_ns):
            verbs.append(said.verb)
        if said.lapsed_ns is not None:
            verbs.append(NEWS)
        found[said.episode] = verbs
    return {episode: verbs for episode, verbs in found.items() if verbs}
