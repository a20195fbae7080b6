"""What doctor says of the host: true on this one, and plain where something lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from oddcall.models.errors import KernelError
from oddcall.sensor import checks


class Broken:
    """A loader that never loads."""

    name = "broken"

    def load(self, *_sizes: object) -> None:
        raise KernelError("it is broken", got="nothing", fix="Mend it.")

    def close(self) -> None:
        """Nothing was opened."""


@pytest.mark.kernel
def test_this_host_can_run_the_sensor():
    """Every check of a host that runs the tests is well, and the program really loads."""
    found = {check.name: check for check in checks.checks()}
    assert {name for name, check in found.items() if not check.ok} == set()
    assert "counts" in found["program"].detail


@pytest.mark.kernel
def test_each_loader_says_what_it_would_do(monkeypatch: pytest.MonkeyPatch):
    """A loader that cannot be used is told and is no failure while the other works."""
    found = {check.name: check for check in checks.checks()}
    assert "auto takes it" in found["loader bcc"].detail
    assert "auto prefers bcc" in found["loader core"].detail
    monkeypatch.setitem(checks.LOADERS, "bcc", Broken)
    found = {check.name: check for check in checks.checks()}
    assert all(check.ok for check in found.values())
    assert "cannot be used here: it is broken" in found["loader bcc"].detail
    assert "auto takes it" in found["loader core"].detail
    assert "core" in found["program"].detail


def test_no_loader_at_all_is_a_failure_with_a_remedy(monkeypatch: pytest.MonkeyPatch):
    """Where neither loader works, each says why and what to type, and so does the whole."""
    for name in checks.LOADERS:
        monkeypatch.setitem(checks.LOADERS, name, Broken)
    found = {check.name: check for check in checks.checks()}
    for name in ("loader bcc", "loader core", "program"):
        assert not found[name].ok
        assert found[name].fix


def test_each_failing_check_says_what_to_do(tmp_path: Path):
    """A check that fails carries its remedy; one that is well carries none."""
    (tmp_path / "sys/net/core").mkdir(parents=True)
    (tmp_path / "sys/net/core/bpf_jit_enable").write_text("0\n")
    (tmp_path / "kernel/security").mkdir(parents=True)
    (tmp_path / "kernel/security/lockdown").write_text("none integrity [confidentiality]\n")
    found = {check.name: check for check in checks.checks(proc=tmp_path, sys=tmp_path)}
    assert not found["JIT"].ok
    assert not found["lockdown"].ok
    for check in found.values():
        assert bool(check.fix) != check.ok, check
