"""Judging over time: each window by itself, and what a program's news add up to.

All that is remembered between batches is kept here, bounded by the number of programs, and
follows from the batches alone: a recording judged again gives the verdicts its host gave.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from oddcall.models.detectors import Novelty
from oddcall.models.features import FloatArray
from oddcall.models.model import Model
from oddcall.models.sequence import News
from oddcall.models.sparse import IntArray
from oddcall.models.verdict import Verdicts
from oddcall.models.weighed import Weighed
from oddcall.models.window import WindowBatch

#: Windows kept of a sum, to be shown as one if it comes to an alert: the latest so many.
_KEPT = 32


class Judgement:
    """Judges batches in the order of time.

    Parameters
    ----------
    model : Model
        May be replaced between batches by one with the same profiles.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        count = len(model.profiles)
        self._news = News.none(count)
        self._told = np.zeros((count, model.spec.bytes), np.uint8)
        self._parts: dict[int, list[WindowBatch]] = {}

    def judge(self, batch: WindowBatch) -> Verdicts:
        """Judge every window of a batch, in its order."""
        weighed = self.model.weigh(batch)
        verdicts = self.model.verdicts(batch, weighed)
        own = weighed.ready[weighed.rows] & (weighed.level[weighed.rows] == "program")
        # Most ticks hold nothing new of anybody.
        mine = np.flatnonzero(own & self._novel(weighed))
        return self._summed(batch, weighed, verdicts, mine) if len(mine) else verdicts

    def _novel(self, weighed: Weighed) -> NDArray[np.bool_]:
        novel = np.zeros(len(weighed.rows), np.bool_)
        for detector in self.model.detectors:
            if isinstance(detector, Novelty):
                novel |= weighed.found.detectors[detector.name] < 1
        return novel

    def _summed(
        self, batch: WindowBatch, weighed: Weighed, verdicts: Verdicts, mine: IntArray
    ) -> Verdicts:
        """Add the news of the windows ``weighed.rows[mine]`` up, and let the sums speak as well."""
        rows = weighed.rows[mine]
        profile = weighed.profile[rows]
        fresh = self._fresh(weighed, mine, profile)
        self._news, level = self._news.after(
            fresh, profile, batch.t_start_ns[rows], batch.t_end_ns[rows]
        )
        self._keep(batch.take(rows), profile)
        calibration = self.model.calibration
        p = calibration.sequence.p_values(level, calibration.group[profile])
        loud = (p <= self.model.sequence_threshold) & (level > 0) & ~verdicts.alert[rows]
        if loud.any():
            verdicts = self._spoken(verdicts, rows[loud], profile[loud], p[loud])
        # Whatever alerts, by itself or by what led to it, has been told.
        told = np.unique(profile[verdicts.alert[rows]])
        self._news = self._news.spent(told)
        for i in told.tolist():
            self._parts.pop(i, None)
        return verdicts

    def _fresh(self, weighed: Weighed, mine: IntArray, profile: IntArray) -> FloatArray:
        """Novelty of windows, leaving out what has been news of their program before."""
        fresh = np.zeros(len(mine))
        vectors = weighed.vectors[mine]
        used, place = np.unique(profile, return_inverse=True)
        for detector in self.model.detectors:
            if isinstance(detector, Novelty):
                fresh += detector.knowing(self._told, used).score(vectors, place)
                self._told[used] |= detector.symbols(vectors, place, len(used))
        return fresh

    def _keep(self, odd: WindowBatch, profile: IntArray) -> None:
        """Keep the windows that make up each program's sum, as long as it lasts."""
        # Few programs show anything new in one tick.
        for i in np.unique(profile).tolist():
            kept = [*self._parts.get(i, []), odd.take(profile == i)][-_KEPT:]
            onset = self._news.onset_ns[i]
            self._parts[i] = [part for part in kept if part.t_end_ns.max() > onset]

    def _spoken(
        self, verdicts: Verdicts, rows: IntArray, profile: IntArray, p: FloatArray
    ) -> Verdicts:
        """Raise windows by what led to them, on the scale of the windows' own threshold."""
        p_value, alert = verdicts.p_value.copy(), verdicts.alert.copy()
        extrapolated, onset = verdicts.extrapolated.copy(), verdicts.onset_ns.copy()
        by_detector = {**verdicts.detectors, "sequence": np.ones(len(verdicts))}
        by_detector["sequence"][rows] = p
        p_value[rows] = p * (verdicts.threshold / self.model.sequence_threshold)
        alert[rows], extrapolated[rows] = True, True
        onset[rows] = np.minimum(self._news.onset_ns[profile], onset[rows])
        together = {
            row: WindowBatch.concat(self._parts[i]).as_one()
            for row, i in zip(rows.tolist(), profile.tolist(), strict=True)
        }
        return replace(
            verdicts,
            p_value=p_value,
            alert=alert,
            extrapolated=extrapolated,
            onset_ns=onset,
            detectors=by_detector,
            together=together,
        )
