"""Promises of BETH: which of its events are a trace, which trace an attack, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from oddcall.models.errors import RecordingError, SettingError
from oddcall.training.traces.datasets.beth import beth

from ..written import put, words

BETH = [
    *("timestamp", "processId", "threadId", "parentProcessId", "userId", "mountNamespace"),
    *("processName", "hostName", "eventId", "eventName", "stackAddresses", "argsNum"),
    *("returnValue", "args", "sus", "evil"),
]


def beth_file(path: Path, events: list[tuple[int, str, str, int]]) -> None:
    """Events of (process, host, name, evil)."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(BETH)
        for pid, host, name, evil in events:
            args = "[{'name': 'pathname', 'value': '/a,b'}]"
            writer.writerow(
                [1.5, pid, pid, 1, 0, 4, "ps", host, 257, name, "[1, 2]", 4, 0, args, 0, evil]
            )


def test_beth_makes_a_trace_of_each_process_of_each_host(tmp_path: Path) -> None:
    """A process is known by host and id, and is an attack once any event of it is evil."""
    beth_file(
        tmp_path / "labelled_training_data.csv", [(1, "a", "openat", 0), (1, "b", "close", 0)]
    )
    beth_file(tmp_path / "labelled_validation_data.csv", [(2, "a", "read", 0)])
    evil = [(3, "a", "execve", 0), (3, "a", "clone", 1), (4, "a", "close", 0)]
    beth_file(tmp_path / "labelled_testing_data.csv", evil)
    split = beth(tmp_path)
    assert [len(s) for s in (split.train, split.normal, split.attack)] == [2, 2, 1]
    assert words(split.attack, 0) == ["execve", "clone"]


def test_beth_of_another_form_is_refused(tmp_path: Path) -> None:
    """A file without the columns, or cut short, is refused; a missing one is named."""
    missing = r"labelled_training_data\.csv cannot be read; got no such file or directory\."
    with pytest.raises(SettingError, match=missing):
        beth(tmp_path)
    put(tmp_path / "labelled_training_data.csv", "a,b\n1,2\n")
    with pytest.raises(RecordingError, match="processId"):
        beth(tmp_path)
    put(tmp_path / "labelled_training_data.csv", ",".join(BETH) + "\n1.0,2\n")
    with pytest.raises(RecordingError, match="cut short"):
        beth(tmp_path)
    put(tmp_path / "labelled_training_data.csv", ",".join(BETH) + "\n" + "x" * 200_000 + "\n")
    with pytest.raises(RecordingError, match=r"labelled_training_data\.csv cannot be read"):
        beth(tmp_path)
