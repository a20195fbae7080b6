"""The host's description: plain strings, a stable id, nothing that must not leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from oddcall.sensor import host

MACHINE = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    proc, etc = tmp_path / "proc", tmp_path / "etc"
    (proc / "sys/kernel/random").mkdir(parents=True)
    etc.mkdir()
    (proc / "sys/kernel/hostname").write_text("web-1\n")
    (proc / "sys/kernel/osrelease").write_text("6.1.0-13-amd64\n")
    (proc / "sys/kernel/random/boot_id").write_text("0d9f1c3e-9a39-4b67-8f0f-6a4b0a4e7c11\n")
    (etc / "machine-id").write_text(MACHINE + "\n")
    return proc, etc


def test_describes_a_host(trees: tuple[Path, Path]):
    """Promise: name, boot and kernel are given as the kernel writes them, without line ends."""
    told = host.describe(*trees)
    assert told["name"] == "web-1"
    assert told["boot_id"] == "0d9f1c3e-9a39-4b67-8f0f-6a4b0a4e7c11"
    assert told["kernel"] == "6.1.0-13-amd64"
    assert told["arch"]
    assert all(isinstance(value, str) for value in told.values())


def test_the_machine_id_is_not_given_away(trees: tuple[Path, Path]):
    """Promise: the id is 32 hexadecimal digits, the same each time, and not the machine's."""
    first, again = host.describe(*trees), host.describe(*trees)
    assert first["id"] == again["id"] != MACHINE
    assert int(first["id"], 16) > 0
    assert len(first["id"]) == 32
    assert first["id"][12] == "4", "a random-looking UUID, as sd_id128 makes it"


def test_the_id_follows_the_machine_and_not_its_name(trees: tuple[Path, Path]):
    """Promise: renaming a host keeps its id; another machine id is another id."""
    proc, etc = trees
    before = host.describe(proc, etc)["id"]
    (proc / "sys/kernel/hostname").write_text("web-2\n")
    assert host.describe(proc, etc)["id"] == before
    (etc / "machine-id").write_text("f" * 32)
    assert host.describe(proc, etc)["id"] != before


@pytest.mark.parametrize("content", [None, "", "uninitialized\n", "not hexadecimal"])
def test_without_a_machine_id_the_name_tells_hosts_apart(
    trees: tuple[Path, Path], content: str | None
):
    """Promise: no machine id (bare image, first boot) still gives an id, from the host name."""
    proc, etc = trees
    (etc / "machine-id").unlink()
    if content is not None:
        (etc / "machine-id").write_text(content)
    first = host.describe(proc, etc)["id"]
    assert len(first) == 32
    (proc / "sys/kernel/hostname").write_text("web-2\n")
    assert host.describe(proc, etc)["id"] != first


def test_an_empty_tree_gives_empty_strings(tmp_path: Path):
    """Promise: what cannot be read is an empty string, not an error."""
    told = host.describe(tmp_path, tmp_path)
    assert told["name"] == told["boot_id"] == told["kernel"] == ""
    assert told["id"]


def test_this_host_can_be_described():
    """Promise: on a real host every field is filled."""
    assert all(host.describe().values())
