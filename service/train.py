"""``train``: from recordings of clean time to a bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from oddcall.models.bundle import save_bundle
from oddcall.models.errors import RecordingError
from oddcall.training.fit import FitSettings, fit
from oddcall.training.recording import read_batches, read_metadata

if TYPE_CHECKING:
    from oddcall.models.model import Model

#: What recordings must share for their windows to mean the same.
_SHARED = ("arch", "hash_seed")


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
    metadata = [read_metadata(recording) for recording in recordings]
    _check_alike(recordings, metadata)
    batches = chain.from_iterable(read_batches(recording) for recording in recordings)
    model = fit(batches, settings, metadata[0], progress)
    save_bundle(model, output)
    return model


def _check_alike(recordings: Sequence[Path], metadata: Sequence[dict[str, str]]) -> None:
    for recording, told in zip(recordings, metadata, strict=True):
        for key in _SHARED:
            if told.get(key) != metadata[0].get(key):
                raise RecordingError(
                    f"{recording} cannot be trained on together with {recordings[0]}",
                    expected=f"{key} {metadata[0].get(key)}",
                    got=f"{told.get(key)}",
                    fix="Train a model for each of them.",
                )
