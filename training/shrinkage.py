"""How far a mean of few values may stray by chance: short traces must not look odd for that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from oddcall.models.features import FloatArray


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """The usual mean, and the variance about it: one part of every trace, one that falls with n.

    Attributes
    ----------
    usual : float
    between, within : float
        A mean of n values has the variance ``between + within / n``.
    """

    usual: float
    between: float
    within: float

    @classmethod
    def of(cls, means: FloatArray, counts: FloatArray) -> Shrinkage:
        """Fit by least squares, neither part below nothing.

        Parameters
        ----------
        means : float64 (n,)
            Of clean traces.
        counts : float64 (n,)
            Values that each is the mean of, at least 1.
        """
        usual = float(np.average(means, weights=np.sqrt(counts)))
        square = (means - usual) ** 2
        # Without a weight the few shortest traces would decide everything.
        weight = 1 / (1 / counts + 0.05)
        terms = np.stack([np.ones(len(counts)), 1 / counts], axis=1)
        between, within = nnls(terms * weight[:, None], square * weight)[0]
        return cls(usual, max(float(between), 1e-9), max(float(within), 1e-9))

    def scores(self, means: FloatArray, counts: FloatArray) -> FloatArray:
        """Say how many standard deviations each mean is above the usual one, (n,)."""
        score: FloatArray = (means - self.usual) / np.sqrt(self.between + self.within / counts)
        return score
