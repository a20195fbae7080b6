"""Windows of a web server, a model of them, and what is said of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oddcall.models import calls
from oddcall.models.baseline import QUANTILES, Baseline, Contributions, Exemplars
from oddcall.models.explanation.explanation import Explanation, explain
from oddcall.models.features import FeatureSpec
from oddcall.models.peaks import Peaks
from oddcall.models.sparse import Sparse
from oddcall.models.transitions import START, bucket
from oddcall.models.verdict import Verdicts
from oddcall.models.window import BLOCKS, Program, WindowBatch

WEB = Program("/usr/bin/python3.11", 2049, 77, "web.service", "")

#: One request, and what a worker does now and then. ``!`` marks a call that fails.
REQUEST = ["epoll_wait", "accept4", "recvfrom", "openat", "fstat", "read", "close", "sendto"]
RARE = ["stat!", "openat", "getdents64", "getdents64", "close", "futex", "futex!"]
#: A flood of what it does anyway, all of which fails.
OPENS = ["openat!"] * 2000


def window(*parts: Sequence[str], program: Program = WEB, seconds: float = 1.0) -> WindowBatch:
    """One window of one thread that makes these calls in this order; ``!`` marks a failure."""
    said = [call for part in parts for call in part]
    numbers = np.array([calls.number(call.rstrip("!")) for call in said])
    failed = np.array([call.endswith("!") for call in said])
    steps = bucket(np.concatenate([[START], numbers[:-1]]), numbers)
    columns: dict[str, object] = {
        name: Sparse.from_dense(np.bincount(ids, minlength=BLOCKS[name])[None, :])
        for name, ids in {
            "syscalls": numbers,
            "errors": numbers[failed],
            "transitions": steps,
        }.items()
    }
    end = 1_700_000_000_000_000_000
    return WindowBatch.of(
        programs=(program,),
        pid=np.array([4242]),
        start_time_ns=np.array([99]),
        t_start_ns=np.array([end - int(seconds * 1e9)]),
        t_end_ns=np.array([end]),
        observed_s=np.array([seconds]),
        **columns,
    )


def clean(rng: np.random.Generator, n: int = 40) -> WindowBatch:
    """Windows of the web server under its usual load."""
    made = []
    for _ in range(n):
        requests = [REQUEST for _ in range(int(rng.integers(20, 60)))]
        rare = [RARE] * int(rng.integers(0, 3))
        made.append(window(*requests, *rare))
    return WindowBatch.concat(made)


@dataclass
class Made:
    """As much of a model as an explanation asks for, with a baseline of these windows."""

    spec: FeatureSpec
    profiles: list[Baseline]
    peaks: Peaks
    metadata: dict[str, str]

    @classmethod
    def of(cls, windows: WindowBatch) -> Made:
        """Learn quantiles and typical windows, as training does."""
        spec = FeatureSpec()
        vectors = spec.vectors(windows)
        seen = np.flatnonzero(np.asarray((vectors != 0).sum(axis=0)).ravel())
        quantiles = np.quantile(vectors[:, seen].toarray(), QUANTILES, axis=0).T
        kept = Exemplars(
            vectors[:5],
            *(getattr(windows, name)[:5] for name in ("t_start_ns", "t_end_ns", "pid")),
            windows.n_events[:5],
        )
        times = int(windows.t_start_ns.min()), int(windows.t_end_ns.max())
        baseline = Baseline(
            "python3.11", len(windows), *times, seen, quantiles.astype(np.float32), kept
        )
        peaks = Peaks.of(vectors, np.zeros(len(windows), np.int64), 1)
        return cls(spec, [baseline], peaks, {"arch": "x86_64"})

    def contributions(
        self,
        batch: WindowBatch,
        row: int,
        *,
        news_only: bool = False,  # noqa: ARG002  as the model's
    ) -> Contributions:
        """Half of the verdict for squared distance past the quantiles, half for what is new."""
        baseline = self.profiles[0]
        observed = self.spec.vectors(batch).toarray()[row]
        every = np.arange(self.spec.width)
        typical = baseline.typical(every)
        past = np.maximum(observed - typical[:, 2], 0) + np.maximum(typical[:, 0] - observed, 0)
        novel = ~np.isin(every, baseline.features) & (observed > 0)
        mixture, novelty = past.astype(np.float64) ** 2, np.where(novel, observed, 0.0)
        parts = (mixture / max(mixture.sum(), 1e-9), novelty / max(novelty.sum(), 1e-9))
        weight = sum(parts) / max(sum(part.sum() for part in parts), 1e-9)
        order = np.argsort(-weight, kind="stable")
        order = order[(observed[order] > 0) | (typical[order, 2] > 0)]
        columns = observed[order], typical[order], novel[order], mixture[order], novelty[order]
        return Contributions(order, *columns, self.peaks.most(order, 0), weight[order])


def verdicts(level: str = "program", n: int = 1) -> Verdicts:
    """Verdicts that all alert, held against profile 0, or against none when unknown."""
    known = level != "unknown"
    return Verdicts(
        score=np.full(n, 30.0),
        p_value=np.full(n, 1e-9),
        threshold=1e-6,
        alert=np.full(n, known),
        extrapolated=np.full(n, known),
        level=np.full(n, level),
        ready=np.full(n, known),
        profile=np.full(n, 0 if known else -1),
    )


MODEL = Made.of(clean(np.random.default_rng(0)))


def said(batch: WindowBatch, level: str = "program") -> Explanation:
    """Explain the only window of a batch."""
    return explain(MODEL, batch, 0, verdicts(level))
