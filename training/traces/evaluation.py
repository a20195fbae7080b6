"""Detectors held against labelled traces: one score a trace, higher is more unusual."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from oddcall.models.errors import EvidenceError, SettingError
from oddcall.training.figures import Result, measure, own_threshold, told
from oddcall.training.traces.detectors.composition import Composition
from oddcall.training.traces.detectors.detector import (
    Done,
    TraceDetector,
    in_chunks,
    require_different,
    step,
)
from oddcall.training.traces.detectors.order import Order
from oddcall.training.traces.detectors.peers import (
    CumulativeAutoencoder,
    KneserNey,
    RawIsolationForest,
    Stide,
)
from oddcall.training.traces.detectors.sets import CallSet
from oddcall.training.traces.detectors.views import Views
from oddcall.training.traces.detectors.windows import LEAST, Windows
from oddcall.training.traces.traces import FOLDS, Split, TraceSet

#: Name -> detector, the default first, then its parts, the live one, and what others do.
DETECTORS: dict[str, type[TraceDetector]] = {
    detector.name: detector
    for detector in (
        Views,
        Order,
        CallSet,
        Composition,
        Windows,
        RawIsolationForest,
        Stide,
        KneserNey,
        CumulativeAutoencoder,
    )
}
DEFAULT = Views.name
Progress = Callable[[str, float], None]


def chosen_detectors(names: Sequence[str]) -> list[type[TraceDetector]]:
    """Detectors by name, all for no name; raises SettingError for one that does not exist."""
    strange = [name for name in names if name not in DETECTORS]
    if strange:
        raise SettingError(
            f"there is no detector {strange[0]!r}", expected=" ".join(DETECTORS), got=strange[0]
        )
    return [DETECTORS[name] for name in dict.fromkeys(names)] or list(DETECTORS.values())


def left_out(train: TraceSet) -> dict[str, int]:
    """Detectors that are not of "all" with so few traces to learn from, and how many they need."""
    return {Windows.name: LEAST} if len(train) < LEAST else {}


def evaluate(
    split: Split,
    names: Sequence[str] = (),
    *,
    resamples: int = 0,
    progress: Progress | None = None,
) -> dict[str, Result]:
    """Fit each detector on the training traces and judge the others.

    What is found is told at the rates that the different normal traces can tell (``told``).

    Parameters
    ----------
    split : Split
    names : sequence of str, optional
        Detectors; all that have traces enough if left out (``left_out``).
    resamples : int, default 0
        How often to resample for the intervals.
    progress : callable, optional
        Told what is being done and how much is done, 0 to 1.

    Raises
    ------
    SettingError
        A name is no detector's.
    EvidenceError
        There are too few training traces, or nothing to judge.
    """
    detectors = chosen_detectors(names)
    _require(split)
    if not names:
        detectors = [d for d in detectors if d.name not in left_out(split.train)]
    results: dict[str, Result] = {}
    fitted: dict[str, TraceDetector] = {}
    for i, detector in enumerate(detectors):

        def tell(doing: str, done: float, i: int = i, name: str = detector.name) -> None:
            if progress:
                progress(f"{split.name}: {name}, {doing}", (i + done) / len(detectors))

        learning, judging = (
            step(partial(tell, doing), j, 2) for j, doing in enumerate(("learning", "judging"))
        )
        judge = fitted.pop(detector.name, None)
        if judge is None:
            learning(0.0)
            judge = detector().fit(split.train, learning)
        if isinstance(judge, Views):
            fitted = judge.parts
        results[detector.name] = _judged(judge, split, resamples, judging)
    return results


def _require(split: Split) -> None:
    if split.held_out and not len(split.normal):
        require_different(split.train)
        raise EvidenceError(
            "there are too few traces to learn from and to hold one out as normal",
            expected=f"at least {FOLDS + 1} that differ",
            got=f"{FOLDS} among {len(split.train):,}",
            fix="Give more clean traces, or say with --normal which to judge.",
        )
    for what, traces in (("normal", split.normal), ("attack", split.attack)):
        if not len(traces):
            raise EvidenceError(f"there is no {what} trace to judge", expected="at least one")


def _judged(detector: TraceDetector, split: Split, resamples: int, judging: Done) -> Result:
    clean = len(split.normal) / (len(split.normal) + len(split.attack))
    normal = in_chunks(split.normal, detector.score, lambda done: judging(clean * done))
    attack = in_chunks(
        split.attack, detector.score, lambda done: judging(clean + (1 - clean) * done)
    )
    threshold = own_threshold(detector.held_out)
    # Copies are drawn together: one by one they would promise too much.
    blocks = split.normal.same(), split.attack.same()
    found = measure(normal, attack, threshold, resamples=resamples, blocks=blocks)
    return told(found, len(np.unique(blocks[0])))
