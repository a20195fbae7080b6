"""A trained model: programs, their baselines, detectors, calibration and the alert budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from oddcall.models.baseline import Baseline, Contributions, Profiles, ProgramState
from oddcall.models.detector import Detector
from oddcall.models.features import FeatureSpec
from oddcall.models.sparse import IntArray
from oddcall.models.verdict import Verdicts
from oddcall.models.window import WindowBatch


@dataclass(frozen=True, eq=False)
class Model:
    """Judges batches. Pure: judging and explaining change nothing, here or elsewhere.

    Attributes
    ----------
    spec : FeatureSpec
    programs : tuple of ProgramState
        Every program seen in training.
    profiles : Profiles
        ``profiles[i]`` is the Baseline with that number.
    detectors : tuple of Detector
    budget_per_day : float
        Alerts a day the user is willing to see from this host.
    expected_alerts_per_day : float
        What training promises: at or below the budget, unless ``warnings`` says why not.
    threshold : float
        p-value at or below which a window alerts.
    warnings : tuple of str
        Where a baseline is too small to promise anything, one sentence each.
    metadata : dict of str
        Provenance: host, span, versions, settings.
    """

    spec: FeatureSpec
    programs: tuple[ProgramState, ...]
    profiles: Profiles
    detectors: tuple[Detector, ...]
    budget_per_day: float
    expected_alerts_per_day: float
    threshold: float
    warnings: tuple[str, ...]
    metadata: dict[str, str]

    @property
    def id(self) -> str:
        """Short name of exactly this model: a hash over all it learned."""
        raise NotImplementedError

    @property
    def manifest(self) -> dict[str, Any]:
        """The part of ``state`` that is JSON."""
        return self.state()[0]

    def judge(self, batch: WindowBatch) -> Verdicts:
        """Judge every window of a batch."""
        raise NotImplementedError

    def profile_for(self, batch: WindowBatch) -> tuple[IntArray, NDArray[np.str_]]:
        """Profile that judges each window, (n,), -1 for none, and its level, (n,)."""
        raise NotImplementedError

    def baseline_for(self, batch: WindowBatch, row: int) -> Baseline | None:
        """Baseline that one window is held against; None for an unknown program."""
        raise NotImplementedError

    def contributions(self, batch: WindowBatch, row: int) -> Contributions:
        """Say which features drove the verdict on one window, all of them, largest first."""
        raise NotImplementedError

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Everything, as a JSON manifest and plain arrays (no object arrays), for a bundle."""
        raise NotImplementedError

    @classmethod
    def from_state(cls, manifest: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Build the model that ``state`` was taken from; raises BundleError if it cannot."""
        raise NotImplementedError
