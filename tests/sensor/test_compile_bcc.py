"""BCC compiles in a process of its own: what comes over, what stays there, and what goes wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from oddcall.models.errors import KernelError
from oddcall.sensor import compile_bcc
from oddcall.sensor.compile_bcc import Request, compile_apart
from oddcall.sensor.probe import Probe, ProbeSettings


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.kernel
def test_a_process_that_counts_with_bcc_holds_no_compiler():
    """LLVM, Clang and BCC are gone once the program is in the kernel."""
    with Probe(ProbeSettings(slots=64, loader="bcc")) as probe:
        held = Path("/proc/self/maps").read_text()
        assert probe.loader == "bcc"
    assert "bpf-map" in held
    assert not [name for name in ("LLVM", "libclang", "libbcc") if name in held]


@pytest.mark.kernel
def test_nothing_stays_open_after_closing():
    """Every descriptor that the compiling process handed over is closed with the probe."""
    before = open_files()
    for _ in range(2):
        with Probe(ProbeSettings(slots=64, loader="bcc")) as probe:
            assert open_files() > before
        del probe
    assert open_files() == before


@pytest.mark.kernel
def test_a_compiler_that_refuses_is_quoted():
    """What Clang says is wrong is in the error, and so is what else to try."""
    with pytest.raises(KernelError, match=r"cannot compile.*error:.*--loader core"):
        compile_apart(Request(["-DOC_SLOTS=64"], ["heads"], ["on_exit"], {}))


def test_a_compiler_that_dies_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch):
    """The child's end without an answer is no traceback and no endless wait."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(KernelError, match="exit code 1"):
        compile_apart(Request([], [], [], {}))


def test_bindings_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Without the distribution's package the error says what to install."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(compile_bcc, "BINDINGS", tmp_path)
    with pytest.raises(KernelError, match="apt-get install python3-bpfcc"):
        compile_bcc.import_bcc()


def test_another_package_named_bcc_is_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """PyPI's bcc is another project: it is not used, and the error says what to remove."""
    (tmp_path / "bcc.py").write_text("")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "bcc", raising=False)
    with pytest.raises(KernelError, match="pip uninstall bcc"):
        compile_bcc.import_bcc()
    monkeypatch.delitem(sys.modules, "bcc", raising=False)
