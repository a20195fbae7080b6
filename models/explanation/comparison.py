"""Lay one window beside the baseline that judged it."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from oddcall.models import calls
from oddcall.models.baseline import Baseline, Contributions
from oddcall.models.explanation.decoding import decoded
from oddcall.models.explanation.observation import Call, Observation, Scalar, Transition, Typical
from oddcall.models.features import SCALAR_WEIGHT, SCALARS, FeatureSpec, FloatArray
from oddcall.models.sparse import IntArray, Sparse
from oddcall.models.window import WindowBatch

#: Full scale of the scalars, as the feature spec lays them out; a test holds the two together.
_LOG_EVENTS, _LOG_LIFE, _DISTINCT, _ENTROPY_BITS = 24.0, 12.0, 128.0, 8.0

_Part = TypeVar("_Part", Call, Transition, Scalar)

#: A pair that holds this much of its bucket's count is named: right more than nine times in
#: ten in windows of forty kinds of call, and nearly always in those of fifteen.
_LIKELY = 0.8


class _Reference:
    """The baseline and the verdict, looked up by column."""

    def __init__(self, spec: FeatureSpec, baseline: Baseline, parts: Contributions) -> None:
        self.spec, self.baseline = spec, baseline
        self.seen = np.union1d(baseline.features, parts.usual)
        self.weight = np.zeros(spec.width)
        self.weight[parts.features] = parts.contribution
        self.most = np.zeros(spec.width, np.int64)
        self.most[parts.features] = parts.most

    def typical(self, columns: IntArray) -> FloatArray:
        return self.baseline.typical(columns).astype(np.float64)

    def novel(self, columns: IntArray) -> NDArray[np.bool_]:
        return ~np.isin(columns, self.seen)

    def known(self, block: str, width: int) -> IntArray:
        """Indexes of a block that carry part of the verdict, present in the window or not."""
        start = self.spec.starts[block]
        return np.flatnonzero(self.weight[start : start + width])


def observe(
    spec: FeatureSpec,
    batch: WindowBatch,
    row: int,
    baseline: Baseline,
    parts: Contributions,
    arch: str,
) -> Observation:
    """Lay one window of a batch beside its baseline.

    Parameters
    ----------
    row : int
        Which window of ``batch``.
    baseline : Baseline
        The one that judged it.
    parts : Contributions
        What its verdict is made of.
    arch : str
        As ``uname -m`` says, for the names.
    """
    window = batch.take(np.array([row]))
    reference = _Reference(spec, baseline, parts)
    found = [
        *_calls(reference, window, "syscalls", calls.names(arch), ""),
        *_calls(reference, window, "compat", calls.compat_names(arch), "32-bit "),
        *_calls(reference, window, "uring", calls.uring_names(), "io_uring "),
    ]
    left, explained = _transitions(reference, window, found, arch)
    found = [
        replace(call, contribution=call.contribution + explained.get(call.name, 0.0))
        for call in found
    ]
    return Observation(
        int(window.n_events[0]),
        float(window.t_end_ns[0] - window.t_start_ns[0]) / 1e9,
        _ranked(found),
        _ranked(left),
        _ranked(_scalars(reference, window)),
    )


def _ranked(parts: Iterable[_Part]) -> tuple[_Part, ...]:
    return tuple(sorted(parts, key=lambda part: -part.contribution))


def _calls(
    reference: _Reference, window: WindowBatch, block: str, names: tuple[str, ...], mark: str
) -> list[Call]:
    made: Sparse = getattr(window, block)
    counts = made.to_dense()[0]
    failed = window.errors.to_dense()[0] if block == "syscalls" else np.zeros_like(counts)
    ids = np.union1d(np.flatnonzero(counts), reference.known(block, made.width))
    columns = ids + reference.spec.column(block)
    errors = ids + reference.spec.column("errors")
    events = max(int(window.n_events[0]), 1)
    typical, novel = reference.typical(columns) ** 2, reference.novel(columns)
    weight, failing_weight = reference.weight[columns], np.zeros(len(ids))
    failed_typical, novel_failure = np.zeros_like(typical), np.zeros_like(novel)
    if block == "syscalls":
        failed_typical = reference.typical(errors) ** 2
        novel_failure = reference.novel(errors)
        failing_weight = reference.weight[errors]
    # An explanation is made of one window: a few dozen kinds of call.
    return [
        Call(
            name=mark + names[number],
            plain=names[number],
            count=int(counts[number]),
            failed=int(failed[number]),
            share=float(counts[number] / events),
            failed_share=float(failed[number] / events),
            typical=_triple(typical[i]),
            failed_typical=_triple(failed_typical[i]),
            novel=bool(novel[i] and counts[number]),
            novel_failure=bool(novel_failure[i] and failed[number]),
            contribution=float(weight[i] + failing_weight[i]),
            failing_contribution=float(failing_weight[i]),
            most=int(reference.most[columns[i]]),
        )
        for i, number in enumerate(ids.tolist())
    ]


def _triple(values: FloatArray) -> Typical:
    low, middle, high = (float(value) for value in values)
    return low, middle, high


def _transitions(
    reference: _Reference, window: WindowBatch, found: list[Call], arch: str
) -> tuple[list[Transition], dict[str, float]]:
    """Split transitions into those left unexplained and what the others add to which call."""
    counts = window.transitions.to_dense()[0]
    buckets = np.union1d(
        np.flatnonzero(counts), reference.known("transitions", window.transitions.width)
    )
    columns = buckets + reference.spec.column("transitions")
    typical, novel = reference.typical(columns) ** 2, reference.novel(columns)
    total = max(int(counts.sum()), 1)
    by_name = {call.name: call for call in found}
    pairs = _pairs(reference, window, arch, {name for name, call in by_name.items() if call.novel})
    left: list[Transition] = []
    explained: dict[str, float] = {}
    for i, bucket in enumerate(buckets.tolist()):
        weight = float(reference.weight[columns[i]])
        pair = pairs.get(bucket)
        cause = _cause(pair, by_name) if counts[bucket] else ""
        if cause:
            explained[cause] = explained.get(cause, 0.0) + weight
            continue
        count, share = int(counts[bucket]), float(counts[bucket] / total)
        new = bool(novel[i] and count)
        left.append(Transition(bucket, pair, count, share, _triple(typical[i]), new, weight))
    return left, explained


def _pairs(
    reference: _Reference, window: WindowBatch, arch: str, new: AbstractSet[str]
) -> dict[int, tuple[str, str]]:
    """Likeliest pair behind each bucket of the window, where one is clearly the likeliest.

    A new bucket that a new call explains is that call's, whichever other pair fits too.
    """
    spread = decoded(window, reference.spec.seed)
    unseen = reference.novel(window.transitions.ids + reference.spec.column("transitions"))
    pairs: dict[int, tuple[str, str]] = {}
    for (bucket, parts), novel in zip(spread.items(), unseen.tolist(), strict=True):
        named = [
            (calls.symbol_name(before, arch), calls.symbol_name(after, arch))
            for (before, after), _ in parts
        ]
        with_new = [pair for pair in named if novel and not new.isdisjoint(pair)]
        if with_new:
            pairs[bucket] = with_new[0]
        elif parts and parts[0][1] > _LIKELY:
            pairs[bucket] = named[0]
    return pairs


def _cause(pair: tuple[str, str] | None, by_name: dict[str, Call]) -> str:
    """Call that explains a transition by itself: a new one before one in excess."""
    both = [by_name[name] for name in reversed(pair or ()) if name in by_name]
    for call in both:
        if call.novel:
            return call.name
    return next((call.name for call in both if call.excess), "")


def _scalars(reference: _Reference, window: WindowBatch) -> list[Scalar]:
    start = reference.spec.starts["scalars"]
    observed = reference.spec.vectors(window)[:, start:].toarray()[0].astype(np.float64)
    columns = np.arange(start, start + len(SCALARS))
    typical = reference.typical(columns)
    return [
        Scalar(
            name,
            float(natural(name, observed[i])),
            _triple(natural(name, typical[i])),
            float(reference.weight[columns[i]]),
        )
        for i, name in enumerate(SCALARS)
    ]


def natural(scalar: str, value: FloatArray) -> FloatArray:
    """Undo what ``FeatureSpec`` does to a scalar: its value in calls, calls/s, bits, a share."""
    share = np.asarray(value, np.float64) / SCALAR_WEIGHT
    undone: dict[str, FloatArray] = {
        "events": np.exp2(share * _LOG_EVENTS) - 1,
        "rate": np.exp2(share * _LOG_EVENTS) - 1,
        "distinct": share**2 * _DISTINCT,
        "entropy": share * _ENTROPY_BITS,
        "error_share": share,
        "forks": np.exp2(share * _LOG_LIFE) - 1,
        "execs": np.exp2(share * _LOG_LIFE) - 1,
    }
    return undone[scalar]
