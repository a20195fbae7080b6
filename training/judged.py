"""Verdicts gathered into columns: what figures of recordings are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray
from oddcall.models.verdict import Verdicts
from oddcall.models.window import Program, WindowBatch
from oddcall.training.ground_truth import CLEAN

#: Length of the blocks of time that are drawn together, seconds; shorter where little was recorded.
BLOCK_S = 60.0
#: Blocks of time that all recordings have together, at least.
_BLOCKS = 30


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Windows with their verdicts and what they really were, in columns of length n.

    Attributes
    ----------
    source : int64 (n,)
        Which recording.
    start_ns, end_ns : int64 (n,)
    program : int64 (n,)
        Index into ``programs``.
    programs : tuple of Program
    attack : int64 (n,)
        Index of the label, or ``CLEAN`` or ``AFTERMATH``.
    p_value : float64 (n,)
        Chance under the program's baseline.
    threshold : float64 (n,)
        At or below which the window's model alerts.
    alert, ready : bool (n,)
        Whether it alerted, and whether it might have.
    known : bool (n,)
        Whether there was a baseline to hold it against.
    detectors : dict of float64 (n,)
        p-value of each detector by itself.
    hosts : tuple of str
        Host of each recording; by default one of a host without a name.
    failed : tuple of int
        Labels of what was not done to its end: their windows are neither clean nor of an attack.
    """

    source: IntArray
    start_ns: IntArray
    end_ns: IntArray
    program: IntArray
    programs: tuple[Program, ...]
    attack: IntArray
    p_value: FloatArray
    threshold: FloatArray
    alert: NDArray[np.bool_]
    ready: NDArray[np.bool_]
    known: NDArray[np.bool_]
    detectors: dict[str, FloatArray]
    hosts: tuple[str, ...] = ("",)
    failed: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.p_value)

    @property
    def score(self) -> FloatArray:
        """Minus the decimal logarithm of the p-value, (n,): higher is more unusual."""
        return unlikely(self.p_value)

    @property
    def clean(self) -> NDArray[np.bool_]:
        """Windows of no attack that might have alerted, (n,)."""
        rows: NDArray[np.bool_] = self.ready & (self.attack == CLEAN)
        return rows

    @property
    def attacked(self) -> NDArray[np.bool_]:
        """Windows of an attack that might have alerted, (n,)."""
        return self.ready & self.done

    @property
    def done(self) -> NDArray[np.bool_]:
        """Windows of an attack that was done to its end, (n,)."""
        rows: NDArray[np.bool_] = (self.attack >= 0) & ~np.isin(self.attack, self.failed)
        return rows

    def blocks(self) -> IntArray:
        """Block of each window, (n,): those of one program in one stretch of a recording."""
        if not len(self):
            return np.zeros(0, np.int64)
        sources = (self.source == source for source in np.unique(self.source))
        # Without the time between recordings, in which there are no blocks.
        spent = sum(int(self.end_ns[of].max() - self.start_ns[of].min()) for of in sources)
        length = max(min(int(BLOCK_S * 1e9), spent // _BLOCKS), 1)
        stretch = (self.end_ns - self.start_ns.min()) // length
        who = np.stack([self.source, self.program, stretch], axis=1)
        found: IntArray = np.unique(who, axis=0, return_inverse=True)[1].ravel()
        return found


def unlikely(p_value: FloatArray) -> FloatArray:
    """Minus the decimal logarithm: 3 is one in a thousand."""
    score: FloatArray = -np.log10(np.maximum(p_value, 1e-300))
    return score


class Gathering:
    """Collects verdicts, batch by batch."""

    def __init__(self) -> None:
        self._index: dict[Program, int] = {}
        self._columns: dict[str, list[NDArray[np.generic]]] = {}
        self._detectors: dict[str, list[FloatArray]] = {}

    def add(self, batch: WindowBatch, verdicts: Verdicts, attack: IntArray, source: int) -> None:
        """Add the verdicts on one batch of the recording with that number."""
        if not len(batch):
            return
        place = [self._index.setdefault(program, len(self._index)) for program in batch.programs]
        for name, column in (
            ("source", np.full(len(batch), source, np.int64)),
            ("start_ns", batch.t_start_ns),
            ("end_ns", batch.t_end_ns),
            ("program", np.array(place, np.int64)[batch.program]),
            ("attack", attack),
            ("p_value", verdicts.p_value),
            ("threshold", np.full(len(batch), verdicts.threshold)),
            ("alert", verdicts.alert),
            ("ready", verdicts.ready),
            ("known", verdicts.profile >= 0),
        ):
            self._columns.setdefault(name, []).append(column)
        for name, p_value in verdicts.detectors.items():
            self._detectors.setdefault(name, []).append(p_value)

    def judged(self, hosts: Sequence[str], failed: Sequence[int] = ()) -> Judged | None:
        """Everything so far; None when no window was judged.

        Parameters
        ----------
        hosts : sequence of str
            Host of each recording, by its number.
        failed : sequence of int
            Labels of what was not done to its end.
        """
        if not self._columns:
            return None
        columns = {name: np.concatenate(parts) for name, parts in self._columns.items()}
        n = len(columns["p_value"])
        detectors = {name: np.concatenate(parts) for name, parts in self._detectors.items()}
        # A detector that only some of the models have cannot be compared over all windows.
        whole = {name: column for name, column in detectors.items() if len(column) == n}
        return Judged(
            programs=tuple(self._index),
            detectors=whole,
            hosts=tuple(hosts),
            failed=tuple(failed),
            **columns,
        )
