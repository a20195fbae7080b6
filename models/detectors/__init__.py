"""Detectors, one a file. A new one is listed here, and the generic checks run over it."""

from __future__ import annotations

from oddcall.models.detector import Detector
from oddcall.models.detectors.half_space_trees import HalfSpaceTrees
from oddcall.models.detectors.novelty import Novelty
from oddcall.models.detectors.pca_residual import PcaResidual

#: Name -> class of every detector a bundle may hold.
DETECTORS: dict[str, type[Detector]] = {
    kind.name: kind for kind in (PcaResidual, HalfSpaceTrees, Novelty)
}

__all__ = ["DETECTORS", "HalfSpaceTrees", "Novelty", "PcaResidual"]
