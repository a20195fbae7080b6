"""Labels that judged recordings cannot answer: of another time, another host, or no window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from oddcall.models.window import Program
from oddcall.service.alerts.alert import iso
from oddcall.service.naming import fitted
from oddcall.training.labels import Label
from oddcall.training.recording_figures import AttackFound

#: Host, begin and end of what was judged of a recording (ns UTC).
Stretch = tuple[str, int, int]
#: Labels and hosts that a sentence names.
_NAMED = 3


@dataclass(slots=True)
class Unmatched:
    """Labels of which no window was judged, each in one of four lists.

    Attributes
    ----------
    given : int
        Labels in all.
    not_judged : list of Label
        Whose windows are in the part that was learned from, or left out.
    outside : list of Label
        Of time that was not judged, and without a window anywhere.
    elsewhere : list of Label
        Of a host of which nothing was judged.
    without_windows : list of Label
        In judged time, but no window is theirs: none of that pid or program, or an earlier
        label's.
    times : dict of str to (int, int)
        Begin and end of what was judged of each host, ns UTC.
    """

    given: int
    not_judged: list[Label] = field(default_factory=list)
    outside: list[Label] = field(default_factory=list)
    elsewhere: list[Label] = field(default_factory=list)
    without_windows: list[Label] = field(default_factory=list)
    times: dict[str, tuple[int, int]] = field(default_factory=dict)

    def in_judged_time(self, attacks: Iterable[AttackFound]) -> list[AttackFound]:
        """Give those that lie where they might have been found."""
        elsewhere = frozenset((*self.not_judged, *self.outside, *self.elsewhere))
        return [attack for attack in attacks if attack.label not in elsewhere]

    def as_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON."""
        return {
            "given": self.given,
            "judged_time": {host: [iso(a), iso(b)] for host, (a, b) in self.times.items()},
            "learned_or_left_out": [_told(label) for label in self.not_judged],
            "outside": [_told(label) for label in self.outside],
            "other_host": [_told(label) for label in self.elsewhere],
            "without_windows": [_told(label) for label in self.without_windows],
        }


def unmatched(
    attacks: Sequence[AttackFound], met: set[int], judged: Sequence[Stretch]
) -> Unmatched:
    """Sort out the labels of which no window was judged.

    Parameters
    ----------
    attacks : sequence of AttackFound
        Of every label.
    met : set of int
        Those of them that have a window in what was read.
    judged : sequence of (host, begin, end)
        What was judged of each recording.
    """
    found = Unmatched(len(attacks))
    for host, begin, end in judged:
        first, last = found.times.get(host, (begin, end))
        found.times[host] = min(first, begin), max(last, end)
    for i, attack in enumerate(attacks):
        label = attack.label
        if attack.windows:
            continue
        if i in met:
            found.not_judged.append(label)
        elif label.host and label.host not in found.times:
            found.elsewhere.append(label)
        elif not any(_touches(label, stretch) for stretch in judged):
            found.outside.append(label)
        else:
            found.without_windows.append(label)
    return found


def sentences(found: Unmatched, programs: Iterable[Program]) -> Iterator[str]:
    """Say it to people; nothing where every label met a window.

    Parameters
    ----------
    programs : iterable of Program
        Those that were judged: a label may name one of them by the end of its path only.
    """
    if labels := found.not_judged:
        lie = "lies" if len(labels) == 1 else "lie"
        yield (
            f"{len(labels):,} of {found.given:,} {lie} in what was learned from or left out: "
            f"{_listed(label.name for label in labels)}."
        )
    by_time: dict[tuple[int, int], list[Label]] = {}
    for label in found.outside:
        by_time.setdefault(_time(found, label), []).append(label)
    for time, labels in by_time.items():
        lie = "lies" if len(labels) == 1 else "lie"
        yield (
            f"{len(labels):,} of {found.given:,} {lie} outside the judged time, {_written(*time)}: "
            f"{_listed(label.name for label in labels)}."
        )
    if labels := found.elsewhere:
        be = "is" if len(labels) == 1 else "are"
        hosts = _listed(sorted(found.times))
        yield (
            f"{len(labels):,} of {found.given:,} {be} of a host that was not judged (judged: "
            f"{hosts}): {_listed(f'{label.name} of {label.host}' for label in labels)}."
        )
    mistaken = " or ".join(
        what for what, labels in (("time", found.outside), ("host", found.elsewhere)) if labels
    )
    if mistaken:
        yield f"If the {mistaken} is mistaken, what was done counts as clean."
    if labels := found.without_windows:
        have = "has no window of its" if len(labels) == 1 else "have no window of their"
        yield (
            f"{len(labels):,} of {found.given:,} {have} own: "
            f"{_listed(map(_whose, labels))}.{_meant(labels, programs)}"
        )
        yield "What was done there counts as clean, and an alert on it as false."


def _touches(label: Label, stretch: Stretch) -> bool:
    host, begin, end = stretch
    return label.host in ("", host) and label.start_ns < end and label.end_ns > begin


def _time(found: Unmatched, label: Label) -> tuple[int, int]:
    """Begin and end of what was judged where a label might have been."""
    times = [found.times[label.host]] if label.host else list(found.times.values())
    return min(begin for begin, _ in times), max(end for _, end in times)


def _written(begin_ns: int, end_ns: int) -> str:
    """Write a stretch of time: ``"2026-11-26 06:16:57 to 06:18:22 UTC"``."""
    begin, end = (datetime.fromtimestamp(ns // 10**9, UTC) for ns in (begin_ns, end_ns))
    later = "%H:%M:%S" if begin.date() == end.date() else "%Y-%m-%d %H:%M:%S"
    return f"{begin:%Y-%m-%d %H:%M:%S} to {end.strftime(later)} UTC"


def _whose(label: Label) -> str:
    if label.pid is not None:
        return f"{label.name} (pid {label.pid})"
    return f"{label.name} (program {label.program})" if label.program else label.name


def _meant(labels: Iterable[Label], programs: Iterable[Program]) -> str:
    """Name a program that a label without its whole path may mean."""
    short = {label.program for label in labels if label.pid is None and label.program}
    for program in programs:
        name = program.exe.rsplit("/", 1)[-1]
        if name in short and program.exe not in short:
            return f" A program is named by its path: {fitted(program.exe, 60)} was judged."
    return ""


def _listed(names: Iterable[str]) -> str:
    shown = [fitted(name, 40) for name in names]
    more = len(shown) - _NAMED
    return ", ".join(shown[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _told(label: Label) -> dict[str, Any]:
    return {
        "name": label.name,
        "host": label.host or None,
        "pid": label.pid,
        "program": label.program or None,
        "start": iso(label.start_ns),
        "end": iso(label.end_ns),
    }
