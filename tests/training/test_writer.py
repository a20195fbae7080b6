"""Writing recordings: what was written survives kills, full disks and other writers."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from oddcall.models.errors import RecordingError, SettingError, StorageError
from oddcall.training.recording import RecordingWriter, read_batches, read_recording

from .test_recording import HOST, assert_same, batches, write


def test_unfinished_part_is_ignored_then_cleared(tmp_path: Path) -> None:
    """What a killed writer left is no part of the recording, and the next writer removes it."""
    written = batches(9, [3])
    path = write(tmp_path / "rec", written)
    (path / ".part-000001.parquet.tmp").write_bytes(b"half")
    assert_same(read_batches(path), written)
    write(path, written)
    assert_same(read_batches(path), written * 2)
    assert not list(path.glob(".*"))


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from test_recording import HOST, batches
from oddcall.training.recording import RecordingWriter
writer = RecordingWriter(sys.argv[1], HOST, rows_per_part=20)
for i in range(10**6):
    writer.append(batches(i, [10])[0])
    print(i, flush=True)
"""


def test_kill_loses_at_most_the_part_being_written(tmp_path: Path) -> None:
    """After a kill -9 every part but the one being written is there, whole and in order."""
    command = [sys.executable, "-c", KILLED, str(tmp_path / "rec"), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        appended = 0
        for line in child.stdout:
            appended = int(line) + 1
            if appended == 15:
                child.send_signal(signal.SIGKILL)
    kept = list(read_batches(tmp_path / "rec"))
    # Two batches make a part: the one being gathered, and one appended but not yet printed.
    assert appended - 2 <= len(kept) <= appended + 2
    assert_same(iter(kept), [batches(i, [10])[0] for i in range(len(kept))])
    write(tmp_path / "rec", batches(0, [10]))
    assert len(list(read_batches(tmp_path / "rec"))) == len(kept) + 1


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 256 KiB; where mounting is not allowed, a limit on file sizes."""
    place = tmp_path / "tiny"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)]
    if (
        os.geteuid() == 0
        and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    ):
        yield place
        subprocess.run(["umount", "-l", str(place)], check=True)
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100 * 1024, hard))
    yield place
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk(tiny: Path) -> None:
    """A full disk is one sentence; what was written stays readable; closing again is silent."""
    written = batches(10, [20] * 3 + [3000])
    writer = RecordingWriter(tiny / "rec", HOST, rows_per_part=20)
    for batch in written[:3]:
        writer.append(batch)
    with pytest.raises(StorageError, match=r"cannot write .*part-000003.*\. Free some space"):
        writer.append(written[3])
    writer.close()
    writer.close()
    assert_same(read_batches(tiny / "rec"), written[:3])
    assert not list((tiny / "rec").glob(".*"))
    assert writer.rows == 60
    with pytest.raises(StorageError, match="is closed"):
        writer.append(written[0])


def test_full_disk_at_close(tiny: Path) -> None:
    """A full disk met by the context manager's end is a StorageError, once."""
    with (
        pytest.raises(StorageError, match="cannot write"),
        RecordingWriter(tiny / "rec", HOST) as writer,
    ):
        writer.append(batches(11, [3000])[0])
    writer.close()


def test_foreign_folder(tmp_path: Path) -> None:
    """A folder of something else is refused by name, and nothing in it is touched."""
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(SettingError, match=r"thesis\.tex"):
        RecordingWriter(tmp_path, HOST)
    with pytest.raises(RecordingError, match=r"thesis\.tex"):
        read_recording(tmp_path)
    with pytest.raises(SettingError, match="got a file"):
        RecordingWriter(tmp_path / "thesis.tex", HOST)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    """Two recordings into one folder would mix; the second is told so, later ones may go on."""
    with (
        RecordingWriter(tmp_path / "rec", HOST),
        pytest.raises(StorageError, match="another oddcall"),
    ):
        RecordingWriter(tmp_path / "rec", HOST)
    RecordingWriter(tmp_path / "rec", HOST).close()


def test_other_host(tmp_path: Path) -> None:
    """A recording of another host is not gone on with."""
    path = write(tmp_path / "rec", batches(12, [1]))
    with pytest.raises(RecordingError, match="expected host_id h2; got h1"):
        RecordingWriter(path, HOST | {"host_id": "h2"})
