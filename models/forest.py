"""Random trees of axis-parallel cuts as arrays: counted by river, scored in columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from oddcall.models.features import FloatArray
from oddcall.models.sparse import IntArray


@dataclass(frozen=True)
class Forest:
    """Trees, and what each profile's windows counted in them. Nodes are in heap order.

    Attributes
    ----------
    feature : int64 (T, 2 ** h - 1)
        Coordinate each inner node cuts.
    threshold : float64 (T, 2 ** h - 1)
    reference : int64 (P, T, 2 ** (h + 1) - 1)
        Windows that passed each node during the last full window.
    latest : int64, the same shape
        Those counted since.
    window : int64 (P,)
        Windows that make a full one.
    counter : int64 (P,)
        Those counted since the last full one.
    """

    feature: IntArray
    threshold: FloatArray
    reference: IntArray
    latest: IntArray
    window: IntArray
    counter: IntArray

    @property
    def height(self) -> int:
        """Cuts from root to leaf, h."""
        return int(np.log2(self.feature.shape[1] + 1))

    @classmethod
    def stack(cls, forests: list[Forest]) -> Forest:
        """Put forests that share their cuts below each other."""
        counts = (
            np.concatenate([getattr(forest, name) for forest in forests])
            for name in ("reference", "latest", "window", "counter")
        )
        return cls(forests[0].feature, forests[0].threshold, *counts)

    @cached_property
    def leaves(self) -> FloatArray:
        """Mass that a window reaching each leaf collects on its way, (P, T, 2 ** h)."""
        limit = 0.1 * self.window[:, None, None]
        leaf = np.arange(1 << self.height)
        total = np.zeros((*self.reference.shape[:2], len(leaf)))
        going = np.ones_like(total, np.bool_)
        for depth in range(self.height + 1):
            node = (1 << depth) - 1 + (leaf >> (self.height - depth))
            mass = self.reference[:, :, node]
            total += np.where(going, mass * float(1 << depth), 0.0)
            going &= mass >= limit
        return total

    def score(self, coordinates: FloatArray, profile: IntArray) -> FloatArray:
        """Score rows of [0, 1] coordinates as river's ``score_one`` does, (n,)."""
        n, trees = len(coordinates), len(self.feature)
        inner = self.feature.shape[1]
        feature, threshold = self.feature.ravel(), self.threshold.ravel()
        flat = coordinates.ravel()
        base = np.arange(n)[:, None] * coordinates.shape[1]
        first = np.arange(trees)[None, :] * inner
        node = np.zeros((n, trees), np.int64)
        for _ in range(self.height):
            at = node + first
            right = flat.take(base + feature.take(at)) >= threshold.take(at)
            node = 2 * node + 1 + right
        leaf = node - inner
        mass = self.leaves[profile[:, None], np.arange(trees)[None, :], leaf].sum(axis=1)
        most = trees * self.window * float((1 << (self.height + 1)) - 1)
        score: FloatArray = 1.0 - mass / most[profile]
        return score
