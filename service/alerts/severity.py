"""How grave an episode is, from the evidence alone: how rarely clean time shows as much.

The threshold is the p-value that clean time passes as often as the budget allows, so an
episode's least likely window says how often clean time would show its like.

========  ======================================================================
low       as often as the budget allows
medium    less than once a week, or three alerting windows
high      less than once a month, or less than once a week and three windows
critical  less than once in three years, and three windows
========  ======================================================================

No grade says more than the baseline can know:

========  ======================================================================
medium    without one of the program's own (level ``similar`` or ``unknown``):
          it is unusual among others, not for itself
medium    of fewer than 100 windows: one in a hundred is not even measured
high      of fewer than 1,000 windows, or of less than a day: what comes once a
          day was not seen, so nothing is known of what comes once in years
========  ======================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

from oddcall.models.durations import format_duration
from oddcall.service.quantities import counted

LEVELS = ("low", "medium", "high", "critical")
_OWN = {"program", "predecessor"}
_PERSISTENT = 3
_WEEK, _MONTH, _YEARS = 7.0, 30.0, 1000.0
_FEW, _MANY, _DAY_S = 100, 1000, 86_400.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a baseline was learned from.

    Attributes
    ----------
    level : str
        Whose baseline it is.
    windows : int
    span_s : float
        Seconds from its first window to its last.
    """

    level: str
    windows: int
    span_s: float

    @property
    def ceiling(self) -> tuple[int, str]:
        """The gravest grade it can carry, as a place in ``LEVELS``, and why."""
        learned = counted(self.windows, "window")
        if self.level not in _OWN:
            return 1, "the program has no baseline of its own"
        if self.windows < _FEW:
            return 1, f"its baseline is of {learned} only"
        if self.span_s < _DAY_S or self.windows < _MANY:
            span = format_duration(max(round(self.span_s), 1))
            return 2, f"its baseline is of {learned} in {span}"
        return len(LEVELS) - 1, ""


def severity(
    p_value: float, threshold: float, budget_per_day: float, windows: int, lesson: Lesson
) -> tuple[str, str]:
    """Grade an episode; returns the grade, and why it is no graver where the baseline limits it.

    Parameters
    ----------
    p_value : its least likely window's.
    threshold : p-value at or below which a window alerts.
    budget_per_day : alerts a day that the threshold was set for.
    windows : alerting windows so far.
    lesson : of the baseline that the least likely window was judged by.
    """
    days_between = threshold / max(p_value, 1e-300) / budget_per_day
    persistent = windows >= _PERSISTENT
    if days_between >= _YEARS and persistent:
        grade = 3
    elif days_between >= _MONTH or (days_between >= _WEEK and persistent):
        grade = 2
    else:
        grade = int(days_between >= _WEEK or persistent)
    most, why = lesson.ceiling
    if grade <= most:
        return LEVELS[grade], ""
    return LEVELS[most], f"{LEVELS[most]}, not {LEVELS[grade]}: {why}"
