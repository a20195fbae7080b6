"""What is learned from and what is judged: divisions of recordings that cannot leak.

No window is on both sides, no window of an attack is ever learned from, and beyond that

- *by time*: everything learned ended before anything judged began, with a pause in between;
- *given*: a window that shares time with what was learned of its host is left out;
- *by host*: nothing of a judged host is learned, whatever its programs;
- *by program*: of a judged one its first few windows are learned, no other (`program_folds.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oddcall.models.abroad import hosts_of
from oddcall.models.errors import SettingError
from oddcall.models.window import WindowBatch
from oddcall.training.lake import Source, host_times

#: Part of the time, at its beginning, that is learned from in a split by time.
LEARNED = 0.6
#: Windows that follow each other are alike: so long a pause keeps them apart, or this part of
#: the whole time where that is shorter.
PAUSE_S, PAUSE_SHARE = 60.0, 0.05

Mask = NDArray[np.bool_]
#: Which windows of a batch of a recording are meant.
Chooses = Callable[[Source, WindowBatch], Mask]
#: Host that was learned from, begin and end of that (ns UTC).
Time = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Fold:
    """One model to learn, and what it is to judge.

    Attributes
    ----------
    name : str
        What is judged, for people.
    learns, judges : callable
        Mask of the windows of a batch; never both true.
    few : int, default 0
        Windows learned of each program that is judged; 0 where that is not what is divided.
    """

    name: str
    learns: Chooses
    judges: Chooses
    few: int = 0


def given(train: Sequence[Source], test: Sequence[Source]) -> Fold:
    """Learn from some recordings, judge others, but for windows of a time that was learned.

    Raises
    ------
    SettingError
        When one is on both sides, or lies whole in the time that was learned of its host.
    """
    for judged in test:
        for learned in train:
            _require_other(learned, judged)
    learned_paths, judged_paths = {s.path for s in train}, {s.path for s in test}
    times = [(s.host, s.start_ns, s.end_ns) for s in train]
    for judged in test:
        fix = "Judge another time, or leave --train out and give --split time."
        _require_later(judged, times, fix)

    def judges(source: Source, batch: WindowBatch) -> Mask:
        return _of_paths(judged_paths)(source, batch) & _apart(times, source, batch)

    return Fold("the recordings given", _of_paths(learned_paths), judges)


def by_model(model: Mapping[str, str], test: Sequence[Source]) -> Fold:
    """Judge by a model, of that metadata, every window of a time that it has not learned.

    Raises
    ------
    SettingError
        When a recording lies whole in the time that the model learned of its host.
    """
    times = times_of(model)
    for judged in test:
        _require_later(judged, times, "Judge later ones, or give --split time instead of --model.")
    return Fold(
        "the recordings given",
        lambda _source, batch: np.zeros(len(batch), np.bool_),
        lambda source, batch: _apart(times, source, batch),
    )


def by_time(sources: Sequence[Source], share: float = LEARNED) -> list[Fold]:
    """Learn from the earlier part of the time, judge the later; windows across are left out."""
    begin, end = min(s.start_ns for s in sources), max(s.end_ns for s in sources)
    cut = begin + int((end - begin) * share)
    pause = pause_ns(sources)

    def learns(_source: Source, batch: WindowBatch) -> Mask:
        return batch.t_end_ns <= cut

    def judges(_source: Source, batch: WindowBatch) -> Mask:
        return batch.t_start_ns >= cut + pause

    return [Fold(f"the last {1 - share:.0%} of the time", learns, judges)]


def pause_ns(sources: Sequence[Source]) -> int:
    """Nanoseconds between what is learned and what is judged of the same program and host."""
    whole = max(s.end_ns for s in sources) - min(s.start_ns for s in sources)
    return int(min(PAUSE_S * 1e9, PAUSE_SHARE * whole))


def by_host(sources: Sequence[Source]) -> list[Fold]:
    """Judge each host by what the others taught.

    Raises
    ------
    SettingError
        When there is only one.
    """
    hosts = sorted({source.host for source in sources})
    if len(hosts) < 2:
        raise SettingError(
            "one host cannot be split by host",
            expected="recordings of at least two",
            got=f"recordings of {hosts[0] or 'a host without an id'} only",
            fix="Use --split time.",
        )

    def fold(host: str) -> Fold:
        return Fold(
            f"host {host[:12]}",
            lambda source, batch: np.full(len(batch), source.host != host),
            lambda source, batch: np.full(len(batch), source.host == host),
        )

    return [fold(host) for host in hosts]


def has_learned(model: Mapping[str, str], source: Source) -> bool:
    """Whether a model, of that metadata, learned from time of that recording's host in it."""
    return any(
        host == source.host and source.start_ns < end and begin < source.end_ns
        for host, begin, end in times_of(model)
    )


def times_of(model: Mapping[str, str]) -> list[Time]:
    """Time that a model, of that metadata, learned of each of its hosts; none of unnamed ones.

    A model of several hosts that does not tell them apart learned all its time on each of them.
    """
    if times := host_times(model):
        return times
    begin, end = int(model.get("first_ns", 0)), int(model.get("last_ns", 0))
    hosts = hosts_of(model) or {model.get("host_name", "")}
    return [(host, begin, end) for host in sorted(hosts) if host]


def _of_paths(paths: set[Path]) -> Chooses:
    return lambda source, batch: np.full(len(batch), source.path in paths)


def _apart(times: Sequence[Time], source: Source, batch: WindowBatch) -> Mask:
    """Mask of the windows that share no moment with what was learned of their host."""
    apart = np.ones(len(batch), np.bool_)
    for host, begin, end in times:
        if host and host == source.host:
            apart &= (batch.t_start_ns >= end) | (batch.t_end_ns <= begin)
    return apart


def _require_other(learned: Source, judged: Source) -> None:
    if learned.path.resolve() == judged.path.resolve():
        raise SettingError(
            f"{judged.path} cannot be learned from and judged",
            expected="other recordings to judge",
            got="the same one",
            fix="Leave --train out, and give --split time.",
        )


def _require_later(judged: Source, times: Sequence[Time], fix: str) -> None:
    for host, begin, end in times:
        if host and host == judged.host and begin <= judged.start_ns and judged.end_ns <= end:
            raise SettingError(
                f"{judged.path} is of the time that was learned from",
                expected="windows of another time of that host",
                got="windows that would be held against themselves",
                fix=fix,
            )
