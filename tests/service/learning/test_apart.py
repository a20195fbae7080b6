"""Promises of recordings that are written and read in another process."""

from __future__ import annotations

import os
import resource
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddcall.models.errors import OddcallError, RecordingError, SettingError
from oddcall.service.learning.apart import RecordingChild, read_apart
from oddcall.service.learning.child import NoChildError, TrainingChild
from oddcall.training.recording import read_batches

from ..conftest import METADATA


def test_what_is_written_apart_is_read_apart(tmp_path: Path, batch: Any, row: Any) -> None:
    """Batches come back as they were, and as a reader in this process finds them."""
    given = [batch(row(at_s=1), row(pid=5, at_s=1)), batch(row(at_s=2))]
    with RecordingChild(tmp_path / "r", METADATA) as child:
        for windows in given:
            child.append(windows)
    here, apart = list(read_batches(tmp_path / "r")), list(read_apart(tmp_path / "r"))
    assert [b.pid.tolist() for b in apart] == [b.pid.tolist() for b in given]
    for one, other in zip(here, apart, strict=True):
        assert one.programs == other.programs
        assert np.array_equal(one.syscalls.counts, other.syscalls.counts)
    child.close()


def test_a_folder_of_something_else_is_refused_by_kind(
    tmp_path: Path,
) -> None:
    """The kind of error and its sentence are those of a writer in this process."""
    (tmp_path / "letter").write_text("dear")
    child = RecordingChild(tmp_path, METADATA)
    with pytest.raises(SettingError, match="holds something else; expected an empty folder"):
        child.close()


def test_a_recording_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A damaged part ends the reading with the reader's own sentence."""
    (tmp_path / "part-000000.parquet").write_bytes(b"not parquet")
    with pytest.raises(RecordingError, match=r"part-000000.parquet cannot be read"):
        list(read_apart(tmp_path))


def test_stopping_all_processes_of_a_service_loses_nothing(
    tmp_path: Path, batch: Any, row: Any
) -> None:
    """A writer that is sent SIGTERM writes until its input ends."""
    with RecordingChild(tmp_path / "r", METADATA, seconds_per_part=0.0) as child:
        child.append(batch(row(at_s=1)))
        until = time.monotonic() + 60
        while not any((tmp_path / "r").glob("part-*")) and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(child._process.pid, signal.SIGTERM)
        child.append(batch(row(at_s=2)))
    assert len(list(read_batches(tmp_path / "r"))) == 2


def test_a_writer_that_was_killed_is_told_by_its_signal(
    tmp_path: Path, batch: Any, row: Any
) -> None:
    """What became of it is said at the next batch, or at the end."""
    child = RecordingChild(tmp_path / "r", METADATA)
    child._process.kill()
    child._process.wait()
    with pytest.raises(OddcallError, match="a child ended by signal 9"):
        child.append(batch(row()))
    child.close()


def test_a_child_that_cannot_be_started_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a process, a file or a place for temporary ones it is told, and nothing leaks."""
    tries = [
        lambda: RecordingChild(tmp_path / "r", METADATA),
        lambda: list(read_apart(tmp_path / "r")),
        lambda: TrainingChild([tmp_path], tmp_path / "bundle", "1/day", 10),
    ]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    taken: list[int] = []
    try:
        with suppress(OSError):
            while len(taken) < 256:
                taken.append(os.dup(0))
        # Room for what it says, not for its pipes; twice, for the first may not keep that.
        os.close(taken.pop())
        for start in tries * 2:
            with pytest.raises(NoChildError, match=r"no child .* got too many open files"):
                start()
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    for start in tries:
        with pytest.raises(NoChildError, match="got no such file"):
            start()
