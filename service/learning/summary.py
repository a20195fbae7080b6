"""What a model holds, for people and for machines: the table that ``train`` prints."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from oddcall.models.budget import cannot_tell
from oddcall.models.durations import format_duration
from oddcall.models.verdict import JUDGED_BY
from oddcall.service.alerts.alert import iso
from oddcall.service.judgeable import PARTLY
from oddcall.service.naming import shortened
from oddcall.service.quantities import Budget, counted, number, rounded

if TYPE_CHECKING:
    from oddcall.models.baseline import ProgramState
    from oddcall.models.model import Model


#: Columns of a program's name: with all figures a row has 80.
_NAME = 20


def headline(model: Model) -> str:
    """Say what a model is in one line."""
    ready = sum(program.readiness == "ready" for program in model.programs)
    return (
        f"model {model.id[:12]}: {counted(len(model.programs), 'program')}, {ready} ready; "
        f"expects {_rate(model)}, budget {Budget.of_day(model.budget_per_day)}{_reserve(model)}"
    )


def not_learned(model: Model, file: Path | None, folder: Path) -> str:
    """Say why a watch that was asked to learn does not: a model was named, or is kept."""
    if file is not None:
        return f"--learn is not used: {file} judges, as --model names it"
    ended_ns = max((known.last_ns for known in model.programs), default=0)
    age = format_duration(max(round(time.time() - ended_ns / 1e9), 0))
    return (
        f"--learn is not used: this host was learned, of windows up to {age} ago, "
        f"kept in {folder}; --relearn learns it anew"
    )


def table(model: Model, most: int = 40) -> Iterator[str]:
    """Lay out what is known of at most so many programs, the best known first."""
    programs = sorted(model.programs, key=lambda p: (-p.windows, p.program.exe))
    names = shortened([program.program for program in programs], _NAME)
    width = max([7, *map(len, names)])
    alerts = f"alerts/{Budget.of_day(model.budget_per_day).per}"
    yield (
        f"{'program':<{width}} {'windows':>8}  {'state':<10}  {'judged by':<16}  {'least p':>7}"
        f" {alerts:>11}"
    )
    for name, program in list(zip(names, programs, strict=True))[:most]:
        judged = JUDGED_BY[program.judged_by(model.calibration)]
        least = smallest_p(model, program)
        yield (
            f"{name:<{width}} {program.windows:>8,}  {program.readiness:<10}  {judged:<16}  "
            f"{'' if least is None else number(least):>7}"
            f" {_small(_by_budget(model, program.expected_alerts_per_day)):>11}"
        )
    if len(programs) > most:
        yield f"and {len(programs) - most} more"
    if programs:
        yield "least p: the smallest p-value that counting can tell; below it is extrapolated"


def smallest_p(model: Model, known: ProgramState) -> float | None:
    """Say how far the evidence on a program reaches.

    Returns
    -------
    1 / (n + 1), where n independent clean windows stand behind its p-values; None where none do.
    """
    n = model.calibration.independent(known.profile)
    return 1 / (n + 1) if n else None


def _small(rate: float) -> str:
    """Write a program's share of the budget: one that is not none is not written as none."""
    return "<0.001" if 0 < rate < 0.001 else number(rate)


def _by_budget(model: Model, per_day: float) -> float:
    """Count alerts a day by the time that the budget is said by."""
    budget = Budget.of_day(model.budget_per_day)
    return per_day * budget.count / budget.per_day


def warned(model: Model) -> list[str]:
    """Give what the model cannot promise as lines of 80 columns."""
    texts = [f"warning: {text}" for text in model.warnings]
    return [line for text in texts for line in wrap(text, 80, subsequent_indent="  ")]


def as_dict(model: Model) -> dict[str, Any]:
    """Give the same for a machine."""
    return {
        "id": model.id,
        "budget_per_day": rounded(model.budget_per_day),
        "expected_alerts_per_day": rounded(model.expected_alerts_per_day),
        "programs": [_program(model, program) for program in model.programs],
        "warnings": list(model.warnings),
    }


def _program(model: Model, known: ProgramState) -> dict[str, Any]:
    least = smallest_p(model, known)
    return {
        "exe": known.program.exe,
        "unit": known.program.unit or None,
        "container": known.program.container or None,
        "windows": known.windows,
        "trained_span": {"start": iso(known.first_ns), "end": iso(known.last_ns)},
        "state": known.readiness,
        "judged_by": known.judged_by(model.calibration),
        "independent_windows": model.calibration.independent(known.profile),
        "smallest_p": None if least is None else rounded(least),
        "expected_alerts_per_day": rounded(known.expected_alerts_per_day),
    }


def span_s(model: Model) -> float:
    """Seconds of the lesson: without the holes in it, where the model says so."""
    if lasted := float(model.metadata.get("lasted_s") or 0):
        return lasted
    first = min((p.first_ns for p in model.programs), default=0)
    last = max((p.last_ns for p in model.programs), default=0)
    return (last - first) / 1e9


def trained_on(model: Model) -> str:
    """Say what a model was trained on, in one line."""
    windows = sum(program.windows for program in model.programs)
    unnamed = int(model.metadata.get("windows_without_program", 0))
    without = f" ({unnamed:,} more left out, {PARTLY})" if unnamed else ""
    return (
        f"{counted(len(model.programs), 'program')}, {counted(windows, 'window')}{without} over "
        f"{format_duration(max(span_s(model), 1))}; expects {_rate(model)}, "
        f"budget {Budget.of_day(model.budget_per_day)}{_reserve(model)}"
    )


def _reserve(model: Model) -> str:
    """Say after the rate that it is no more than a guess; nothing where it is more."""
    able = sum(
        known.can_alert and model.calibration.ready(known.profile) for known in model.programs
    )
    why = cannot_tell(span_s(model), able, len(model.programs))
    return f"; {why}: that rate is a guess" if why else ""


def _rate(model: Model) -> str:
    """Say the expected rate by the time that the budget is said by, to be held against it."""
    budget = Budget.of_day(model.budget_per_day)
    rate = number(_by_budget(model, model.expected_alerts_per_day))
    of = "an hour" if budget.per == "hour" else f"a {budget.per}"
    return f"{rate} false {'alert' if rate == '1' else 'alerts'} {of}"
