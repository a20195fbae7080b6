"""Promises about mistakes of our own, and about signals."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from oddcall.service import failure
from oddcall.service.signals import stopping


def test_a_report_goes_where_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the state directory cannot be written, the temporary one takes the report."""
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(failure.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    error = failure.report_mistake(ValueError("odd \udcff"), tmp_path / "file")
    (report,) = (tmp_path / "temporary").iterdir()
    assert str(report) in str(error)
    assert "ValueError" in report.read_text()
    monkeypatch.setattr(failure.tempfile, "gettempdir", lambda: str(tmp_path / "file" / "x"))
    error = failure.report_mistake(ValueError(), tmp_path / "file")
    assert "could not be written anywhere" in str(error)


def test_a_report_needs_no_temporary_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no temporary directory can be used, the report is in the state directory."""
    monkeypatch.setattr(failure.tempfile, "tempdir", None)
    monkeypatch.setattr(failure.tempfile, "_candidate_tempdir_list", list)
    error = failure.report_mistake(ValueError("odd"), tmp_path)
    (report,) = (tmp_path / "reports").iterdir()
    assert str(report) in str(error)
    (tmp_path / "file").write_text("")
    error = failure.report_mistake(ValueError("odd"), tmp_path / "file")
    assert "could not be written anywhere" in str(error)


def test_the_first_signal_asks_and_the_second_interrupts() -> None:
    """Ctrl-C once ends cleanly; twice ends what hangs; afterwards signals are as before."""
    asked: list[bool] = []
    before = signal.getsignal(signal.SIGTERM)

    def twice() -> None:
        with stopping(lambda: asked.append(True)):
            os.kill(os.getpid(), signal.SIGTERM)
            assert asked == [True]
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        twice()
    assert asked == [True]
    assert signal.getsignal(signal.SIGTERM) is before
