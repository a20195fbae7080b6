"""What is learned from and what is judged: divisions of recordings that cannot leak.

No window is on both sides, no window of an attack is ever learned from, and beyond that

- *by time*: everything learned ended before anything judged began, with a pause in between;
- *by host*: nothing of a judged host is learned, whatever its programs;
- *by program*: nothing of a judged program is learned, on no host, of no version of its binary.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oddcall.models.errors import SettingError
from oddcall.models.window import Program, WindowBatch
from oddcall.training.lake import Source

#: Part of the time, at its beginning, that is learned from in a split by time.
LEARNED = 0.6
#: Windows that follow each other are alike: so long a pause keeps them apart, or this part of
#: the whole time where that is shorter.
PAUSE_S, PAUSE_SHARE = 60.0, 0.05
#: Groups of programs, each judged once by what the others taught.
GROUPS = 3

Mask = NDArray[np.bool_]
#: Which windows of a batch of a recording are meant.
Chooses = Callable[[Source, WindowBatch], Mask]


@dataclass(frozen=True, slots=True)
class Fold:
    """One model to learn, and what it is to judge.

    Attributes
    ----------
    name : str
        What is judged, for people.
    learns, judges : callable
        Mask of the windows of a batch; never both true.
    """

    name: str
    learns: Chooses
    judges: Chooses


def given(train: Sequence[Source], test: Sequence[Source]) -> Fold:
    """Learn from some recordings, judge others.

    Raises
    ------
    SettingError
        When one is on both sides, or two of one run of a host overlap in time.
    """
    for judged in test:
        for learned in train:
            _require_apart(learned, judged)
    learned_paths, judged_paths = {s.path for s in train}, {s.path for s in test}
    return Fold("the recordings given", _of_paths(learned_paths), _of_paths(judged_paths))


def everything() -> Fold:
    """Judge every window by a model that is there already."""
    return Fold(
        "the recordings given",
        lambda _source, batch: np.zeros(len(batch), np.bool_),
        lambda _source, batch: np.ones(len(batch), np.bool_),
    )


def by_time(sources: Sequence[Source], share: float = LEARNED) -> list[Fold]:
    """Learn from the earlier part of the time, judge the later; windows across are left out."""
    begin, end = min(s.start_ns for s in sources), max(s.end_ns for s in sources)
    cut = begin + int((end - begin) * share)
    pause = int(min(PAUSE_S * 1e9, PAUSE_SHARE * (end - begin)))

    def learns(_source: Source, batch: WindowBatch) -> Mask:
        return batch.t_end_ns <= cut

    def judges(_source: Source, batch: WindowBatch) -> Mask:
        return batch.t_start_ns >= cut + pause

    return [Fold(f"the last {1 - share:.0%} of the time", learns, judges)]


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


def by_program(groups: int = GROUPS) -> list[Fold]:
    """Judge each group of programs by what the others taught.

    A program's group depends on its path, unit and container alone: a new version of its
    binary, or the same program on another host, is in the same group.
    """

    def fold(group: int) -> Fold:
        return Fold(
            f"programs, group {group + 1} of {groups}",
            lambda _source, batch: _group(batch, groups) != group,
            lambda _source, batch: _group(batch, groups) == group,
        )

    return [fold(group) for group in range(groups)]


def group_of(program: Program, groups: int = GROUPS) -> int:
    """Group of a program, 0 to ``groups - 1``."""
    place = "\0".join(program.place).encode("utf-8", "backslashreplace")
    return int.from_bytes(blake2b(place, digest_size=8).digest(), "big") % groups


def has_learned(model: Mapping[str, str], source: Source) -> bool:
    """Whether a model, of that metadata, learned from time of that recording's host in it."""
    same = model.get("host_id", "") == source.metadata.get("host_id", "")
    begin, end = int(model.get("first_ns", 0)), int(model.get("last_ns", 0))
    return same and source.start_ns < end and begin < source.end_ns


def require_unlearned(model: Mapping[str, str], judged: Sequence[Source]) -> None:
    """Refuse recordings of the time and host that a model, of that metadata, has learned."""
    for source in judged:
        if has_learned(model, source):
            raise SettingError(
                f"the model has learned from the time of {source.path}",
                expected="recordings it has not seen",
                got="windows that would be held against themselves",
                fix="Judge later recordings, or give --split time instead of --model.",
            )


def _group(batch: WindowBatch, groups: int) -> NDArray[np.int64]:
    of_program = np.array([group_of(program, groups) for program in batch.programs], np.int64)
    return of_program[batch.program]


def _of_paths(paths: set[Path]) -> Chooses:
    return lambda source, batch: np.full(len(batch), source.path in paths)


def _require_apart(learned: Source, judged: Source) -> None:
    if learned.path.resolve() == judged.path.resolve():
        raise SettingError(
            f"{judged.path} cannot be learned from and judged",
            expected="other recordings to judge",
            got="the same one",
            fix="Leave --train out, and give --split time.",
        )
    same = learned.host == judged.host and learned.host
    if same and learned.start_ns < judged.end_ns and judged.start_ns < learned.end_ns:
        raise SettingError(
            f"{judged.path} and {learned.path} are of the same time of one host",
            expected="recordings that do not overlap",
            got="windows that would be learned from and judged",
            fix="Give both to --test, with --split time.",
        )
