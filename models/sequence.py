"""News added up over a program's windows: what no single window is odd enough to show.

An attack in small steps, or thinned out among usual calls, is a few things never seen before in
each of many windows. Every window's novelty is added to a sum that leaks away with time, and
what was new a moment ago is not new again: one new path of a program, taken in every window from
now on, counts once. The sum is held against the same sum over clean windows.

Only novelty is summed. Known behaviour in other proportions comes in long runs when the load
changes, from idle to busy or from day to night: a sum of it (a CUSUM of e-values was tried)
accused shells and ``sleep`` of a machine that was less busy than before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray

#: Seconds in which a sum falls to a third (1 / e).
LEAK_S = 120.0
#: A sum that has fallen below this is over: what comes next begins another.
_OVER = 0.25
#: Windows of one tick end this far apart at most; what ends earlier is of a clock set back.
_BACK_NS = 60_000_000_000


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """Where the sums of P profiles stand.

    Attributes
    ----------
    level : float64 (P,)
        Sum of novelty scores at ``last_ns``.
    onset_ns : int64 (P,)
        Start of the window the present sum began with.
    last_ns : int64 (P,)
        End of the last window that added to it.
    """

    level: FloatArray
    onset_ns: IntArray
    last_ns: IntArray

    @classmethod
    def none(cls, count: int) -> News:
        """Nothing new has been seen."""
        return cls(np.zeros(count), np.zeros(count, np.int64), np.zeros(count, np.int64))

    def after(
        self, score: FloatArray, profile: IntArray, t_start_ns: IntArray, t_end_ns: IntArray
    ) -> tuple[News, FloatArray]:
        """Add windows that closed at one tick.

        Of several windows of one program the newest thing counts: a hundred short processes that
        take the same new path in the same second are one piece of news.

        Parameters
        ----------
        score : float64 (n,)
            Novelty of each window, leaving out what was news before.
        profile, t_start_ns, t_end_ns : int64 (n,)

        Returns
        -------
        The sums afterwards, and the sum at each window that holds news, (n,); 0 at the others.
        """
        telling = np.flatnonzero(score > 0)
        if not len(telling):
            return self, np.zeros(len(score))
        used, place = np.unique(profile[telling], return_inverse=True)
        most, begin = np.zeros(len(used)), np.full(len(used), np.iinfo(np.int64).max)
        end = np.zeros(len(used), np.int64)
        np.maximum.at(most, place, score[telling])
        np.minimum.at(begin, place, t_start_ns[telling])
        np.maximum.at(end, place, t_end_ns[telling])
        carried = self.at(used, end)
        level, onset, last = self.level.copy(), self.onset_ns.copy(), self.last_ns.copy()
        level[used] = carried + most
        onset[used] = np.where(carried < _OVER, begin, self.onset_ns[used])
        # Of a clock that was set back the new time counts, else sums would never leak.
        back = end < self.last_ns[used] - _BACK_NS
        last[used] = np.where(back, end, np.maximum(end, self.last_ns[used]))
        sums = np.zeros(len(score))
        sums[telling] = level[profile[telling]]
        return replace(self, level=level, onset_ns=onset, last_ns=last), sums

    def at(self, profiles: IntArray, time_ns: IntArray) -> FloatArray:
        """Say what is left of the sums of some profiles, at a time of each."""
        gap_ns = time_ns - self.last_ns[profiles]
        quiet_s = np.where(gap_ns < -_BACK_NS, -gap_ns, np.maximum(gap_ns, 0)) / 1e9
        left: FloatArray = self.level[profiles] * np.exp(-quiet_s / LEAK_S)
        return left

    def spent(self, profiles: IntArray) -> News:
        """Take sums back to 0: an alert has told what they were made of."""
        level = self.level.copy()
        level[profiles] = 0.0
        return replace(self, level=level)
