"""A model to a bundle and back, tried out before anybody judges by it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from oddcall.models.budget import LAXEST
from oddcall.models.bundle.archive import read_archive, write_archive
from oddcall.models.errors import BundleError, EvidenceError
from oddcall.models.model import Model
from oddcall.models.sparse import Sparse
from oddcall.models.window import CALLS, WindowBatch

#: What a model whose parts do not fit together raises when it is built or first used.
_UNFIT = (ArithmeticError, AttributeError, EvidenceError, LookupError, TypeError, ValueError)


def save_bundle(model: Model, path: Path | str, *, signing_key: bytes | None = None) -> None:
    """Write a model whole or not at all; a bundle that was there before is replaced.

    Parameters
    ----------
    signing_key : bytes, optional
        Ed25519 private key, PEM, as ``openssl genpkey -algorithm ed25519`` makes it.

    Raises
    ------
    StorageError
        When the disk is full or the place cannot be written; the old bundle is whole.
    SettingError
        When the key is none, or the extra ``signing`` is not installed.
    """
    manifest, arrays = model.state()
    write_archive(path, manifest, arrays, signing_key=signing_key)


def load_bundle(path: Path | str, *, trusted_keys: Sequence[bytes] = ()) -> Model:
    """Read a model, checking every hash and that its parts fit together.

    Parameters
    ----------
    trusted_keys : sequence of bytes, optional
        Ed25519 public keys, PEM. When given, one of them must have signed the bundle.

    Raises
    ------
    BundleError
        When the file is missing, foreign, damaged, of another schema, or not signed by a
        trusted key.
    SettingError
        When a trusted key is none, or the extra ``signing`` is not installed.
    """
    archive = read_archive(path, trusted_keys=trusted_keys)
    try:
        model = Model.from_state(archive.manifest, archive.arrays)
        _require_sense(model)
        _try_out(model)
    except _UNFIT as error:
        raise BundleError(
            f"the model in {path} does not fit together",
            expected="a model written by oddcall train",
            got=(str(error).splitlines() or [type(error).__name__])[0].rstrip("."),
            fix="Copy it anew from where it was made, or train anew.",
        ) from error
    return model


def _require_sense(model: Model) -> None:
    """Refuse what no training gives: with such a threshold all would alert, or nothing ever."""
    if not 0 < model.budget_per_day < np.inf:
        raise ValueError(f"a budget of {model.budget_per_day:g} a day, not above 0")
    if not 0 < model.threshold <= LAXEST:
        raise ValueError(f"a threshold of {model.threshold:g}, not above 0 up to {LAXEST:g}")
    if not 0 <= model.sequence_threshold <= LAXEST:
        raise ValueError(
            f"a threshold for sums of {model.sequence_threshold:g}, not from 0 to {LAXEST:g}"
        )
    if not 0 <= model.expected_alerts_per_day < np.inf:
        raise ValueError(f"{model.expected_alerts_per_day:g} alerts a day expected")


def _try_out(model: Model) -> None:
    """Judge a window of every program: hashes say nothing of arrays that were made not to fit."""
    if not model.detectors:
        raise ValueError("no detector")
    programs = tuple(state.program for state in model.programs)
    n = len(programs)
    calls = np.zeros((n, CALLS), np.int64)
    calls[:, :2] = 1
    batch = WindowBatch.of(
        programs=programs,
        pid=np.arange(n),
        program=np.arange(n),
        observed_s=np.ones(n),
        syscalls=Sparse.from_dense(calls),
    )
    verdicts = model.judge(batch)
    if not (np.isfinite(verdicts.score).all() and np.isfinite(verdicts.p_value).all()):
        raise ValueError("a score that is not a finite number")
    profiles = np.unique(verdicts.profile[verdicts.profile >= 0])
    groups = model.calibration.group[profiles]
    if not np.isfinite(model.calibration.sequence.p_values(np.ones(len(groups)), groups)).all():
        raise ValueError("a sum whose chance is not a finite number")
    for profile in profiles.tolist():
        model.profiles[profile].typical(np.zeros(1, np.int64))
    kept = model.profiles.exemplars
    if any(
        column.shape != kept.vectors.shape[:1]
        for column in (kept.t_start_ns, kept.t_end_ns, kept.pid, kept.n_events)
    ):
        raise ValueError("typical windows and their times of other numbers")
