"""Promises of what training says that it cannot promise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oddcall.models.budget import SHORT_S
from oddcall.models.window import Program, WindowBatch
from oddcall.training.fit import FitSettings, fit
from oddcall.training.synthetic import REDIS, WEB, window

#: Of one program, more than are kept of it.
WINDOWS, KEPT = 2000, 300


@pytest.fixture(scope="module")
def ticks() -> list[WindowBatch]:
    random = np.random.default_rng(0)
    return [window(REDIS, REDIS.walk(100, random), second=i) for i in range(WINDOWS)]


@pytest.mark.parametrize(("asked", "extrapolated"), [(1e-6, True), (1 / 300, True), (1e-2, False)])
def test_what_is_extrapolated_is_told_by_what_was_calibrated_on(
    ticks: list[WindowBatch], asked: float, extrapolated: bool
) -> None:
    """Independent windows that were kept are what counts, however many were seen."""
    # A fifth of the budget is for sums, and a day of these is 86,400 windows.
    per_day = asked * 86_400 / 0.8
    model = fit(ticks, FitSettings(budget_per_day=per_day, windows_per_program=KEPT))
    most = model.calibration.total.effective[0]
    assert most < KEPT
    said = f"asks for p-values of {model.threshold:.1e}; {most:.0f} independent windows"
    assert any(said in text for text in model.warnings) == extrapolated
    assert any("extrapolated" in text for text in model.warnings) == extrapolated


@pytest.mark.parametrize(("seconds", "told"), [(60, True), (SHORT_S - 2, True), (SHORT_S, False)])
def test_a_lesson_of_seconds_does_not_tell_what_to_expect(
    ticks: list[WindowBatch], seconds: float, told: bool
) -> None:
    """The rate that is expected is called a guess, with what to do; after ten minutes no more."""
    model = fit(ticks[: int(seconds)])
    said = [text for text in model.warnings if text.startswith("The rate of false alerts")]
    assert bool(said) == told
    for text in said:
        assert "is a guess: so short a recording cannot tell. Learn from ten minutes" in text


@pytest.mark.parametrize(
    ("seconds", "every", "lasted", "shown"),
    [
        (180, 1, "3m", ()),
        (600, 1, "10m", ("every five minutes",)),
        (1200, 12, "3h59m", ("every five minutes", "hourly")),
        (1800, 96, "", ("every five minutes", "hourly", "at night")),
    ],
)
def test_what_a_lesson_is_too_short_for_is_told(
    ticks: list[WindowBatch],
    seconds: int,
    every: int,
    lasted: str,
    shown: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What comes round more seldom than a lesson is long is named, and how long it should be."""
    # Two days in few windows: a host that is watched has one every second.
    monkeypatch.setattr("oddcall.training.presence._LONGEST_NS", every * 10**9)
    stretched = [
        replace(
            batch,
            t_start_ns=batch.t_start_ns + number * (every - 1) * 10**9,
            t_end_ns=batch.t_end_ns + number * (every - 1) * 10**9,
        )
        for number, batch in enumerate(ticks[:seconds])
    ]
    said = [text for text in fit(stretched).warnings if text.startswith("The lesson of")]
    assert len(said) == bool(lasted)
    for text in said:
        assert text.startswith(f"The lesson of {lasted} has not shown ")
        assert "twice as long as what is to be usual takes" in text
        told = {word for word in ("every five minutes", "hourly", "at night") if word in text}
        assert told == {"every five minutes", "hourly", "at night"} - set(shown)


def test_where_most_programs_cannot_alert_the_rate_is_a_guess(ticks: list[WindowBatch]) -> None:
    """However long the lesson: of one that can and three that cannot there is no telling."""
    random = np.random.default_rng(0)
    few = [
        window(replace(WEB, program=Program(f"/opt/{n}", 1, n)), WEB.walk(200, random), second=n)
        for n in range(1, 4)
    ]
    model = fit([*ticks, *few])
    (said,) = (text for text in model.warnings if text.startswith("The rate of false alerts"))
    assert "is a guess: with 1 of 4 programs able to alert nobody can tell. " in said


def test_a_hole_in_a_lesson_is_no_lesson(ticks: list[WindowBatch]) -> None:
    """Five minutes, and five more of the next day, have not shown what comes at night."""
    day_ns = 86_400 * 10**9
    later = [
        replace(batch, t_start_ns=batch.t_start_ns + day_ns, t_end_ns=batch.t_end_ns + day_ns)
        for batch in ticks[300:600]
    ]
    (said,) = (t for t in fit([*ticks[:300], *later]).warnings if t.startswith("The lesson of"))
    assert said.startswith("The lesson of 10m59s has not shown ")
    assert "a backup at night" in said
