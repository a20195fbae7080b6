"""Learning on while watching: a baseline follows its program slowly, and says when it has to.

Programs change: another version of a page, a longer log, a new nightly job. A baseline that never
moves ends in accusing everybody; one that follows everything is taught by an attacker who takes
his time. So it follows little and late:

- only windows that are trusted teach: fully covered, of a settled baseline, not unlikely but for
  symbols that may become known, not tolerated, and of a program that has not alerted for ten
  minutes;
- where a program's windows lie on average moves by at most ``FAR`` a day, in equal small parts of
  the day, so that a flood of windows moves it no further than a few do;
- a new symbol becomes known only after it was met in many moments over half an hour, at most
  ``SYMBOLS`` a day, and never one that reaches out of the process or takes powers
  (``reach.py``): those want a person, or a new training.

What is beyond that is not followed but shown. **Drift** is a control chart (Roberts 1959): the
exponentially weighted mean of each moment's evidence, which is 1 nat by construction where a
baseline still holds.

It follows from the batches alone, and is the same when a recording is judged again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from oddcall.models.features import FeatureSpec, FloatArray
from oddcall.models.projection import Subspaces
from oddcall.models.reach import WEIGHTS
from oddcall.models.sparse import IntArray

#: Hellinger distance that a program's mean may move in a day. The whole way between two
#: programs that share nothing is the root of 2.
FAR = 0.1
#: Moments between two moves: a day's way is gone in so many parts at least.
PARTS = 96
#: New symbols that may become known in a day, of one program.
SYMBOLS = 8
#: A symbol is known once it was met in so many moments that lie so far apart.
MOMENTS, APART_NS = 16, 1_800_000_000_000
#: A window below this p-value teaches nothing.
UNLIKELY = 0.02
_DAY_NS = 86_400_000_000_000
_PART_NS = _DAY_NS // PARTS
#: Weight of the newest moment in a program's mean evidence.
_RATE = 1 / 128
#: Mean evidence, in nats, at which drift begins and ends; moments it takes to be sure.
DRIFTS, HOLDS = 1.8, 1.3
_SURE = 64
#: Symbols waiting to be known, over all programs: an attacker must not grow this.
_WAITING = 4096
_SPEC = FeatureSpec()


def learnable(weight: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mask of the symbols that may become known while watching, (D,), by what each counts."""
    return (weight > 0) & (weight <= WEIGHTS["syscalls"])


@dataclass(slots=True)
class _Waiting:
    first_ns: int
    last_ns: int
    moments: int


class Adaptation:
    """What is learned while watching, for P profiles.

    Parameters
    ----------
    spaces : Subspaces
        Where the windows of each profile lay in training.
    weight : float32 (D,)
        What each symbol counts (``reach.symbol_weights``): heavy ones are never learned.
    """

    def __init__(self, spaces: Subspaces, weight: NDArray[np.float32]) -> None:
        count = len(spaces)
        self._spaces = spaces
        self._learnable = learnable(weight)
        self._sum = np.zeros(len(spaces.features))
        self._windows = np.zeros(count)
        self._part = np.full(count, -1, np.int64)
        self._day = np.full(count, -1, np.int64)
        self._learned_today = np.zeros(count, np.int64)
        self._waiting: dict[tuple[int, int], _Waiting] = {}
        self.moved_today = np.zeros(count)
        self.evidence = np.ones(count)
        self.moments = np.zeros(count, np.int64)
        self.since_ns = np.zeros(count, np.int64)

    def watch(self, nats: FloatArray, profile: IntArray, now_ns: int) -> None:
        """Take the evidence of one moment's windows into each program's mean.

        Parameters
        ----------
        nats : float64 (n,)
            Minus the logarithm of the p-value of the mixture, of windows that do not alert.
        profile : int64 (n,)
        now_ns : int
            End of the latest.
        """
        used, place = np.unique(profile, return_inverse=True)
        # One value a moment: a burst of short processes is one moment of one program.
        mean = np.bincount(place, weights=np.minimum(nats, 20.0)) / np.bincount(place)
        self.evidence[used] += _RATE * (mean - self.evidence[used])
        self.moments[used] += 1
        drifts = (self.evidence > DRIFTS) & (self.moments >= _SURE) & (self.since_ns == 0)
        self.since_ns[drifts] = now_ns
        self.since_ns[self.evidence < HOLDS] = 0

    def learn(
        self,
        vectors: csr_matrix,
        profile: IntArray,
        trusted: NDArray[np.bool_],
        new: NDArray[np.bool_],
        now_ns: int,
    ) -> tuple[Subspaces | None, list[tuple[int, int]]]:
        """Learn from the trusted ones of the windows of one moment.

        Parameters
        ----------
        vectors : float32 CSR (n, D)
        profile : int64 (n,)
        trusted : bool (n,)
        new : bool (entries,)
            Which entries of the vectors are new.
        now_ns : int

        Returns
        -------
        The subspaces with their means moved, or None where none has; and symbols that are known
        from now on, as (profile, column).
        """
        part = now_ns // _PART_NS
        used = np.unique(profile[trusted])
        moved = self._move(used[(self._part[used] >= 0) & (self._part[used] != part)], now_ns)
        self._part[used] = part
        owner = np.repeat(profile, np.diff(vectors.indptr))
        taught = np.repeat(trusted, np.diff(vectors.indptr))
        met = taught & new
        learned = self._meet(vectors.indices[met], owner[met], now_ns)
        owner, column, value = owner[taught], vectors.indices[taught], vectors.data[taught]
        slot = self._spaces.slots(column, owner)
        known = slot > 0
        np.add.at(self._sum, slot[known] - 1, value[known])
        np.add.at(self._windows, profile[trusted], 1.0)
        return moved, learned

    def harmless(self, vectors: csr_matrix, new: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether something is new in each window, all of the kind that may become known, (n,).

        Parameters
        ----------
        vectors : float32 CSR (n, D)
        new : bool (entries,)
            Which of their entries are new (``Novelty.new``).
        """
        row = np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))
        heavy = new & ~self._learnable[vectors.indices]
        some, worse = (np.bincount(row[of], minlength=vectors.shape[0]) > 0 for of in (new, heavy))
        safe: NDArray[np.bool_] = some & ~worse
        return safe

    def spent(self, profile: int) -> tuple[int, float, int]:
        """Day (since 1970) that a profile learned in last, and way and symbols learned in it."""
        day, way = int(self._day[profile]), float(self.moved_today[profile])
        return day, way, int(self._learned_today[profile])

    def spend(self, profile: int, day: int, way: float, symbols: int) -> None:
        """Go on with a day in which so much was learned already: a restart gives no more of it."""
        self._day[profile], self.moved_today[profile] = day, way
        self._learned_today[profile] = symbols

    def away(self, profile: int) -> tuple[IntArray, FloatArray]:
        """Say where the present mean lies from the baseline's: columns by distance, and that."""
        here = slice(int(self._spaces.edges[profile]), int(self._spaces.edges[profile + 1]))
        mean = self._sum[here] / max(self._windows[profile], 1.0)
        far = np.where(self._windows[profile] > 0, mean - self._spaces.mean[here], 0.0)
        order = np.argsort(-np.abs(far), kind="stable")
        return self._spaces.features[here][order].astype(np.int64), far[order]

    def _move(self, profiles: IntArray, now_ns: int) -> Subspaces | None:
        """Let the means of profiles follow what their windows of the last part were."""
        if not len(profiles):
            return None
        self._begin_day(profiles, now_ns)
        mean = self._spaces.mean.copy()
        # A few programs at a time: each moves at the first window of its next part of the day.
        for i in profiles.tolist():
            here = slice(int(self._spaces.edges[i]), int(self._spaces.edges[i + 1]))
            way = self._sum[here] / max(self._windows[i], 1.0) - mean[here]
            far = float(np.sqrt((way**2).sum()))
            allowed = min(FAR / PARTS, FAR - self.moved_today[i])
            step = min(1.0, max(allowed, 0.0) / max(far, 1e-12))
            mean[here] += step * way
            self.moved_today[i] += step * far
            self._sum[here], self._windows[i] = 0.0, 0.0
        self._spaces = self._spaces.moved(mean.astype(np.float32))
        return self._spaces

    def _begin_day(self, profiles: IntArray, now_ns: int) -> None:
        day = now_ns // _DAY_NS
        fresh = profiles[self._day[profiles] != day]
        self._day[fresh] = day
        self.moved_today[fresh] = 0.0
        self._learned_today[fresh] = 0

    def _meet(
        self, columns: NDArray[np.int32], profile: IntArray, now_ns: int
    ) -> list[tuple[int, int]]:
        """Count the moments in which unknown symbols were met; give those that are now known."""
        learned = []
        wanted = self._learnable[columns]
        met = set(zip(profile[wanted].tolist(), columns[wanted].tolist(), strict=True))
        self._begin_day(np.unique(profile), now_ns)
        # Trusted windows with anything unknown in them are rare.
        for key in sorted(met):
            seen = self._waiting.get(key)
            if seen is None:
                if len(self._waiting) >= _WAITING:
                    oldest = min(self._waiting, key=lambda k: (self._waiting[k].last_ns, k))
                    del self._waiting[oldest]
                self._waiting[key] = _Waiting(now_ns, now_ns, 1)
                continue
            seen.moments, seen.last_ns = seen.moments + 1, now_ns
            seen.first_ns = min(seen.first_ns, now_ns)
            enough = seen.moments >= MOMENTS and now_ns - seen.first_ns >= APART_NS
            if enough and self._learned_today[key[0]] < SYMBOLS:
                self._learned_today[key[0]] += 1
                del self._waiting[key]
                learned.append(key)
        return learned
