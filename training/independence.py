"""How many independent observations a series of windows is worth.

Windows that follow each other are alike: a process goes on with what it does, load comes and
goes. Of a hundred windows of one busy minute the largest says what one minute says, and a p-value
counted as if they were a hundred promises too much. The variance of a count of odd windows is
that of independent ones times ``1 + 2 * (sum of autocorrelations)``; the effective size is the
number of windows over that. The sum ends where correlations can no longer be told from chance
(Geyer's initial positive sequence, 1992, with the sampling error in place of 0).
"""

from __future__ import annotations

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray

#: Windows above this quantile count as odd: the tail is what is promised of.
_ODD = 0.9
#: No longer memory is looked for, in windows.
_LAGS = 512


def independent(score: FloatArray) -> int:
    """Count the independent observations in a series: at least 1 in any, n at most.

    Parameters
    ----------
    score : float64 (n,)
        Of one program's windows in the order of time.
    """
    n = len(score)
    if n < 2:
        return n
    high = np.quantile(score, _ODD)
    # Where more windows tie at the top than are to be odd, those that tie are.
    odd = (score > high if score.max() > high else score >= high).astype(np.float64)
    odd -= odd.mean()
    power = float(odd @ odd)
    if power <= 0:
        return n
    total, chance = 0.0, n**-0.5
    # Ends at the first pair of lags without correlation: after a few, as a rule.
    for lag in range(1, min(n - 1, _LAGS), 2):
        pair = float(odd[lag:] @ odd[:-lag] + odd[lag + 1 :] @ odd[: -lag - 1]) / power
        if pair <= 2 * chance:
            break
        total += pair
    return max(int(n / (1 + 2 * total)), 1)


def independent_of_each(score: FloatArray, profile: IntArray, count: int) -> FloatArray:
    """Count those of each of ``count`` profiles' windows, float64 (count,).

    Parameters
    ----------
    score : float64 (n,)
        In the order of time within a profile.
    profile : int64 (n,)
    """
    return np.array([float(independent(score[profile == i])) for i in range(count)])
