"""What ``replay --what-if`` found: side by side in 80 columns, and for a machine."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from oddcall.models.durations import format_duration
from oddcall.models.window import Program
from oddcall.service.naming import shortened
from oddcall.service.quantities import Budget, number
from oddcall.service.replay.alternatives import Outcome

#: Programs shown to people.
_ROWS = 20


def as_dict(outcomes: Sequence[Outcome], said: Sequence[str]) -> dict[str, Any]:
    """Everything for a machine."""
    return {"alternatives": [_outcome(outcome) for outcome in outcomes], "notes": list(said)}


def table(outcomes: Sequence[Outcome], said: Sequence[str]) -> Iterator[str]:
    """Lay the comparison out in 80 columns: each way has a letter, a line and a column."""
    letters = [chr(ord("A") + i) for i in range(len(outcomes))]
    head = f"{'':3}{'what if':27}{'windows':>10}{'alerts':>8}{'a day':>8}{'budget':>12}"
    yield f"{head}{'alerts at p':>12}"
    for letter, outcome in zip(letters, outcomes, strict=True):
        account = outcome.account
        a_day = "-" if account.per_day is None else number(account.per_day)
        name = outcome.alternative.name
        name = name if len(name) <= 26 else f"{name[:12]}...{name[-11:]}"
        yield (
            f"{letter:3}{name:27}{account.windows:>10,}{account.alerts:>8,}{a_day:>8}"
            f"{Budget.of_day(account.budget_per_day)!s:>12}{outcome.model.threshold:>12.1e}"
        )
    yield ""
    yield from _columns("program", letters, [o.by_program for o in outcomes], by_name=False)
    days = sorted({day for outcome in outcomes for day in outcome.by_day})
    if len(days) > 1:
        yield ""
        yield from _columns("day (UTC)", letters, [o.by_day for o in outcomes], by_name=True)
    judged = outcomes[0].account
    if judged.per_day is None:
        span = format_duration(max(judged.days * 86400, 1))
        said = [f"{span} say little of a day: no rate is given below one day", *said]
    for note in said:
        yield ""
        yield textwrap.fill(note, 80)


def _columns(
    head: str, letters: Sequence[str], counts: Sequence[Counter[str]], *, by_name: bool
) -> Iterator[str]:
    """Give a row a name and a column a way; the rows with most alerts first, or by name."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    rows = sorted(total) if by_name else [name for name, _ in total.most_common(_ROWS)]
    names = rows if by_name else shortened([Program(exe) for exe in rows], 33)
    yield f"{head:34}" + "".join(f"{letter:>5}" for letter in letters)
    for row, name in zip(rows, names, strict=True):
        yield f"{name:34}" + "".join(f"{each[row]:>5,}" for each in counts)
    if not rows:
        yield "no alerts"
    if len(total) > len(rows):
        yield f"and {len(total) - len(rows)} more"


def _outcome(outcome: Outcome) -> dict[str, Any]:
    alternative = outcome.alternative
    return {
        "name": alternative.name,
        "model": outcome.model.id,
        "interval_s": alternative.interval_s,
        "threshold": outcome.model.threshold,
        **outcome.account.as_dict(),
        "by_program": dict(outcome.by_program.most_common()),
        "by_day": dict(sorted(outcome.by_day.items())),
    }
