"""Promises about files that begin anew."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oddcall.models.errors import StorageError
from oddcall.service.sinks.rotating import RotatingFile

Records = Callable[[range], Any]


def numbers(path: Path) -> list[int]:
    return [json.loads(line)["process"]["pid"] - 100 for line in path.read_text().splitlines()]


def test_a_large_file_begins_anew(tmp_path: Path, records: Records) -> None:
    """No file passes the size, the last few are kept, and no line is cut or lost before that."""
    path = tmp_path / "logs" / "alerts.jsonl"
    size = len(records(range(1))[0].line) + 50
    sink = RotatingFile(path, max_bytes=3 * size, keep=2)
    for i in range(10):
        sink.send(records(range(i, i + 1)))
    sink.close()
    kept = [tmp_path / "logs" / name for name in ("alerts.jsonl.2", "alerts.jsonl.1", path.name)]
    assert [numbers(file) for file in kept] == [[3, 4, 5], [6, 7, 8], [9]]
    assert sorted(kept) == sorted(path.parent.iterdir())
    assert all(file.stat().st_size <= 3 * size for file in kept)


def test_nothing_older_is_kept_where_nothing_was_asked_for(
    tmp_path: Path, records: Records
) -> None:
    """With none to keep there is one file."""
    path = tmp_path / "alerts.jsonl"
    sink = RotatingFile(path, max_bytes=100, keep=0)
    sink.send(records(range(4)))
    assert numbers(path) == [3]
    assert list(tmp_path.iterdir()) == [path]


def test_it_goes_on_where_it_was(tmp_path: Path, records: Records) -> None:
    """A restart appends."""
    path = tmp_path / "alerts.jsonl"
    for i in range(3):
        sink = RotatingFile(path, max_bytes=10_000_000, keep=1)
        sink.send(records(range(i, i + 1)))
        sink.close()
    assert numbers(path) == [0, 1, 2]


def test_somebody_else_may_rotate(tmp_path: Path, records: Records) -> None:
    """A file moved away or removed is begun anew, and nothing goes into the old one."""
    path, moved = tmp_path / "alerts.jsonl", tmp_path / "moved"
    sink = RotatingFile(path, max_bytes=10_000_000, keep=1)
    sink.send(records(range(1)))
    path.rename(moved)
    sink.send(records(range(1, 2)))
    path.unlink()
    sink.send(records(range(2, 3)))
    assert (numbers(moved), numbers(path)) == ([0], [2])


def test_another_disk_may_take_its_place(tmp_path: Path, records: Records) -> None:
    """A file on a disk put over the first is another file, though it has the same number."""
    folder = tmp_path / "logs"
    folder.mkdir()
    path, mounted, numbers_of = folder / "alerts.jsonl", 0, []
    sink = RotatingFile(path, max_bytes=10_000_000, keep=1)
    try:
        for i in range(2):
            mount = ["mount", "-t", "tmpfs", "none", str(folder)]
            if subprocess.run(mount, check=False, capture_output=True).returncode:
                pytest.skip("mounting is not allowed here")
            mounted += 1
            path.touch()
            numbers_of.append(path.stat().st_ino)
            sink.send(records(range(i, i + 1)))
            assert numbers(path) == [i]
        assert numbers_of[0] == numbers_of[1]
    finally:
        sink.close()
        for _ in range(mounted):
            subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, records: Records) -> None:
    """It says which, and works once it can be."""
    folder = tmp_path / "logs"
    folder.write_text("in the way")
    sink = RotatingFile(folder / "alerts.jsonl", max_bytes=10_000, keep=1)
    with pytest.raises(StorageError, match=r"cannot write .*alerts\.jsonl"):
        sink.reach()
    with pytest.raises(StorageError, match=r"cannot write .*alerts\.jsonl"):
        sink.send(records(range(1)))
    folder.unlink()
    sink.send(records(range(1)))
    assert numbers(folder / "alerts.jsonl") == [0]
    assert (folder / "alerts.jsonl").stat().st_mode & 0o077 == 0
