"""Notebooks run from top to bottom as they stand."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

NOTEBOOKS = sorted(Path(__file__).parents[2].glob("notebooks/*.py"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, capsys: pytest.CaptureFixture[str]):
    """Every cell runs, and what it says of its own data is true."""
    found = runpy.run_path(str(path))
    said = capsys.readouterr().out
    assert "windows" in said
    if path.stem == "baseline":
        assert found["false_alerts"] == 0
        assert all(found["found"][name] for name in ("shell", "scan", "rewrite"))
