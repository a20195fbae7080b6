"""What one window did, call by call, beside what its baseline does.

These are the facts an explanation is made of. Shares are of all events of the window, or of
all its transitions where they are of transitions.
"""

from __future__ import annotations

from dataclasses import dataclass

from oddcall.models.peaks import DOUBLINGS, LEAST

Typical = tuple[float, float, float]

#: A known call is in excess when its share passes its 95 % quantile this many times over,
EXCESS = 2.0
#: and it was made at least this often: a few calls more prove little.
EXCESS_COUNT = 10


@dataclass(frozen=True, slots=True)
class Call:
    """One kind of call in the window.

    Attributes
    ----------
    name : str
        For people: ``"connect"``, ``"32-bit open"``, ``"io_uring connect"``.
    plain : str
        The same without how it was made.
    count, failed : int
        Failures are counted for native calls only.
    share, failed_share : float
        Of all events of the window.
    typical, failed_typical : q05, q50, q95 of those shares in the baseline
    novel, novel_failure : bool
        Made, or failing, though never so in the baseline.
    contribution : float
        Share of the verdict, with that of its failures and of the transitions it explains.
    failing_contribution : float
        The part of it that its failures bring.
    most : int
        Largest count in any one window of the baseline; 0 where that is not known.
    """

    name: str
    plain: str
    count: int
    failed: int
    share: float
    failed_share: float
    typical: Typical
    failed_typical: Typical
    novel: bool
    novel_failure: bool
    contribution: float
    failing_contribution: float = 0.0
    most: int = 0

    @property
    def excess(self) -> bool:
        """Known, but far more of it than usual."""
        return (
            not self.novel and self.count >= EXCESS_COUNT and self.share > EXCESS * self.typical[2]
        )

    @property
    def beyond(self) -> bool:
        """Known, and many times as often as in any window of the baseline."""
        return self.most > 0 and self.count > 2**DOUBLINGS * max(self.most, LEAST)

    @property
    def failing(self) -> bool:
        """Failing as it never or hardly ever did."""
        return self.novel_failure or (
            self.failed >= EXCESS_COUNT and self.failed_share > EXCESS * self.failed_typical[2]
        )

    @property
    def unusual(self) -> bool:
        """Never made in the baseline, or far more of it than usual."""
        return self.novel or self.excess


@dataclass(frozen=True, slots=True)
class Transition:
    """One call after another, where neither by itself explains it.

    ``pair`` is ``("openat", "read")``, or ``None`` where the window's calls do not decode it.
    """

    bucket: int
    pair: tuple[str, str] | None
    count: int
    share: float
    typical: Typical
    novel: bool
    contribution: float

    @property
    def unusual(self) -> bool:
        """Never made in the baseline, or far more of it than usual."""
        return self.novel or (self.count >= EXCESS_COUNT and self.share > EXCESS * self.typical[2])


@dataclass(frozen=True, slots=True)
class Scalar:
    """One number about the whole window, in its own unit; ``name`` as in ``SCALARS``."""

    name: str
    observed: float
    typical: Typical
    contribution: float

    @property
    def unusual(self) -> bool:
        """Outside of nine windows in ten."""
        return not self.typical[0] <= self.observed <= self.typical[2]


@dataclass(frozen=True, slots=True)
class Observation:
    """The window beside its baseline; each list with the largest contribution first."""

    events: int
    seconds: float
    calls: tuple[Call, ...]
    transitions: tuple[Transition, ...]
    scalars: tuple[Scalar, ...]
