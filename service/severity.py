"""How grave an episode is, from the evidence alone: how rarely clean time shows as much.

The threshold is the p-value that clean time passes as often as the budget allows, so an
episode's least likely window says how often clean time would show its like.

========  ======================================================================
low       as often as the budget allows
medium    less than once a week, or three alerting windows
high      less than once a month, or less than once a week and three windows
critical  less than once in three years, and three windows
========  ======================================================================

Without a baseline of the program's own (level ``similar``, ``host`` or ``unknown``)
an episode is at most medium: it is unusual among others, not for itself.
"""

from __future__ import annotations

LEVELS = ("low", "medium", "high", "critical")
_OWN = {"program", "predecessor"}
_PERSISTENT = 3
_WEEK, _MONTH, _YEARS = 7.0, 30.0, 1000.0


def severity(
    p_value: float, threshold: float, budget_per_day: float, windows: int, level: str
) -> str:
    """Grade an episode.

    Parameters
    ----------
    p_value : its least likely window's.
    threshold : p-value at or below which a window alerts.
    budget_per_day : alerts a day that the threshold was set for.
    windows : alerting windows so far.
    level : baseline the least likely window was judged by.
    """
    days_between = threshold / max(p_value, 1e-300) / budget_per_day
    persistent = windows >= _PERSISTENT
    if days_between >= _YEARS and persistent:
        grade = 3
    elif days_between >= _MONTH or (days_between >= _WEEK and persistent):
        grade = 2
    else:
        grade = int(days_between >= _WEEK or persistent)
    return LEVELS[grade if level in _OWN else min(grade, 1)]
