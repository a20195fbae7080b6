"""The object compiled ahead of time: there after a set-up for tests, and only if it is current."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path

import pytest

from oddcall.models.errors import KernelError
from oddcall.sensor import loader_core
from oddcall.sensor.loader_core import CoreLoader
from oddcall.sensor.probe import Probe, ProbeSettings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The installed package's files, in a place where they can be spoiled."""
    with resources.as_file(resources.files("oddcall.bpf")) as installed:
        copy = shutil.copytree(installed, tmp_path / "bpf")
    monkeypatch.setattr(loader_core.resources, "files", lambda _package: copy)
    return copy


def load() -> None:
    CoreLoader().load(64, 1024, "io_uring_submit_req")


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_objects_for_every_architecture_are_there_and_current(
    arch: str, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    """What is loaded was compiled from the sources beside it, on this machine or for another."""
    monkeypatch.setattr(loader_core.platform, "machine", lambda: arch)
    assert Path(loader_core._object_path()) == folder / f"oddcall.{arch}.o"


def test_an_object_of_other_sources_is_refused(folder: Path):
    """After the sources change the old object is not loaded; the error says what to type."""
    with (folder / "oddcall.c").open("a") as source:
        source.write("/* one line more */\n")
    with pytest.raises(KernelError, match=r"other sources.*apt-get install clang libbpf-dev"):
        load()


def test_no_object_is_said_in_words(folder: Path):
    """An installation made without clang says so, and `bcc` still works."""
    for built in folder.glob("*.o"):
        built.unlink()
    with pytest.raises(KernelError, match="made without clang"):
        load()


@pytest.mark.kernel
def test_a_process_that_counts_with_core_has_no_compiler():
    """No LLVM, no BCC: libbpf alone."""
    with Probe(ProbeSettings(slots=64, loader="core")) as probe:
        held = Path("/proc/self/maps").read_text()
        assert probe.loader == "core"
    assert "libbpf" in held
    assert not [name for name in ("LLVM", "libclang", "libbcc") if name in held]
