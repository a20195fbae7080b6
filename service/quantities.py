"""Numbers and budgets as people write them: ``2,000 alerts``, ``1/day``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal

_BUDGET = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(hour|day|week)")
_PER_DAY = {"hour": 24.0, "day": 1.0, "week": 1 / 7}
#: Alerts a day that a model can be trained for.
LEAST_PER_DAY, MOST_PER_DAY = 1e-6, 1e6
#: What a budget may be, for who typed something else.
BUDGETS = (
    "a number of alerts per hour, day or week, such as 1/day, or 0.1/week for very few "
    "(from 0.000001/day to 1000000/day)"
)


def rounded(value: float) -> float:
    """Keep six digits: what a reader can use, and no noise of the last bit."""
    return float(f"{value:.6g}")


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: ``"1 alert"``, ``"2,000 alerts"``, ``"3 processes"``."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def number(value: float) -> str:
    """Write a rate with two figures: ``"0.25"``, ``"1,300"``."""
    if value >= 100:
        return f"{float(f'{value:.2g}'):,.0f}"
    return f"{value:.2g}"


@dataclass(frozen=True, slots=True)
class Budget:
    """How many false alerts a person is willing to read.

    Attributes
    ----------
    count : float
        Alerts, above zero.
    per : str
        ``"hour"``, ``"day"`` or ``"week"``.
    """

    count: float
    per: str

    @classmethod
    def parse(cls, text: str) -> Budget:
        """Read ``"5/week"``; raises ValueError for anything else, and for what is out of bounds."""
        found = _BUDGET.fullmatch(text.strip())
        budget = cls(float(found[1]), found[2]) if found else None
        if budget is None or not LEAST_PER_DAY <= budget.per_day <= MOST_PER_DAY:
            raise ValueError(f"not a budget: {text!r}")
        return budget

    @classmethod
    def of_day(cls, per_day: float) -> Budget:
        """Name alerts a day as people say them: by the week or hour where only that is round."""
        for per, size in (("day", 1.0), ("week", _PER_DAY["week"]), ("hour", _PER_DAY["hour"])):
            count = round(per_day / size, 6)
            if math.isclose(count * size, per_day, rel_tol=1e-9):
                return cls(count, per)
        return cls(float(f"{per_day:.3g}"), "day")

    @property
    def per_day(self) -> float:
        """Alerts per host per day."""
        return self.count * _PER_DAY[self.per]

    def __str__(self) -> str:
        # Plain digits: 1e+06/day is nothing that could be typed.
        return f"{Decimal(repr(float(self.count))).normalize():f}/{self.per}"
