"""Detectors, one a file. A new one is listed here, and the generic checks run over it."""

from __future__ import annotations

from oddcall.models.detector import Detector
from oddcall.models.detectors.nearest import Nearest
from oddcall.models.detectors.novelty import Novelty
from oddcall.models.detectors.pca_residual import PcaResidual

#: Name -> class of every detector a bundle may hold.
DETECTORS: dict[str, type[Detector]] = {kind.name: kind for kind in (PcaResidual, Nearest, Novelty)}

__all__ = ["DETECTORS", "Nearest", "Novelty", "PcaResidual"]
