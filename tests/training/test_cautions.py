"""Promises of what training says that it cannot promise."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.models.window import WindowBatch
from oddcall.training.fit import FitSettings, fit
from oddcall.training.synthetic import REDIS, window

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
