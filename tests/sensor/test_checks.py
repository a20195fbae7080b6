"""What doctor says of the host: true on this one, and plain where something lacks."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from oddcall.models.errors import KernelError
from oddcall.sensor import checks, host_checks, kernel_checks, privilege


class Broken:
    """A loader that never loads."""

    name = "broken"

    def load(self, *_sizes: object) -> None:
        raise KernelError("it is broken", got="nothing", fix="Mend it.")

    def close(self) -> None:
        """Nothing was opened."""


@pytest.fixture(autouse=True)
def _nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sensors that others run here are none of these tests' business."""
    monkeypatch.setattr(checks, "running", list)


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
    (tmp_path / "boot").mkdir()
    (tmp_path / f"boot/config-{platform.release()}").write_text("CONFIG_BPF_SYSCALL=y\n")
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/ns/pid").symlink_to("pid:[4026532000]")
    (tmp_path / "self/cgroup").write_text("0::/a/b\n3:cpu,memory:/c\n")
    (tmp_path / "fs/cgroup/a/b").mkdir(parents=True)
    (tmp_path / "fs/cgroup/a/b/memory.max").write_text("max\n")
    (tmp_path / "fs/cgroup/a/memory.max").write_text("200000000\n")
    found = {c.name: c for c in checks.checks(proc=tmp_path, sys=tmp_path, root=tmp_path)}
    assert not found["JIT"].ok
    assert not found["lockdown"].ok
    assert "CONFIG_DEBUG_INFO_BTF (the kernel's types)" in found["configuration"].detail
    assert "CONFIG_BPF_SYSCALL" not in found["configuration"].detail
    assert "--pid=host" in found["process tree"].fix
    assert found["process tree"].missed
    assert found["memory"].detail.startswith("200 MB allowed by the cgroup")
    for check in found.values():
        assert bool(check.fix) != check.ok, check


def test_without_privilege_it_says_what_it_could_not_try(monkeypatch: pytest.MonkeyPatch):
    """Who may not load is told which capabilities are missing, and that no loader was tried."""
    monkeypatch.setattr(privilege, "held", lambda: frozenset({"CAP_PERFMON"}))
    found = {check.name: check for check in checks.checks()}
    assert "CAP_BPF is missing to load" in found["capabilities"].detail
    assert "CAP_PERFMON" not in found["capabilities"].detail
    assert "other users" in found["capabilities"].missed
    for name in ("loader bcc", "loader core", "program"):
        assert found[name].detail.startswith("not tried")
    monkeypatch.setattr(privilege, "held", lambda: frozenset(privilege.LOADING))
    found = {check.name: check for check in host_checks.checks(Path("/proc"), Path("/sys"))}
    assert not found["capabilities"].ok
    assert "CAP_SYS_PTRACE" in found["capabilities"].fix


def test_a_tracepoint_that_is_not_there_says_what_is_missed(monkeypatch: pytest.MonkeyPatch):
    """Each hook has a check of its own; one without a tracepoint tells what goes unseen."""
    monkeypatch.setattr(
        kernel_checks.Btf, "tracepoint", lambda _self, name: 0 if name == "sys_exit" else 7
    )
    places = (Path("/proc"), Path("/sys"), Path("/"))
    found = {check.name: check for check in kernel_checks.checks(*places)}
    assert not found["tracepoint sys_exit"].ok
    assert found["tracepoint sys_exit"].missed == "every system call"
    assert found["tracepoint sched_process_fork"].ok


def test_hidden_processes_need_a_capability(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where /proc hides others' processes, CAP_SYS_PTRACE is asked for, and only there."""
    mounts = tmp_path / "mounts"
    for options, ok in (("rw,hidepid=invisible", False), ("rw,hidepid=0", True), ("rw", True)):
        mounts.write_text(f"none / ext4 rw 0 0\nproc /proc proc {options} 0 0\n")
        monkeypatch.setattr(privilege, "held", frozenset)
        found = {check.name: check for check in host_checks.checks(tmp_path, tmp_path)}
        assert found["process tree"].ok is ok
        monkeypatch.setattr(privilege, "held", lambda: frozenset({"CAP_SYS_PTRACE"}))
        found = {check.name: check for check in host_checks.checks(tmp_path, tmp_path)}
        assert found["process tree"].ok
