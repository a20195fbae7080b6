"""``train``: from recordings of clean time to a bundle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.bundle import save_bundle
from oddcall.models.window import Program, WindowBatch
from oddcall.training.fit import FitSettings, fit
from oddcall.training.lake import lake, provenance
from oddcall.training.presence import Presence
from oddcall.training.recording import read_batches

if TYPE_CHECKING:
    from oddcall.models.model import Model


def train(
    recordings: Sequence[Path],
    output: Path,
    settings: FitSettings,
    progress: Callable[[str, float], None],
    forgotten: Sequence[tuple[Program, int]] = (),
    signing_key: bytes | None = None,
) -> Model:
    """Fit a model on recordings, oldest first, and save it.

    Parameters
    ----------
    forgotten : sequence of (Program, int)
        Programs whose windows from before a time (UTC, nanoseconds) are left out.
    signing_key : bytes, optional
        Ed25519 private key, PEM, to sign it by.

    Raises
    ------
    RecordingError
        When one cannot be read, or they are of different features.
    EvidenceError
        When they hold too little.
    StorageError
        When the bundle cannot be written; what lay there before is whole.
    """
    sources = lake(recordings)
    presence = Presence()
    batches = chain.from_iterable(
        presence.pass_on(_remembered(read_batches(source.path), forgotten)) for source in sources
    )
    model = fit(batches, settings, provenance(sources), progress, presence)
    save_bundle(model, output, signing_key=signing_key)
    return model


def _remembered(
    batches: Iterable[WindowBatch], forgotten: Sequence[tuple[Program, int]]
) -> Iterator[WindowBatch]:
    """Leave out what is forgotten."""
    before = {program.place: before_ns for program, before_ns in forgotten}
    for batch in batches:
        ends = np.array([before.get(program.place, 0) for program in batch.programs], np.int64)
        gone = batch.t_start_ns < ends[batch.program] if len(batch) else np.zeros(0, np.bool_)
        yield batch.take(~gone) if gone.any() else batch
