"""The detectors that watch live, on whole traces: each trace is one window of one program."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from oddcall.models.errors import EvidenceError
from oddcall.models.features import FloatArray
from oddcall.models.model import Model
from oddcall.models.sparse import IntArray, Sparse
from oddcall.models.transitions import START, bucket
from oddcall.models.window import BLOCKS, CALLS, Program, WindowBatch
from oddcall.training.fit import FitSettings, fit
from oddcall.training.traces.detectors.detector import (
    MOST_TRACES,
    Done,
    require_different,
    sample,
    untold,
)
from oddcall.training.traces.traces import TraceSet

_PROGRAM = Program(exe="/trace")
_SECOND_NS = 1_000_000_000
#: Calls a second: traces carry no time, and every one gets the same rate.
_RATE = 1_000.0
#: Traces are of no architecture: their calls are numbered as they were met, and no number tells
#: what a call can do. So every call weighs alike.
_ARCH = "none"
#: Traces it learns from at least: as many windows as training asks of a program.
LEAST = 10


class Windows:
    """The model that ``oddcall watch`` judges by, as ``oddcall train`` makes it.

    One program, one window a trace, in the order given: earlier ones teach, later ones
    calibrate. It sees counts of calls and of hashed pairs, nothing of longer runs. Fewer than
    ``LEAST`` traces are refused, by EvidenceError.
    """

    name: ClassVar[str] = "windows"

    held_out: FloatArray
    _model: Model

    def fit(self, traces: TraceSet, told: Done = untold) -> Self:
        """Learn from clean traces, in one step."""
        known = sample(traces)
        require_different(known)
        if len(known) < LEAST:
            raise EvidenceError(
                f"there are too few traces for {self.name} to learn from",
                expected=f"at least {LEAST}",
                got=str(len(known)),
                fix="Give more clean traces, or name another detector.",
            )
        # All of them: a sample of what was given is drawn above.
        settings = FitSettings(min_windows=LEAST, windows_per_program=MOST_TRACES)
        self._model = fit([as_windows(known)], settings, {"arch": _ARCH})
        # p-values are calibrated on traces of their own: their law is the uniform one.
        n = len(known)
        self.held_out = -np.log((np.arange(n) + 0.5) / n)
        told(1.0)
        return self

    def score(self, traces: TraceSet) -> FloatArray:
        """Minus the logarithm of the p-value, (n,)."""
        p: FloatArray = self._model.judge(as_windows(traces)).p_value
        return -np.log(np.maximum(p, 1e-300))


def as_windows(traces: TraceSet) -> WindowBatch:
    """Count each trace as one window of one program, one second after another."""
    n, row = len(traces), traces.row
    calls = np.minimum(traces.calls, CALLS - 1)
    before = np.empty_like(calls)
    before[1:] = calls[:-1]
    before[traces.indptr[:-1]] = START
    start = np.arange(n, dtype=np.int64) * _SECOND_NS
    return WindowBatch.of(
        programs=(_PROGRAM,),
        pid=np.arange(1, n + 1),
        start_time_ns=start,
        t_start_ns=start,
        t_end_ns=start + _SECOND_NS,
        observed_s=traces.lengths / _RATE,
        syscalls=_counted(row, calls, n, BLOCKS["syscalls"]),
        transitions=_counted(row, bucket(before, calls), n, BLOCKS["transitions"]),
    )


def _counted(row: IntArray, column: IntArray, n: int, width: int) -> Sparse:
    cell, count = np.unique(row * width + column, return_counts=True)
    indptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(cell // width, minlength=n), out=indptr[1:])
    return Sparse(indptr, cell % width, count.astype(np.int64), width)
