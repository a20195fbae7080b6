"""Promises about where alerts go."""

from __future__ import annotations

import io
import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from oddcall.models.errors import SettingError, StorageError
from oddcall.service.sinks.base import PENDING, Delivery
from oddcall.service.sinks.jsonl import JsonLines, JsonStream


def numbered(i: int) -> dict[str, Any]:
    return {"id": f"alert-{i}", "text": "é\n" * 3}


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


class Flaky:
    """A sink that fails when told to."""

    name = "the flaky one"

    def __init__(self) -> None:
        self.down, self.got, self.closed = False, [], False

    def send(self, alert: dict[str, Any]) -> None:
        if self.down:
            raise StorageError("it is down", fix="Wait.")
        self.got.append(alert["id"])

    def close(self) -> None:
        self.closed = True


def test_alerts_are_lines_in_order(tmp_path: Path) -> None:
    """Each alert is one line of JSON, appended to what was there; the folder is made."""
    path = tmp_path / "new" / "alerts.jsonl"
    for i in range(3):
        sink = JsonLines(path)
        sink.send(numbered(i))
        sink.close()
    assert ids(path) == ["alert-0", "alert-1", "alert-2"]
    assert path.stat().st_mode & 0o077 == 0


def test_a_line_cut_short_spoils_no_other(tmp_path: Path) -> None:
    """After a crash in the middle of a line the next alert has a line of its own."""
    path = tmp_path / "alerts.jsonl"
    path.write_text('{"id": "alert-0"}\n{"id": "al')
    sink = JsonLines(path)
    sink.send(numbered(1))
    assert json.loads(path.read_text().splitlines()[-1])["id"] == "alert-1"
    assert json.loads(path.read_text().splitlines()[0])["id"] == "alert-0"


def test_a_line_cut_short_meanwhile_spoils_no_other(tmp_path: Path) -> None:
    """Where what was cut short could not be taken back, the next alert ends it as well."""
    path = tmp_path / "alerts.jsonl"
    sink = JsonLines(path)
    sink.send(numbered(0))
    with path.open("a") as file:
        file.write('{"id": "al')
    sink.send(numbered(1))
    lines = path.read_text().splitlines()
    assert lines[1] == '{"id": "al'
    assert [json.loads(lines[i])["id"] for i in (0, 2)] == ["alert-0", "alert-1"]


def test_a_file_that_is_moved_away_is_begun_anew(tmp_path: Path) -> None:
    """As logrotate does it, or whoever removes it with its folder; what was open is closed."""
    path = tmp_path / "logs" / "alerts.jsonl"
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    sink = JsonLines(path)
    sink.send(numbered(0))
    path.rename(tmp_path / "old")
    sink.send(numbered(1))
    assert (ids(tmp_path / "old"), ids(path)) == (["alert-0"], ["alert-1"])
    path.unlink()
    path.parent.rmdir()
    sink.send(numbered(2))
    assert ids(path) == ["alert-2"]
    path.unlink()
    path.write_text("my notes")
    with pytest.raises(SettingError, match="holds something else"):
        sink.send(numbered(3))
    assert path.read_text() == "my notes"
    path.unlink()
    sink.send(numbered(3))
    assert ids(path) == ["alert-3"]
    sink.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """What holds no alerts is refused in one sentence, and not touched."""
    path = tmp_path / "notes.txt"
    path.write_text("my notes")
    with pytest.raises(SettingError, match="holds something else; expected a new file"):
        JsonLines(path)
    assert path.read_text() == "my notes"


def test_replay_delivers_once(tmp_path: Path) -> None:
    """Asked to, it leaves out ids that the file holds, so a second replay adds nothing."""
    path = tmp_path / "alerts.jsonl"
    for _ in range(2):
        sink = JsonLines(path, once=True)
        for i in range(3):
            sink.send(numbered(i))
        sink.close()
    assert ids(path) == ["alert-0", "alert-1", "alert-2"]
    assert sink.already == 3


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The error names the file and says what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot write .*alerts\.jsonl"):
        JsonLines(tmp_path / "file" / "alerts.jsonl")


def test_a_full_disk_leaves_whole_lines(tmp_path: Path) -> None:
    """A line that does not fit leaves nothing of itself behind."""
    path = tmp_path / "alerts.jsonl"
    sink = JsonLines(path)
    sink.send(numbered(0))
    size = path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, hard))
    try:
        with pytest.raises(StorageError, match="cannot write"):
            sink.send(numbered(1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.stat().st_size == size
    sink.send(numbered(2))
    assert ids(path) == ["alert-0", "alert-2"]


def test_a_full_disk_leaks_no_file(tmp_path: Path) -> None:
    """A file whose cut line cannot be ended is closed again: it is tried for days."""
    path = tmp_path / "alerts.jsonl"
    path.write_text('{"id": "al')
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        for _ in range(3):
            with pytest.raises(StorageError, match=r"cannot write .*alerts\.jsonl"):
                JsonLines(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_devices_and_pipes_will_do(tmp_path: Path) -> None:
    """A device that is always full is an error, one that takes everything is not."""
    JsonLines(Path("/dev/null")).send(numbered(0))
    with pytest.raises(StorageError, match="no space is left"):
        JsonLines(Path("/dev/full")).send(numbered(0))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    JsonLines(pipe).send(numbered(7))
    assert json.loads(os.read(reader, 4096))["id"] == "alert-7"
    os.close(reader)


def test_a_stream_gets_a_line_each() -> None:
    """Standard output gets one line of JSON an alert, at once."""
    stream = io.StringIO()
    JsonStream(stream).send(numbered(1))
    assert json.loads(stream.getvalue())["id"] == "alert-1"


def test_one_failing_sink_stops_no_other(screen: Any) -> None:
    """Alerts wait, in order, for the sink that fails; it is said once, and once when it works."""
    good, flaky = Flaky(), Flaky()
    delivery = Delivery([flaky, good], screen.say)
    delivery.send(numbered(0))
    flaky.down = True
    delivery.send(numbered(1))
    delivery.send(numbered(2))
    assert good.got == ["alert-0", "alert-1", "alert-2"]
    assert flaky.got == ["alert-0"]
    flaky.down = False
    delivery.flush()
    assert flaky.got == good.got
    delivery.close()
    assert screen.lines == [
        "alerts wait for the flaky one: it is down. Wait.",
        "the flaky one takes alerts again",
    ]
    assert flaky.closed
    assert good.closed


def test_what_is_never_delivered_is_an_error(screen: Any) -> None:
    """At the end alerts that could not be delivered are counted in an error of the disk."""
    flaky = Flaky()
    flaky.down = True
    delivery = Delivery([flaky], screen.say)
    delivery.send(numbered(0))
    with pytest.raises(StorageError, match="1 alert was not delivered; got it is down") as caught:
        delivery.close()
    assert caught.value.exit_code == 7
    assert flaky.closed


def test_what_waits_is_bounded(screen: Any) -> None:
    """A sink that stays down costs bounded memory; what had to be dropped is counted."""
    flaky = Flaky()
    flaky.down = True
    delivery = Delivery([flaky], screen.say)
    for i in range(PENDING + 5):
        delivery.send(numbered(i))
    assert delivery.dropped == 5
    flaky.down = False
    with pytest.raises(StorageError, match="5 alerts were not delivered"):
        delivery.close()
    assert len(flaky.got) == PENDING
