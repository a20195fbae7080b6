"""Promises of reading many recordings: found at any depth, oldest first, of one kind."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.models.errors import RecordingError
from oddcall.training.lake import lake, read_recordings
from oddcall.training.recording import METADATA, RecordingWriter, read_batches, read_recording
from oddcall.training.synthetic import host


def test_a_folder_stands_for_the_recordings_below_it(small_lake):
    """A root gives every recording once, by time, however it is named."""
    found = lake([small_lake.root, small_lake.clean("web2")])
    assert [source.path.relative_to(small_lake.root).as_posix() for source in found] == [
        "web1/clean",
        "web2/clean",
        "web1/later",
        "web2/later",
    ]
    assert all(source.start_ns < source.end_ns for source in found)
    assert {source.host for source in found} == {"web1", "web2"}


def test_batches_come_with_their_recording(small_lake):
    """Every window of a source lies in its span."""
    sources = lake([small_lake.root / "web1"])
    for source in sources:
        for batch in read_batches(source.path):
            assert batch.t_start_ns.min() >= source.start_ns
            assert batch.t_end_ns.max() <= source.end_ns


def test_one_frame_of_many(small_lake):
    """The frame is the frames below each other, with host and recording told apart."""
    whole = read_recordings(small_lake.root)
    parts = [read_recording(source.path) for source in lake([small_lake.root])]
    assert len(whole) == sum(map(len, parts))
    assert list(whole.columns[:2]) == ["host", "recording"]
    assert np.array_equal(whole.n_events, np.concatenate([part.n_events for part in parts]))
    assert set(whole.attrs["recordings"]) == set(whole.recording.astype(str))


def test_hosts_of_another_kind_are_not_mixed(small_lake, tmp_path):
    """Call numbers of another architecture mean other calls."""
    metadata = dict.fromkeys(METADATA, "made") | {"arch": "aarch64"}
    with RecordingWriter(tmp_path / "arm", metadata) as writer:
        writer.append(host(1, seed=0)[0])
    with pytest.raises(RecordingError, match="one kind of host"):
        lake([small_lake.root, tmp_path / "arm"])


def test_what_is_no_recording_is_named(tmp_path):
    """An empty folder is refused as reading it alone would be."""
    with pytest.raises(RecordingError, match="is not a recording"):
        lake([tmp_path])
