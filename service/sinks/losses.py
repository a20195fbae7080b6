"""How many alerts a queue had to drop, why, and how many of them have been told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Losses:
    """Alerts dropped, by why.

    Attributes
    ----------
    full : int
        The queue was full.
    refused : int
        The other side would not have them while it took others.
    """

    full: int = 0
    refused: int = 0

    def __add__(self, other: Losses) -> Self:
        return type(self)(self.full + other.full, self.refused + other.refused)

    def __sub__(self, other: Losses) -> Self:
        return type(self)(self.full - other.full, self.refused - other.refused)

    def __bool__(self) -> bool:
        return self.full > 0 or self.refused > 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.full + self.refused

    def as_dict(self) -> dict[str, int]:
        """Give the numbers by name."""
        return asdict(self)


class Toll:
    """Losses of one queue: all, and those that whoever reads the alerts knows of."""

    def __init__(self, lost: Losses | None = None, told: Losses | None = None) -> None:
        self.lost = lost or Losses()
        self.told = told or Losses()

    @property
    def untold(self) -> Losses:
        """Those nobody has been told of."""
        return self.lost - self.told
