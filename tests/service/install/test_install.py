"""The service installs the same twice, is sound by systemd's own check, and runs as confined."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from oddcall.models.errors import PrivilegeError, StorageError
from oddcall.service.cli import run
from oddcall.service.config.loading import load
from oddcall.service.install import steps

UNIT = Path("etc/systemd/system/oddcall.service")
CONFIG = Path("etc/oddcall/oddcall.toml")


def tree(root: Path) -> dict[str, bytes | None]:
    found = sorted(root.rglob("*"))
    return {str(p.relative_to(root)): p.read_bytes() if p.is_file() else None for p in found}


def test_installing_twice_is_installing_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second time nothing changes, an edited configuration is kept, an old unit renewed."""
    words = ["install", "--root", str(tmp_path)]
    assert run([*words, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "would write" in said
    assert "[Service]" in said
    assert tree(tmp_path) == {}

    assert run(words) == 0
    first = tree(tmp_path)
    assert load(file=tmp_path / CONFIG, environ={}).origin == {}
    assert (tmp_path / CONFIG).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "var/lib/oddcall").stat().st_mode & 0o777 == 0o700
    capsys.readouterr()
    assert run(words) == 0
    assert tree(tmp_path) == first
    assert "done" not in capsys.readouterr().out

    (tmp_path / CONFIG).write_text('budget = "5/week"\n')
    (tmp_path / UNIT).write_text("[Unit]\n")
    assert run(words) == 0
    assert (tmp_path / CONFIG).read_text() == 'budget = "5/week"\n'
    assert (tmp_path / UNIT).read_bytes() == first[str(UNIT)]


def test_uninstalling_keeps_what_was_learned_unless_purged(tmp_path: Path) -> None:
    """The unit goes; state and configuration go only when asked; a second time is no error."""
    run(["install", "--root", str(tmp_path)])
    (tmp_path / "var/lib/oddcall/baseline.oddcall").write_text("learned")
    words = ["uninstall", "--root", str(tmp_path)]
    for _ in range(2):
        assert run(words) == 0
        assert not (tmp_path / UNIT).exists()
        assert (tmp_path / "var/lib/oddcall/baseline.oddcall").read_text() == "learned"
        assert (tmp_path / CONFIG).exists()
    assert run([*words, "--purge", "--dry-run"]) == 0
    assert (tmp_path / CONFIG).exists()
    assert run([*words, "--purge"]) == 0
    assert [path for path in tree(tmp_path) if "oddcall" in path] == []


def test_a_place_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A root that is no folder to write in gives code 7 and no traceback."""
    (tmp_path / "etc").write_text("a file where a folder should be")
    assert run(["install", "--root", str(tmp_path)]) == 7
    assert "cannot write" in capsys.readouterr().err


def test_without_root_it_says_what_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first step, with the verb that was typed; a look needs no privilege."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for verb in ("install", "uninstall"):
        assert run([verb]) == PrivilegeError.exit_code
        assert f"Type: sudo oddcall {verb}" in capsys.readouterr().err
        assert run([verb, "--dry-run"]) == 0


def test_systemctl_is_called_and_its_refusal_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the host itself systemd is told, in order; what it says on failing is passed on."""
    stub = tmp_path / "systemctl"
    stub.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\nexit 0\n')
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(steps, "here", lambda _root: True)
    for step in [*steps.install(tmp_path, now=True), *steps.uninstall(tmp_path)]:
        if step.do:
            step.do()
    enable, disable = "enable --now oddcall.service", "disable --now oddcall.service"
    called = (tmp_path / "called").read_text().splitlines()
    assert called == ["daemon-reload", enable]  # listed before anything was written
    for step in steps.install(tmp_path):
        if step.do:
            step.do()
    for step in steps.uninstall(tmp_path):
        if step.do:
            step.do()
    called = (tmp_path / "called").read_text().splitlines()[2:]
    assert called == ["daemon-reload", disable, "daemon-reload"]
    stub.write_text("#!/bin/sh\necho 'Unit is masked' >&2\nexit 1\n")
    with pytest.raises(StorageError, match="daemon-reload failed; got Unit is masked"):
        steps._systemctl("daemon-reload").do()


def test_the_command_is_quoted_for_systemd() -> None:
    """Spaces, percent signs and dollars of a path arrive as they are."""
    assert steps._quoted("/opt/oddcall/bin/oddcall") == "/opt/oddcall/bin/oddcall"
    assert steps._quoted("/opt/my tools/100%/$x") == '"/opt/my tools/100%%/$$x"'


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    assert run(["install", "--root", str(tmp_path / "root")]) == 0
    return tmp_path / "root" / UNIT


def test_systemd_finds_no_fault_with_the_unit(unit: Path) -> None:
    """`systemd-analyze verify` is silent, and its measure of exposure is `OK` (below 4 of 10)."""
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    measured = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=True,
    )
    exposure = re.search(r"Overall exposure level for oddcall.service: ([0-9.]+)", measured.stdout)
    assert exposure
    assert float(exposure[1]) < 4


def root_is_a_mount() -> bool:
    """Whether the root here can be made read-only: inside a chroot it is a folder like others."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return any(line.split()[4] == "/" for line in mounts)


@pytest.mark.skipif(not root_is_a_mount(), reason="the root is no mount: this is a chroot")
@pytest.mark.kernel
def test_it_runs_under_the_units_restrictions(unit: Path, tmp_path: Path) -> None:
    """With the unit's capabilities, read-only file system, filter of calls and no memory that is
    writable and executable, it loads with the default loader, counts, and writes."""
    state = tmp_path / "state"
    state.mkdir()
    confined = [sys.executable, str(Path(__file__).with_name("confined.py")), str(unit), str(state)]
    record = [*steps.own_command().split(), "record", "--duration", "2s", "-o", str(state / "r")]
    done = subprocess.run(
        [*confined, *record], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "keeps CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE; no_new_privs" in done.stdout
    assert list((state / "r").glob("part-*.parquet"))
    elsewhere = [*record[:-1], str(tmp_path / "elsewhere")]
    refused = subprocess.run([*confined, *elsewhere], capture_output=True, text=True, check=False)
    assert refused.returncode == 7
    assert "read-only" in refused.stderr
