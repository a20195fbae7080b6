"""What doctor says of the host: true on this one, and plain where something lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from oddcall.sensor import checks


@pytest.mark.kernel
def test_this_host_can_run_the_sensor():
    """Every check of a host that runs the tests is well, and the program really loads."""
    found = {check.name: check for check in checks.checks()}
    assert {name for name, check in found.items() if not check.ok} == set()
    assert "counts" in found["program"].detail


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
