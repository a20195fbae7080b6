"""Promises about what is known of processes that alert."""

from __future__ import annotations

from pathlib import Path

import pytest

from oddcall.models.errors import StorageError
from oddcall.service.alerts import context
from oddcall.service.alerts.context import Context, Remembered


def test_a_process_is_asked_about_once() -> None:
    """The first answer stays, whatever the process does to its arguments later."""
    asked: list[int] = []

    def ask(pid: int, _start: int, _ppid: int, _container: str) -> Context:
        asked.append(pid)
        return Context(f"cmd {len(asked)}")

    people = Remembered(ask)
    assert people(5, 1, 1, "") == people(5, 1, 1, "") == Context("cmd 1")
    assert people(5, 2, 1, "") == Context("cmd 2"), "a pid used again is another process"
    assert asked == [5, 5]
    assert [entry[:2] for entry in people.fresh()] == [(5, 1), (5, 2)]
    assert people.fresh() == []


def test_memory_is_bounded() -> None:
    """However many processes alert, some thousands are remembered."""
    people = Remembered(lambda pid, *_: Context(str(pid)))
    for pid in range(10_000):
        people(pid, 1, 1, "")
    assert len(people._known) == 4096
    assert len(people.fresh()) == 4096


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """A replay is told what watch was told; of others it knows nothing."""
    context.write(tmp_path, [(5, 1, Context("a\nb\x1b \udcff", "init")), (6, 1, Context())])
    names = dict.fromkeys(context.WORKLOAD) | {"name": "web", "pod": "web-0"}
    context.write(tmp_path, [(7, 3, Context("late", workload=names))])
    with (tmp_path / context.NAME).open("a") as file:
        file.write('{"pid": 8, "start_\n[1]\n{"pid": "x", "start_time_ns": 1}\n')
    describe = context.recorded(tmp_path)
    assert describe(5, 1, 99, "") == Context("a\nb\x1b \udcff", "init")
    assert describe(7, 3, 0, "") == Context("late", workload=names)
    assert describe(5, 2, 0, "") == describe(8, 1, 0, "") == Context()


def test_no_file_is_no_knowledge(tmp_path: Path) -> None:
    """A recording by `record` has none, and its replay goes without."""
    assert context.recorded(tmp_path)(1, 1, 1, "") == Context()


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    """Where nothing can be written the error is of the disk."""
    with pytest.raises(StorageError, match="cannot write"):
        context.write(tmp_path / "gone", [(1, 1, Context())])
