"""Scores of all detectors at once: what several of them need is worked out once a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_matrix

from oddcall.models.detector import Detector, Evidence
from oddcall.models.detectors import Nearest, PcaResidual
from oddcall.models.features import FloatArray
from oddcall.models.projection import Placed
from oddcall.models.sparse import IntArray


def scores(
    detectors: tuple[Detector, ...], views: Mapping[Evidence, csr_matrix], profile: IntArray
) -> dict[str, FloatArray]:
    """Score a batch by every detector, each as by its own ``score``, to the bit.

    Parameters
    ----------
    detectors : tuple of Detector
    views : dict of csr_matrix (n, D)
        What detectors of each kind of evidence see of the batch.
    profile : int64 (n,)

    Returns
    -------
    By the name of the detector, float64 (n,).
    """
    places: dict[int, Placed] = {}
    found = {}
    for detector in detectors:
        vectors = views[detector.evidence]
        if isinstance(detector, PcaResidual | Nearest) and detector.subspaces is not None:
            spaces = detector.subspaces
            if id(spaces) not in places:
                places[id(spaces)] = spaces.place(vectors, profile)
            found[detector.name] = detector.score_placed(places[id(spaces)], profile)
        else:
            found[detector.name] = detector.score(vectors, profile)
    return found


def sharing(detectors: tuple[Detector, ...]) -> tuple[Detector, ...]:
    """Let detectors whose subspaces are equal hold the same ones, as they did before storage."""
    residual = next((d for d in detectors if isinstance(d, PcaResidual)), None)
    if residual is None or residual.subspaces is None:
        return detectors
    ours = residual.subspaces.state()

    def same(detector: Nearest) -> bool:
        if detector.subspaces is None:
            return False
        theirs = detector.subspaces.state()
        return all(np.array_equal(ours[name], theirs[name]) for name in ours)

    return tuple(
        replace(d, subspaces=residual.subspaces) if isinstance(d, Nearest) and same(d) else d
        for d in detectors
    )
