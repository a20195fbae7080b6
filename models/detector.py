"""What every detector promises: two verbs, one direction, plain arrays.

A detector holds one **profile** per baseline, so that a batch whose windows belong to many
programs is scored in one pass over columns. Who judges a single population leaves ``profile``
out: everything then belongs to profile 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from oddcall.models.errors import EvidenceError
from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray

State = dict[str, NDArray[np.generic]]
#: Known behaviour in other proportions, or behaviour never seen. Detectors of one kind rise
#: together on clean data: ``calibration`` joins them before it joins the kinds.
Evidence = Literal["mixture", "novelty"]


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed of the tail of a detector's clean scores before any was seen.

    Parameters
    ----------
    scale : float
        Mean excess over a high quantile, in the units of the score.
    weight : float
        Observed excesses the prior counts as much as.
    shape : float, default 0.0
        Of the generalised Pareto: 0 is exponential, larger is heavier. Never lighter than this.
    resolution : float, default 0.0
        A score that exceeds another by no more than this is as large. A steady program's windows
        differ by rounding, and by what its baseline has moved since: that is no evidence.
    """

    scale: float
    weight: float
    shape: float = 0.0
    resolution: float = 0.0


@runtime_checkable
class Detector(Protocol):
    """Scores windows against what was learned. Higher is more unusual, always.

    Attributes
    ----------
    name : str
        Key of the detector in verdicts, in alerts and in a bundle.
    evidence : {"mixture", "novelty"}
        Known behaviour in other proportions, or behaviour never seen.
    prior : Prior
    """

    name: ClassVar[str]
    evidence: ClassVar[Evidence]
    prior: ClassVar[Prior]

    @property
    def ready(self) -> bool:
        """Whether it has learned; scoring before that raises EvidenceError, never gives 0."""

    def fit(self, vectors: csr_matrix, profile: IntArray | None = None) -> Self:
        """Learn from clean vectors.

        Parameters
        ----------
        vectors : float32 CSR (n, D)
        profile : int64 (n,), optional
            Profile each row belongs to; profiles are 0 to the largest, none left out.

        Returns
        -------
        This detector, ready.
        """

    def score(self, vectors: csr_matrix, profile: IntArray | None = None) -> FloatArray:
        """Score each row against its profile, float64 (n,), finite. Changes nothing.

        Raises
        ------
        EvidenceError
            Before ``fit``, or for a profile that was not in it.
        """

    def state(self) -> State:
        """Everything learned, as plain arrays."""

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Build the detector that ``state`` was taken from."""


def profiles_of(n: int, profile: IntArray | None) -> IntArray:
    """Profile of each of n rows: the one given, or 0 for all."""
    return np.zeros(n, np.int64) if profile is None else np.asarray(profile, np.int64)


def require_ready(name: str, known: int, profile: IntArray) -> None:
    """Raise EvidenceError unless every profile asked for is among the ``known`` first."""
    if known and (not len(profile) or (profile.min() >= 0 and profile.max() < known)):
        return
    asked = int(profile.max()) if known and len(profile) else -1
    raise EvidenceError(
        f"the detector {name} has no baseline to score against",
        expected="a detector that was fitted" if not known else f"profiles 0 to {known - 1}",
        got="one that was not" if not known else f"profile {asked}",
        fix="Fit it on clean windows first.",
    )
