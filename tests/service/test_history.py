"""Promises of the history of alerts: it is bounded, outlives a kill, and never stops a watch."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddcall.models.errors import SettingError, StorageError
from oddcall.models.features import FeatureSpec
from oddcall.models.tolerance import Behaviour
from oddcall.models.window import Program
from oddcall.service.history import History, titled


def line(number: int, state: str = "open", episode: int | None = None, day: int = 1) -> Any:
    """As much of an alert as the history looks at."""
    of = number if episode is None else episode
    return {
        "id": f"{number:08x}-0000-5000-8000-000000000000",
        "episode_id": f"{of:08x}-0000-5000-8000-000000000000",
        "state": state,
        "time": f"2026-11-{day:02d}T10:00:00.000000Z",
        "severity": "high",
        "program": {"exe": "/usr/sbin/nginx", "comm": "nginx"},
    }


@pytest.fixture
def history(tmp_path: Path, screen: Any) -> Any:
    opened = History(tmp_path / "h.sqlite", screen.say, most=100)
    yield opened
    opened.close()


def test_lines_come_newest_first(history: History) -> None:
    """Every line comes once, whole, the newest first, and no more than asked for."""
    for i in range(30):
        history.add(line(i))
        history.add(line(i))
    assert [kept.alert for kept in history.latest(20)] == [line(i) for i in range(29, 9, -1)]


def test_episodes_come_page_by_page(history: History) -> None:
    """Each comes once, whole, by the last line that shows something; of all programs, or some."""
    for i in range(10):
        history.add(line(i))
    history.add(line(100, "update", episode=3))
    history.add(line(101, "close", episode=3))
    history.add(line(102, "close", episode=5))
    other = line(200)
    history.add({**other, "program": {"exe": "/opt/Backup/run", "comm": "nightly"}})
    first = history.episodes(4)
    assert [episode.lines[0].id for episode in first] == [line(i)["id"] for i in (200, 3, 9, 8)]
    assert [kept.alert["state"] for kept in first[1].lines] == ["open", "update", "close"]
    rest = history.episodes(20, before=first[-1].place)
    left = [episode.lines[0].id for episode in rest]
    assert left == [line(i)["id"] for i in (7, 6, 5, 4, 2, 1, 0)]
    for word in ("backup", "NIGHTLY", "/opt/"):
        (found,) = history.episodes(20, program=word)
        assert [kept.id for kept in found.lines] == [other["id"]]
    assert history.episodes(20, program="%") == []


def test_an_alert_is_found_by_what_a_person_types(history: History) -> None:
    """By id, episode, the beginning of one, or last; several or none is said, and where."""
    with pytest.raises(SettingError, match=r"there has been no alert yet: \S+ holds none\. If"):
        history.find("last")
    history.add(line(0xABCD0001))
    history.add(line(0xFFFF0000, "close", episode=0xABCD0001))
    history.add(line(0xABCD9999))
    for word in (line(0xABCD0001)["id"], "abcd0", "ffff"):
        assert history.find(word).episode_id == line(0xABCD0001)["id"]
    history.add(line(0xFFFF0001, "close", episode=0xABCD0001))
    assert history.find("last").id == line(0xABCD9999)["id"]
    for word, got in (
        ("abcd", "2 of that beginning"),
        ("beef", "no alert of that beginning"),
        ("abc", "3 characters"),
    ):
        with pytest.raises(SettingError, match=got):
            history.find(word)
    with pytest.raises(SettingError, match="no alert of that beginning"):
        history.find("abc*")


def test_the_oldest_go_first_and_the_days_stay(history: History) -> None:
    """Past the bound the oldest lines go, with what their programs did; counts a day remain."""
    behaviour = Behaviour.of(
        Program("/usr/sbin/nginx"), np.array([101]), FeatureSpec().vectors(_window())
    )
    for i in range(250):
        history.add(line(i, day=1 + i // 125))
        history.behaved(line(i)["id"], [behaviour])
    assert len(history.latest(1000)) == 100
    assert history.behaviours(line(3)["id"]) == []
    kept = history.behaviours(line(249)["id"])
    assert [b.program for b in kept] == [behaviour.program]
    assert (kept[0].windows != behaviour.windows).nnz == 0
    assert history.per_day(10**4) == {"2026-11-01": 125, "2026-11-02": 125}


def _window() -> Any:
    from oddcall.training.synthetic import attacks

    return attacks(1, 0)["scan"][0]


def test_readers_see_what_a_killed_watch_wrote(tmp_path: Path) -> None:
    """What was added before a kill -9 is there for a reader, which may come in between."""
    path = tmp_path / "h.sqlite"
    code = (
        "import sys, json, time; from pathlib import Path;"
        "from oddcall.service.history import History;"
        f"h = History(Path({str(path)!r}), print);"
        "[h.add(json.loads(l)) or print('added', flush=True) for l in sys.stdin]"
    )
    import json

    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdin
        assert writer.stdout
        for i in range(5):
            writer.stdin.write(json.dumps(line(i)) + "\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "added\n"
            reader = History.reading(path)
            assert len(reader.latest()) == i + 1
            reader.close()
        os.kill(writer.pid, signal.SIGKILL)
    reader = History.reading(path)
    assert [kept.alert for kept in reader.latest()] == [line(i) for i in range(4, -1, -1)]
    reader.close()


def test_a_damaged_history_is_set_aside(tmp_path: Path, screen: Any) -> None:
    """A file that is no database is kept under another name, said, and a new one begun."""
    path = tmp_path / "h.sqlite"
    path.write_bytes(b"no database at all" * 100)
    history = History(path, screen.say)
    history.add(line(1))
    assert len(history.latest()) == 1
    assert "is damaged" in screen.text
    assert (tmp_path / "h.damaged").exists()
    history.close()


@pytest.mark.parametrize("what", ["the file", "the folder", "a copy in its place"])
def test_a_history_that_is_taken_away_is_begun_anew(tmp_path: Path, screen: Any, what: str) -> None:
    """Lines go to the file that has the name, not to one that nobody finds; it is said once."""
    path = tmp_path / "state" / "h.sqlite"
    history = History(path, screen.say)
    history.add(line(1))
    if what == "the folder":
        shutil.rmtree(path.parent)
    else:
        path.rename(tmp_path / "moved")
    if what == "a copy in its place":
        History(path).close()
    for i in (2, 3):
        history.add(line(i))
    reader = History.reading(path)
    assert [kept.alert for kept in reader.latest()] == [line(3), line(2)]
    assert [kept.alert for kept in history.latest()] == [line(3), line(2)]
    assert screen.text.count("was removed or replaced") == 1
    reader.close()
    history.close()


def test_a_history_that_cannot_be_begun_anew_ends_nothing(tmp_path: Path, screen: Any) -> None:
    """Where its folder became something else it is said once, and works once it is mended."""
    path = tmp_path / "state" / "h.sqlite"
    history = History(path, screen.say)
    shutil.rmtree(path.parent)
    path.parent.write_text("")
    for i in range(3):
        history.add(line(i))
    assert screen.text.count("alerts are not kept") == 1
    path.parent.unlink()
    history.add(line(4))
    assert [kept.alert for kept in history.latest()] == [line(4)]
    history.close()


def test_without_a_history_there_is_one_sentence(tmp_path: Path) -> None:
    """A reader of none is told where it would come from; one that is no file, why not."""
    with pytest.raises(SettingError, match="no alert is known in"):
        History.reading(tmp_path / "h.sqlite")
    (tmp_path / "h.sqlite").write_text("nothing of ours" * 99)
    with pytest.raises(StorageError, match="cannot be used"):
        History.reading(tmp_path / "h.sqlite")


def test_a_title_is_one_line() -> None:
    """When, how grave, and which program."""
    assert titled(line(1)) == "2026-11-01 10:00:00  high      nginx"
