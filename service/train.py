"""``train``: from recordings of clean time to a bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oddcall.models.bundle import save_bundle
from oddcall.training.fit import FitSettings, fit
from oddcall.training.lake import lake, read_lake

if TYPE_CHECKING:
    from oddcall.models.model import Model


def train(
    recordings: Sequence[Path],
    output: Path,
    settings: FitSettings,
    progress: Callable[[str, float], None],
) -> Model:
    """Fit a model on recordings, oldest first, and save it.

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
    batches = (batch for _, batch in read_lake(sources))
    model = fit(batches, settings, sources[0].metadata, progress)
    save_bundle(model, output)
    return model
