"""How grave an episode is, from the evidence alone: how unlikely, how often, against what.

========  ======================================================================
low       one window just past the threshold
medium    ten times less likely than the threshold, or three windows
high      a hundred times less likely, or ten times and three windows
critical  ten thousand times less likely, and three windows
========  ======================================================================

Without a baseline of the program's own (level ``similar``, ``host`` or ``unknown``)
an episode is at most medium: it is unusual among others, not for itself.
"""

from __future__ import annotations

import math

LEVELS = ("low", "medium", "high", "critical")
_OWN = {"program", "predecessor"}
_PERSISTENT = 3


def severity(p_value: float, threshold: float, windows: int, level: str) -> str:
    """Grade an episode.

    Parameters
    ----------
    p_value : its least likely window's.
    threshold : p-value at or below which a window alerts.
    windows : alerting windows so far.
    level : baseline the least likely window was judged by.
    """
    decades = math.log10(max(threshold, 1e-300) / max(p_value, 1e-300))
    persistent = windows >= _PERSISTENT
    if decades >= 4 and persistent:
        grade = 3
    elif decades >= 2 or (decades >= 1 and persistent):
        grade = 2
    else:
        grade = int(decades >= 1 or persistent)
    return LEVELS[grade if level in _OWN else min(grade, 1)]
