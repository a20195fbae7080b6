"""What doctor sums up: what will run, what will be missed, and each thing to type once."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from oddcall.models.errors import StorageError
from oddcall.sensor.check import Check
from oddcall.service import doctor
from oddcall.service.state import StateDir

WELL = [Check("python", True, "3.12"), Check("program", True, "counts")]


def test_the_outlook_follows_from_the_checks() -> None:
    """What needs a check that failed does not run; each remedy is told once."""
    assert doctor.outlook(WELL).runs == [
        "train, replay and evaluate, which need no privilege",
        "record and watch, as this user",
    ]
    failed = [
        Check("program", False, "no", "Type: it"),
        Check("loader bcc", False, "no", "Type: it"),
        Check("io_uring", False, "no", "Run a later kernel.", "what is done through io_uring"),
        Check("sink siem", True, "can be reached"),
    ]
    said = doctor.outlook([Check("python", True, "3.12"), *failed])
    assert said.runs == ["train, replay and evaluate, which need no privilege", "alerts to siem"]
    assert said.missed == ["record and watch, as this user", "what is done through io_uring"]
    assert said.fixes == ["Type: it", "Run a later kernel."]


def test_sinks_are_really_reached(tmp_path: Path) -> None:
    """A sink that answers is well, one that does not says why and what becomes of its alerts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        config = tmp_path / "oddcall.toml"
        config.write_text(
            f'state_dir = "{tmp_path}"\n'
            f'[[sinks]]\ntype = "syslog"\nname = "there"\naddress = "tcp://127.0.0.1:{port}"\n'
            f'[[sinks]]\ntype = "syslog"\nname = "gone"\naddress = "unix://{tmp_path}/none"\n'
        )
        found = {check.name: check for check in doctor.examine(list, config)}
    assert found["sink there"].ok
    assert not found["sink gone"].ok
    assert "wait on disk" in found["sink gone"].fix
    assert found["sink gone"].missed == "alerts to gone, until it can be reached"


def test_a_read_only_place_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root cannot write to a file system that is read-only: sudo is no advice then."""
    room = {"f_bavail": 1 << 30, "f_bfree": 1 << 30, "f_blocks": 1 << 31, "f_frsize": 4096}
    there = lambda _place, mode, **_: mode == os.F_OK  # noqa: E731
    monkeypatch.setattr("oddcall.models.storage.os.access", there)
    for flag, why, sudo in (
        (os.ST_RDONLY, "the file system is read-only", False),
        (0, "permission is denied", True),
    ):
        mount = SimpleNamespace(f_flag=flag, **room)
        monkeypatch.setattr("oddcall.models.storage.os.statvfs", lambda _, mount=mount: mount)
        with pytest.raises(StorageError, match=f"{tmp_path} cannot be written; got {why}") as told:
            StateDir(tmp_path).make()
        assert ("sudo" in str(told.value)) is sudo
        found = {c.name: c for c in doctor.examine(list, None, None, str(tmp_path))}
        assert found["state"].detail == f"{tmp_path} cannot be written: {why}"
        assert ("sudo" in found["state"].fix) is sudo


def test_looking_makes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state directory is examined, not made; who watches with it is told."""
    state = tmp_path / "a" / "state"
    monkeypatch.setenv("ODDCALL_STATE_DIR", str(state))
    found = {check.name: check for check in doctor.examine(list)}
    assert found["state"].ok
    assert not state.exists()
    with StateDir(state).held():
        found = {check.name: check for check in doctor.examine(list)}
    assert "watches with it" in found["state"].detail
    assert StateDir(state).holder() == 0


def test_settings_that_cannot_be_used_are_a_line_each_and_something_to_type(tmp_path: Path) -> None:
    """Every fault begins a line, and what is to be corrected is told, however many there are."""
    config = tmp_path / "a-bad.toml"
    for text, faults in (
        ("budget = 1.5\n", ["budget ("]),
        ("budget = 1.5\nbudgett = 1\n", ["2 settings cannot be used:", "budget (", "budgett ("]),
        ("budget = ", [f"the configuration {config} is not TOML"]),
    ):
        config.write_text(text)
        found = doctor.examine(list, config)
        lines = [line.strip() for line in doctor.render(found, width=200)]
        begun = [line.removeprefix("FAIL  settings  ") for line in lines]
        assert all(any(line.startswith(fault) for line in begun) for fault in faults), lines
        fix = f"Correct {config} (oddcall config check --config {config})"
        assert doctor.outlook(found).fixes == [fix]
        assert fix in " ".join(" ".join(doctor.render_outlook(doctor.outlook(found))).split())
