"""What a trained model cannot promise, in sentences for the person who trained it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from oddcall.models import calls
from oddcall.models.baseline import ProgramState
from oddcall.models.budget import Plan, cannot_tell, missed, past_counting
from oddcall.models.calibration import Calibration
from oddcall.models.durations import format_duration
from oddcall.models.features import FeatureSpec
from oddcall.models.naming import told_apart
from oddcall.models.reach import POWERFUL, symbol_weights
from oddcall.models.sparse import IntArray
from oddcall.models.window import Program
from oddcall.training.division import Division
from oddcall.training.reservoir import NEVER

#: Independent later windows below which a promise about a program rests on priors alone.
FEW_LATER_WINDOWS = 100
#: A call that takes powers is worth a word where a program made it in so few of so many windows.
_SELDOM, _MANY_WINDOWS = 2, 100


def cautions(
    division: Division,
    states: tuple[ProgramState, ...],
    spent: Plan,
    calibration: Calibration,
    changed: IntArray,
    arch: str,
    lasted_s: float,
) -> tuple[str, ...]:
    """Say what the training cannot promise, one sentence each; none when all is well.

    Parameters
    ----------
    division : Division
    states : tuple of ProgramState
    spent : Plan
    calibration : Calibration
    changed : int64
        Programs that changed their ways while they were recorded.
    arch : str
        Whose call numbers these are, as ``uname -m`` says.
    lasted_s : float
        Seconds that were watched: a hole between recordings taught nothing.
    """
    gathered = division.gathered
    name = told_apart(gathered.programs)
    found = []
    able = sum(state.can_alert and calibration.ready(state.profile) for state in states)
    if why := cannot_tell(lasted_s, able, len(states)):
        found.append(
            f"The rate of false alerts that is expected is a guess: {why}. Learn from ten minutes "
            "of ordinary work at least, better a day."
        )
    if rare := missed(lasted_s):
        found.append(
            f"The lesson of {format_duration(lasted_s)} has not shown what comes round more "
            f"seldom, such as {rare}: that will be new, and may alert. Let a lesson last twice as "
            "long as what is to be usual takes to come again."
        )
    collecting = [state for state in states if state.readiness == "collecting"]
    for vouched in (True, False):
        small = [s for s in collecting if calibration.ready(s.profile) == vouched]
        if small:
            found.append(_small([name[state.program] for state in small], vouched=vouched))
    learning = [name[state.program] for state in states if state.readiness == "learning"]
    if learning:
        found.append(
            f"{_listed(learning)} still met new behaviour too often "
            "and will not alert until trained on a longer recording."
        )
    independent = calibration.total.effective[: len(division.own)]
    few = [
        name[gathered.programs[p]]
        for p, n in zip(division.own, independent, strict=True)
        if n < FEW_LATER_WINDOWS
    ]
    if few:
        found.append(
            f"{_listed(few)} left fewer than {FEW_LATER_WINDOWS} independent windows to calibrate "
            "on: what is promised of them rests on assumptions about the tail."
        )
    if len(changed):
        names = _listed([name[gathered.programs[p]] for p in changed])
        found.append(
            f"{names} changed while being recorded: alerts may be more or fewer than "
            "promised until trained on a longer recording."
        )
    powers = _seldom_powerful(division, arch, name)
    if powers:
        found.append(
            f"{_listed(powers)} took powers in one or two windows only, which is normal for them "
            "from now on: make sure that it was no intruder."
        )
    if gathered.lossy:
        were = "window was" if gathered.lossy == 1 else "windows were"
        found.append(f"{gathered.lossy} {were} recorded while the sensor lost updates.")
    return (*found, *past_counting(spent.threshold, float(independent.max())))


def _small(names: list[str], *, vouched: bool) -> str:
    """Say what becomes of programs without a baseline; by too few others nothing can alert."""
    own, are, them = (
        ("a baseline of its own", "is", "it")
        if len(names) == 1
        else ("baselines of their own", "are", "them")
    )
    so = (
        f"{are} judged by programs like {them}, which notices less"
        if vouched
        else f"cannot alert: the host has too few other programs to judge {them} by"
    )
    return f"{_listed(names)} had too few windows for {own} and {so}."


def _seldom_powerful(division: Division, arch: str, name: Mapping[Program, str]) -> list[str]:
    """Name programs with calls that take powers, made in few of many windows: ``cp (ptrace)``."""
    gathered = division.gathered
    start = FeatureSpec().starts["syscalls"]
    names = calls.names(arch)
    columns = start + np.flatnonzero(symbol_weights(arch)[start : start + len(names)] >= POWERFUL)
    found = []
    # One program of its own at a time: what is kept of it is sampled.
    for program in division.own.tolist():
        met = columns[gathered.first_met[program, columns] != NEVER]
        if gathered.count[program] < _MANY_WINDOWS or not len(met):
            continue
        kept = gathered.vectors[division.rows(program)]
        often = np.bincount(kept.indices, minlength=kept.shape[1])[met]
        made = [names[column - start] for column in met[often <= _SELDOM].tolist()]
        if made:
            said = _listed(made, "call", most=4)
            found.append(f"{name[gathered.programs[program]]} ({said})")
    return found


def _listed(names: list[str], what: str = "program", most: int = 5) -> str:
    """Names as people list them: ``a, b and 3 more programs``."""
    shown = list(dict.fromkeys(names))
    rest = len(shown) - most
    if rest > 0:
        return f"{', '.join(shown[:most])} and {rest} more {what}{'' if rest == 1 else 's'}"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
