"""From "at most so many alerts a day on this host" to the p-value at which a window alerts.

One threshold holds for every program: a window alerts at a p-value at or below it, so a program
costs the budget what its windows a day cost, and nobody's alerts are bought with another's.
Alerts are counted in **episodes**: consecutive alerting windows of one process are one, which is
why a program whose odd windows come in runs is charged for fewer of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray

#: Part of the budget that evidence summed over windows may spend; single windows get the rest.
SUMMED = 0.2
#: A lesson of fewer seconds says nothing of false alerts a day. One of ten minutes has more, also
#: where its first windows came late.
SHORT_S = 540.0
#: What comes round on many hosts, and every how many seconds.
_ROUNDS = (
    (300.0, "a database's checkpoint every five minutes"),
    (3600.0, "an hourly job"),
    (86_400.0, "a backup at night"),
)
#: What is to be usual must have come so often: nearly twice, as a lesson begins anywhere.
_TURNS = 1.8
#: No threshold is laxer, however few windows a quiet host sees a day.
LAXEST = 0.01


@dataclass(frozen=True, slots=True)
class Plan:
    """A threshold and what it is expected to cost.

    Attributes
    ----------
    threshold : float
        p-value at or below which a window alerts.
    sequence_threshold : float
        p-value at or below which evidence summed over a program's windows does.
    expected_per_day : float
        Episodes a day on clean data, over all programs.
    by_program : float64 (P,)
        The same for each.
    """

    threshold: float
    sequence_threshold: float
    expected_per_day: float
    by_program: FloatArray


def plan(
    budget_per_day: float,
    windows_per_day: FloatArray,
    episodes_per_window: FloatArray,
    can_alert: NDArray[np.bool_],
    sums_per_window: FloatArray | None = None,
) -> Plan:
    """Spend a budget over programs.

    Parameters
    ----------
    budget_per_day : float
        Above zero.
    windows_per_day : float64 (P,)
        Windows to expect of each program.
    episodes_per_window : float64 (P,)
        Episodes begun per alerting window, in (0, 1]; see ``runs``.
    can_alert : bool (P,)
        False where the baseline is not ready: such a program costs nothing.
    sums_per_window : float64 (P,), optional
        Episodes begun per window at which a sum is high; 0 where none is kept. Default: sums
        are not kept, and single windows spend everything.
    """
    able = np.where(can_alert, windows_per_day, 0.0)
    starts = able * episodes_per_window
    sums = np.zeros_like(starts) if sums_per_window is None else able * sums_per_window
    summed = SUMMED if sums.any() else 0.0
    threshold = _affordable(budget_per_day * (1 - summed), starts)
    sequence = _affordable(budget_per_day * summed, sums) if summed else 0.0
    cost = threshold * starts + sequence * sums
    return Plan(threshold, sequence, float(cost.sum()), cost)


def again(
    budget_per_day: float, before_per_day: float, spent: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Spend another budget where another was spent before.

    Parameters
    ----------
    budget_per_day, before_per_day : float
        The budget, and the one that was spent before.
    spent : (threshold, sequence threshold, expected a day)
        What came of that one; the second is 0 where sums are not kept.

    Returns
    -------
    The same of this budget. Exact unless nothing was as lax as that budget asked for: then it
    is not known what either kind of evidence costs, only what both do.
    """
    threshold, sequence, expected = spent
    summed = SUMMED if sequence else 0.0
    cost = _cost_per_day(before_per_day * (1 - summed), threshold)
    sums = _cost_per_day(before_per_day * summed, sequence)
    if sums is None:
        sums = max(expected - threshold * cost, 0.0) / sequence if cost is not None else None
    if cost is None:
        known = expected * summed if sums is None else sequence * sums
        cost = max(expected - known, 0.0) / threshold
    if sums is None:
        sums = expected * summed / sequence
    single = _affordable(budget_per_day * (1 - summed), np.array([cost]))
    both = _affordable(budget_per_day * summed, np.array([sums])) if summed else 0.0
    return single, both, single * cost + both * sums


def _cost_per_day(per_day: float, threshold: float) -> float | None:
    """Episodes a day at a p-value of 1; None where the threshold was held back."""
    if not threshold:
        return 0.0
    return per_day / threshold if threshold < LAXEST else None


def _affordable(per_day: float, starts_per_day: FloatArray) -> float:
    return min(per_day / max(float(starts_per_day.sum()), 1e-9), LAXEST)


def cannot_tell(span_s: float, able: int, programs: int) -> str:
    """Say why a lesson does not tell how many false alerts to expect; empty where it does.

    Parameters
    ----------
    span_s : float
        Seconds from its first window to its last.
    able, programs : int
        Programs that can alert, and all of them.
    """
    if span_s < SHORT_S:
        return "so short a recording cannot tell"
    if 2 * able < programs:
        return f"with {able:,} of {programs:,} programs able to alert nobody can tell"
    return ""


def missed(span_s: float) -> str:
    """Name what a lesson is too short to have met often enough; empty after some two days.

    Parameters
    ----------
    span_s : float
        How long it was, or is to be, in seconds.
    """
    found = [what for every_s, what in _ROUNDS if span_s < _TURNS * every_s]
    return " or ".join(filter(None, (", ".join(found[:-1]), *found[-1:])))


def past_counting(threshold: float, independent: float) -> tuple[str, ...]:
    """Say, in a sentence, that a threshold asks for more than any program can count; else nothing.

    Parameters
    ----------
    threshold : float
    independent : float
        Independent windows that the program with the most was calibrated on.
    """
    if threshold * (independent + 1) >= 1:
        return ()
    said = (
        f"The budget asks for p-values of {threshold:.1e}; {independent:,.0f} independent windows "
        "to calibrate on, the most of any program, can count no further than one in so many. "
        "Beyond, the tail is extrapolated."
    )
    return (said,)


def runs(odd: NDArray[np.bool_], process: IntArray) -> float:
    """Episodes begun per odd window: runs of odd windows of one process count once.

    Parameters
    ----------
    odd : bool (n,)
        Windows of one program in order of time within each process.
    process : int64 (n,)
        Process of each; rows of one process are consecutive.

    Returns
    -------
    In (0, 1]; 1 when nothing is known. Drawn a little towards 1.
    """
    continued = odd[1:] & odd[:-1] & (process[1:] == process[:-1])
    total = int(odd.sum())
    return (total - int(continued.sum()) + 1) / (total + 1)
