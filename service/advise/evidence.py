"""Which calls a program was seen to make, and how far that can be relied on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.errors import EvidenceError, SettingError
from oddcall.models.verdict import JUDGED_BY
from oddcall.models.window import BLOCKS
from oddcall.service.quantities import counted

if TYPE_CHECKING:
    from oddcall.models.baseline import ProgramState
    from oddcall.models.model import Model
    from oddcall.models.window import Program

#: Names shown of those that were meant, perhaps.
_SUGGESTED = 8


@dataclass(frozen=True, slots=True)
class NewCall:
    """The latest call of its kind that was met for the first time."""

    number: int
    compat: bool
    at_ns: int
    end_ns: int


@dataclass(slots=True)
class Evidence:
    """What one or more baselines hold.

    Attributes
    ----------
    programs : list of str
        Paths of the executables.
    calls, compat : set of int
        Numbers of the native and of the 32-bit calls that returned at least once.
    uring : set of int
        Opcodes submitted through io_uring.
    windows : int
    first_ns, last_ns : int
        Span of those windows, UTC.
    settled : bool
        Every baseline is ready: new behaviour had become rare.
    new_rate : float
        Largest share of a baseline's later windows that held something new.
    newest : NewCall or None
        None where no recording was looked at.
    left_out : list of str
        Paths of programs that were named as well, and have no baseline of their own.
    """

    programs: list[str]
    calls: set[int] = field(default_factory=set)
    compat: set[int] = field(default_factory=set)
    uring: set[int] = field(default_factory=set)
    windows: int = 0
    first_ns: int = 0
    last_ns: int = 0
    settled: bool = True
    new_rate: float = 0.0
    newest: NewCall | None = None
    left_out: list[str] = field(default_factory=list)


def gather(model: Model, wanted: Sequence[str]) -> Evidence:
    """Take from a model the calls of every program that is named.

    Parameters
    ----------
    model : Model
    wanted : sequence of str
        Paths, names or globs of executables, or systemd units.

    Raises
    ------
    SettingError
        When the model knows no such program.
    EvidenceError
        When no program of a name has a baseline of its own: others' calls say nothing of it.
    """
    found: list[ProgramState] = []
    for name in wanted:
        some = [known for known in model.programs if _named(known.program, name)]
        if not some:
            raise SettingError(
                f"the model knows no program {name}",
                expected=f"one of {_most_seen(model)}",
                fix="Name it by path, by name, by unit, or by a glob.",
            )
        _require_one(name, some)
        _require_own(model, some)
        found += some
    own = [known for known in found if known.level == "program"]
    taken = {known.program.exe for known in own}
    evidence = _of(model, own)
    evidence.left_out = sorted({known.program.exe for known in found} - taken)
    return evidence


def _require_own(model: Model, found: list[ProgramState]) -> None:
    """Refuse a name that only programs have of which nothing of their own was learned."""
    if any(known.level == "program" for known in found):
        return
    seen = max(found, key=lambda known: known.windows)
    judge = JUDGED_BY[seen.judged_by(model.calibration)]
    raise EvidenceError(
        f"{seen.program.exe} has no baseline of its own",
        expected="enough windows of its own to learn from",
        got=f"{counted(seen.windows, 'window')}; it is judged by {judge}",
        fix="Record or learn for longer while it does all of its work.",
    )


def _require_one(name: str, found: list[ProgramState]) -> None:
    """Refuse a name that happens to be that of several programs: their calls are not one's."""
    paths = sorted({known.program.exe for known in found})
    if len(paths) > 1 and not set(name) & set("*?["):
        shown = ", ".join(paths[:5]) + (", ..." if len(paths) > 5 else "")
        raise SettingError(
            f"{len(paths)} programs are named {name}",
            expected=f"one, by its path; or a glob such as '*/{name}', for all of them together",
            got=shown,
        )


def look_for_new_calls(evidence: Evidence, recordings: Sequence[Path]) -> None:
    """Find in recordings when the last call that had not been met before was met.

    Raises
    ------
    RecordingError
        When one cannot be read.
    """
    from oddcall.training.recording import read_batches

    programs, newest, end = set(evidence.programs), None, 0
    for recording in recordings:
        met: dict[str, set[int]] = {"syscalls": set(), "compat": set()}
        for batch in read_batches(recording):
            ours = [i for i, program in enumerate(batch.programs) if program.exe in programs]
            rows = batch.take(np.flatnonzero(np.isin(batch.program, ours)))
            if not len(rows):
                continue
            at_ns = int(rows.t_end_ns.max())
            end = max(end, at_ns)
            for block, known in met.items():
                for number in set(getattr(rows, block).ids.tolist()) - known:
                    known.add(number)
                    if newest is None or at_ns > newest.at_ns:
                        newest = NewCall(number, block == "compat", at_ns, end)
        evidence.calls |= met["syscalls"]
        evidence.compat |= met["compat"]
    if newest:
        evidence.newest = NewCall(newest.number, newest.compat, newest.at_ns, end)


def _named(program: Program, name: str) -> bool:
    if not program.exe:
        return False
    return any(fnmatchcase(text, name) for text in (program.exe, program.name, program.unit))


def _most_seen(model: Model) -> str:
    own = [known for known in model.programs if known.level == "program" and known.program.exe]
    ranked = sorted(own, key=lambda known: -known.windows)
    paths = list(dict.fromkeys(known.program.exe for known in ranked))
    more = len(paths) - _SUGGESTED
    shown = ", ".join(paths[:_SUGGESTED]) or "none"
    return f"{shown} and {counted(more, 'other')} (`oddcall programs`)" if more > 0 else shown


def _of(model: Model, own: list[ProgramState]) -> Evidence:
    found = Evidence(sorted({known.program.exe for known in own}))
    found.first_ns = min(known.first_ns for known in own)
    found.last_ns = max(known.last_ns for known in own)
    found.windows = sum(known.windows for known in own)
    found.settled = all(known.readiness == "ready" for known in own)
    found.new_rate = max(known.new_rate for known in own)
    for profile in {known.profile for known in own}:
        columns = model.profiles[profile].features
        for block, into in (
            ("syscalls", found.calls),
            ("compat", found.compat),
            ("uring", found.uring),
        ):
            start = model.spec.starts[block]
            inside = columns[(columns >= start) & (columns < start + BLOCKS[block])] - start
            into.update(inside.tolist())
    return found
