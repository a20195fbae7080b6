"""Promises about the queues: what waits is bounded, kept over a kill, and counted when dropped."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.service.sinks.losses import Losses
from oddcall.service.sinks.memory import Memory, Queue
from oddcall.service.sinks.spool import InUseError, Spool

Alerts = Callable[..., dict[str, Any]]


@pytest.fixture(params=["memory", "disk"])
def queue_of(request: Any, tmp_path: Path, screen: Any) -> Callable[[int], Queue]:
    def made(most: int) -> Queue:
        if request.param == "memory":
            return Memory(most)
        return Spool(tmp_path / "queues" / "q.sqlite", most, screen.say)

    return made


def drain(queue: Queue, at_once: int = 3) -> list[int]:
    """Numbers of everything that waits, oldest first."""
    numbers = []
    while taken := queue.first(at_once):
        numbers += [int(waiting.alert["id"][-6:]) for waiting in taken]
        queue.done(taken)
    return numbers


def test_first_in_first_out(queue_of: Any, alert_of: Alerts) -> None:
    """What waits comes out whole, in order, and once."""
    queue = queue_of(10)
    for i in range(7):
        queue.put(alert_of(i))
    assert len(queue) == 7
    assert [waiting.alert for waiting in queue.first(2)] == [alert_of(0), alert_of(1)]
    assert drain(queue) == list(range(7))
    assert len(queue) == 0
    assert not queue.toll.lost


def test_what_was_not_delivered_stays(queue_of: Any, alert_of: Alerts) -> None:
    """Taken and not done is taken again, the first of it as well."""
    queue = queue_of(10)
    for i in range(4):
        queue.put(alert_of(i))
    assert [w.alert["id"] for w in queue.first(3)] == [w.alert["id"] for w in queue.first(3)]
    assert drain(queue) == [0, 1, 2, 3]


def test_the_least_worthy_is_dropped_and_counted(queue_of: Any, alert_of: Alerts) -> None:
    """A flood of small alerts does not push out the grave one that came before it."""
    queue = queue_of(3)
    queue.put(alert_of(0, "critical"))
    queue.put(alert_of(1, "low", "update"))
    queue.put(alert_of(2, "low", "open"))
    for i in range(3, 50):
        queue.put(alert_of(i, "low", "open"))
    assert queue.toll.lost == Losses(full=47)
    assert drain(queue) == [0, 48, 49]


def test_what_is_on_its_way_is_not_dropped(queue_of: Any, alert_of: Alerts) -> None:
    """An alert that is being sent is never counted as dropped as well."""
    queue = queue_of(2)
    queue.put(alert_of(0, "low"))
    queue.put(alert_of(1, "low"))
    flying = queue.first(1)
    queue.put(alert_of(2, "high"))
    queue.done(flying)
    assert drain(queue) == [2]
    assert queue.toll.lost.full == 1


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "take"]), st.sampled_from(["low", "high"])), max_size=60
    )
)
def test_nothing_is_lost_but_what_is_counted(steps: list[tuple[str, str]]) -> None:
    """Put equals delivered and waiting and dropped, whatever the order."""
    queue = Memory(4)
    put = delivered = 0
    for what, severity in steps:
        if what == "put":
            queue.put({"id": str(put), "severity": severity, "state": "open"})
            put += 1
        else:
            taken = queue.first(2)
            queue.done(taken)
            delivered += len(taken)
        assert len(queue) <= 4
        assert put == delivered + len(queue) + queue.toll.lost.total


def test_a_kill_loses_nothing(tmp_path: Path, screen: Any) -> None:
    """What `put` returned from is there after a kill -9, with the counts."""
    path = tmp_path / "q.sqlite"
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from oddcall.service.sinks.spool import Spool\n"
        "queue = Spool(Path(sys.argv[1]), 5, print)\n"
        "for i in range(8):\n"
        "    queue.put({'id': f'{i:06d}', 'severity': 'low', 'state': 'open'})\n"
        "queue.done(queue.first(1))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    queue = Spool(path, 5, screen.say)
    assert queue.toll.lost == queue.toll.untold == Losses(full=3)
    assert drain(queue) == [4, 5, 6, 7]
    queue.told(Losses(full=3))
    queue.close()
    assert not Spool(path, 5, screen.say).toll.untold
    assert path.stat().st_mode & 0o077 == 0


def test_the_same_alert_waits_once(tmp_path: Path, screen: Any, alert_of: Alerts) -> None:
    """An id that waits already is not queued again."""
    queue = Spool(tmp_path / "q", 5, screen.say)
    for _ in range(3):
        queue.put(alert_of(1))
    assert len(queue) == 1
    assert drain(queue) == [1]


def test_one_process_a_queue(tmp_path: Path, screen: Any) -> None:
    """A second user is told who is in the way, and finds it free once the first has closed."""
    path = tmp_path / "q.sqlite"
    first = Spool(path, 5, screen.say)
    with pytest.raises(InUseError, match=r"is in use; got another `oddcall watch`\. Stop that one"):
        Spool(path, 5, screen.say)
    first.close()
    Spool(path, 5, screen.say).close()


def test_a_damaged_queue_is_set_aside(tmp_path: Path, screen: Any, alert_of: Alerts) -> None:
    """A file that is no queue is kept under another name, said, and work goes on."""
    path = tmp_path / "q.sqlite"
    path.write_bytes(b"no database at all, but long enough to be looked at" * 50)
    queue = Spool(path, 5, screen.say)
    queue.put(alert_of(1))
    assert drain(queue) == [1]
    assert (tmp_path / "q.damaged").read_bytes().startswith(b"no database")
    assert "is damaged" in screen.text
    queue.close()


def test_a_queue_of_a_newer_oddcall_is_left_alone(tmp_path: Path, screen: Any) -> None:
    """What cannot be read rightly is neither read nor renamed."""
    path = tmp_path / "q.sqlite"
    Spool(path, 5, screen.say).close()
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(Exception, match="written by a newer oddcall"):
        Spool(path, 5, screen.say)
    assert path.exists()


def test_a_full_disk_does_not_stop_alerts(tmp_path: Path, screen: Any, alert_of: Alerts) -> None:
    """Where the file cannot grow, alerts wait in memory, in order; it is said once."""
    queue = Spool(tmp_path / "q.sqlite", 1000, screen.say)
    queue.put(alert_of(0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, hard))
    try:
        for i in range(1, 100):
            queue.put(alert_of(i))
        assert len(queue) == 100
        assert len([line for line in screen.lines if "wait in memory" in line]) == 1
        assert drain(queue) == list(range(100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    queue.put(alert_of(100))
    assert drain(queue) == [100]
    assert not queue.toll.lost
    queue.close()
