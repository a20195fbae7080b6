"""What a trained model cannot promise, in sentences for the person who trained it."""

from __future__ import annotations

from oddcall.models.baseline import ProgramState
from oddcall.models.budget import Plan
from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.training.division import Division

#: Independent later windows below which a promise about a program rests on priors alone.
FEW_LATER_WINDOWS = 100


def cautions(
    division: Division,
    states: tuple[ProgramState, ...],
    spent: Plan,
    independent: FloatArray,
    changed: IntArray,
) -> tuple[str, ...]:
    """Say what the training cannot promise, one sentence each; none when all is well.

    Parameters
    ----------
    division : Division
    states : tuple of ProgramState
    spent : Plan
    independent : float64 (len(division.own),)
        Independent windows that each program of its own was calibrated on.
    changed : int64
        Programs that changed their ways while they were recorded.
    """
    gathered = division.gathered
    found = []
    small = [state.program.name for state in states if state.readiness == "collecting"]
    if small:
        found.append(
            f"{_listed(small)} had too few windows for a baseline of their own "
            "and are judged by similar programs, which notices less."
        )
    learning = [state.program.name for state in states if state.readiness == "learning"]
    if learning:
        found.append(
            f"{_listed(learning)} still met new behaviour too often "
            "and will not alert until trained on a longer recording."
        )
    later = gathered.count[division.own] - division.split[division.own]
    few = [
        gathered.programs[p].name
        for p, n in zip(division.own, independent, strict=True)
        if n < FEW_LATER_WINDOWS
    ]
    if few:
        found.append(
            f"{_listed(few)} left fewer than {FEW_LATER_WINDOWS} independent windows to calibrate "
            "on: what is promised of them rests on assumptions about the tail."
        )
    if len(changed):
        names = _listed([gathered.programs[p].name for p in changed])
        found.append(
            f"{names} changed while being recorded: alerts may be more or fewer than "
            "promised until trained on a longer recording."
        )
    total = int(later.sum())
    if spent.threshold * total < 1:
        found.append(
            f"The budget asks for p-values of {spent.threshold:.1e}; {total:,} windows to "
            "calibrate on can count no further than one in so many. Beyond, the tail is "
            "extrapolated."
        )
    if gathered.lossy:
        found.append(f"{gathered.lossy} windows were recorded while the sensor lost updates.")
    return tuple(found)


def _listed(names: list[str], most: int = 5) -> str:
    """Names as people list them: ``a, b and 3 more``."""
    shown = list(dict.fromkeys(names))
    rest = len(shown) - most
    if rest > 0:
        return f"{', '.join(shown[:most])} and {rest} more programs"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
