"""Promises of reading many recordings: found at any depth, oldest first, of one kind."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from oddcall.models.errors import RecordingError
from oddcall.training.lake import Source, host_times, lake, provenance, read_recordings
from oddcall.training.recording import METADATA, RecordingWriter, read_batches, read_recording
from oddcall.training.synthetic import host

#: Recordings of hosts with an id, or only a name, or neither.
SOURCES = st.builds(
    lambda host_id, name, begin, length: Source(
        Path("made"), {"host_id": host_id, "host_name": name}, begin, begin + length
    ),
    st.sampled_from(["", "a", "b"]),
    st.text(max_size=4),
    st.integers(1, 2**62),
    st.integers(1, 2**40),
)


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


def test_one_recording_counts_once(small_lake, tmp_path):
    """However a recording is named, through a link too, it is read once."""
    clean = small_lake.clean("web1")
    (tmp_path / "link").symlink_to(clean)
    again = clean.parent / "." / "clean" / ".." / "clean"
    (source,) = lake([clean, again, tmp_path / "link"])
    assert source.path == clean


def test_a_window_in_two_recordings_is_refused(small_lake, tmp_path):
    """A copy is refused, and so is a recording that holds a few windows of another."""
    clean, later = small_lake.clean("web1"), small_lake.later("web1")
    shutil.copytree(clean, tmp_path / "copy")
    batches = list(read_batches(clean))
    with RecordingWriter(tmp_path / "longer", lake([clean])[0].metadata) as writer:
        writer.append(batches[-1].take(np.arange(len(batches[-1]) - 3, len(batches[-1]))))
        for batch in read_batches(later):
            writer.append(batch)
    for other, shared in (("copy", f"{sum(map(len, batches)):,}"), ("longer", "3")):
        with pytest.raises(RecordingError, match=f"as well.* {shared} in both"):
            lake([clean, tmp_path / other])


def test_recordings_that_touch_are_taken_together(small_lake, tmp_path):
    """Windows that began in the time of the recording before are no reason to refuse."""
    (first,) = lake([small_lake.clean("web1")])
    with RecordingWriter(tmp_path / "on", first.metadata) as writer:
        for batch in read_batches(small_lake.later("web1")):
            early = np.minimum(batch.t_start_ns, first.end_ns - 5_000_000_000)
            writer.append(replace(batch, t_start_ns=early))
    _, on = lake([first.path, tmp_path / "on"])
    assert on.start_ns < first.end_ns < on.end_ns


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


def test_a_model_says_of_which_hosts_it_is(small_lake):
    """Of one host it says what the recording says; of several it names all of them."""
    one = lake([small_lake.clean("web1"), small_lake.later("web1")])
    assert provenance(one) == one[0].metadata
    both = lake([small_lake.clean("web2"), small_lake.later("web1")])
    told = provenance(both)
    spans = told.pop("hosts_ns")
    assert told == {**both[0].metadata, "hosts": "web1 web2"}
    assert spans == " ".join(
        f"{source.host}:{source.start_ns}:{source.end_ns}"
        for source in sorted(both, key=lambda source: source.host)
    )


@forall(st.lists(SOURCES, min_size=1, max_size=6))
def test_a_model_says_when_it_learned_of_each_host(sources):
    """Whatever hosts are called, the time of each is read as it was recorded, by itself."""
    expected = set()
    for name in {source.host for source in sources} - {""}:
        own = [source for source in sources if source.host == name]
        expected.add((name, min(s.start_ns for s in own), max(s.end_ns for s in own)))
    assert set(host_times(provenance(sources))) == (expected if len(expected) > 1 else set())
