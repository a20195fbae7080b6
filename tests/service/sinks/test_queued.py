"""Promises about sinks with a thread: they never block, lose nothing uncounted, and say so."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from oddcall.models.errors import StorageError
from oddcall.service.formats import FORMATS
from oddcall.service.sinks.backoff import Backoff
from oddcall.service.sinks.fanout import FanOut
from oddcall.service.sinks.filter import Filter
from oddcall.service.sinks.losses import Losses
from oddcall.service.sinks.memory import Memory
from oddcall.service.sinks.queued import Queued, QueuedSettings
from oddcall.service.sinks.spool import Spool
from oddcall.service.sinks.transport import DeliveryError, Record, RefusedError

Alerts = Callable[..., dict[str, Any]]


class Way:
    """A transport that does as it is told, and remembers."""

    def __init__(self, batch: int = 1) -> None:
        self.batch = batch
        self.got: list[Record] = []
        self.error: Exception | None = None
        self.poison: set[str] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.tries, self.closed = 0, False

    def send(self, records: Sequence[Record]) -> None:
        self.gate.wait(60)
        self.tries += 1
        if self.error:
            raise self.error
        if self.poison & {record.id for record in records}:
            raise RefusedError("the way refuses it")
        self.got += records

    def reach(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    @property
    def numbers(self) -> list[int]:
        return [int(r.id[-6:]) for r in self.got if "notice" not in r.alert]

    @property
    def notices(self) -> list[dict[str, int]]:
        return [r.alert["counts"] for r in self.got if "notice" in r.alert]


@pytest.fixture
def sink_of(host: dict[str, str], screen: Any, hasty: Any) -> Any:
    """A sink over a way; waits are short unless told otherwise."""

    def made(way: Way, queue: Any = None, **settings: Any) -> Queued:
        chosen = QueuedSettings(**{"backoff": hasty, "drain_s": 2.0, **settings})
        queue = Memory(100) if queue is None else queue
        return Queued("the way", way, queue, host, screen.say, chosen)

    return made


def test_alerts_arrive_in_order(sink_of: Any, alert_of: Alerts) -> None:
    """Everything arrives once, in order, by the time it is closed."""
    way = Way()
    sink = sink_of(way)
    for i in range(20):
        sink.send(alert_of(i))
    sink.close()
    assert way.numbers == list(range(20))
    assert way.closed


def test_what_is_not_wanted_is_not_sent(sink_of: Any, alert_of: Alerts) -> None:
    """The filter and the format of the sink are applied, and the alert is left as it is."""
    way = Way()
    sink = sink_of(way, wanted=Filter("high"), shape=FORMATS["falco"])
    sink.send(alert_of(1, "low"))
    sink.send(alert_of(2, "high"))
    sink.close()
    assert [record.body["priority"] for record in way.got] == ["Error"]
    assert way.got[0].alert == alert_of(2, "high")


def test_a_sink_that_hangs_blocks_nobody(sink_of: Any, alert_of: Alerts, tmp_path: Path) -> None:
    """Queueing takes no time while the other side hangs, and stopping takes what it may."""
    way = Way()
    way.gate.clear()
    sink = sink_of(way, Spool(tmp_path / "q", 10_000, print), drain_s=0.3)
    began = time.monotonic()
    for i in range(200):
        sink.send(alert_of(i))
    assert time.monotonic() - began < 30, "half of what one delivery takes"
    began = time.monotonic()
    sink.close()
    assert 0.3 <= time.monotonic() - began < 30
    way.gate.set()
    again = Spool(tmp_path / "q", 10_000, print)
    assert len(again) == 200
    again.close()


def test_a_failing_sink_gets_everything_later(
    sink_of: Any, alert_of: Alerts, screen: Any, until: Any
) -> None:
    """It is tried until it works; a person is told once that it fails, and once that it works."""
    way = Way()
    way.error = DeliveryError("it is down", fix="Wait.")
    sink = sink_of(way)
    for i in range(5):
        sink.send(alert_of(i))
    until(lambda: way.tries >= 3)
    assert sink.state.failing == "it is down. Wait."
    assert sink.state.waiting == 5
    way.error = OSError("still down")
    until(lambda: "still down" in sink.state.failing)
    way.error = None
    until(lambda: sink.state.waiting == 0)
    sink.close()
    assert way.numbers == [0, 1, 2, 3, 4]
    assert screen.lines == [
        "alerts wait for the way: it is down. Wait.",
        "the way takes alerts again",
    ]


def test_a_mistake_of_ours_does_not_silence_a_sink(
    sink_of: Any, alert_of: Alerts, screen: Any, until: Any
) -> None:
    """An exception nobody foresaw is said, and the alert is tried again."""
    way = Way()
    way.error = ZeroDivisionError("oh")
    sink = sink_of(way)
    sink.send(alert_of(1))
    until(lambda: "a mistake of oddcall's own: ZeroDivisionError('oh')" in screen.text)
    way.error = None
    sink.close()
    assert way.numbers == [1]


def test_what_is_dropped_is_told_there(
    sink_of: Any, alert_of: Alerts, screen: Any, until: Any
) -> None:
    """When the queue was full, whoever reads the sink learns how many are missing."""
    way = Way()
    way.error = DeliveryError("it is down")
    sink = sink_of(way, Memory(10))
    for i in range(25):
        sink.send(alert_of(i))
    assert "the queue of the way is full: alerts are dropped from now on" in screen.lines
    assert sink.state.dropped.full == 15
    way.error = None
    until(lambda: way.notices)
    sink.close()
    assert len(way.numbers) == 10
    assert way.notices == [{"full": 15, "refused": 0}]
    assert "15 alerts for the way had to be dropped: 15 when its queue was full." in screen.lines


def test_notices_come_in_the_format_of_the_sink(sink_of: Any, alert_of: Alerts, until: Any) -> None:
    """A SIEM that reads OCSF gets the notice as OCSF."""
    way = Way()
    way.error = DeliveryError("it is down")
    sink = sink_of(way, Memory(1), shape=FORMATS["ocsf"])
    sink.send(alert_of(1))
    sink.send(alert_of(2))
    way.error = None
    until(lambda: way.notices)
    assert way.got[-1].body["class_uid"] == 6008
    sink.close()


def test_a_refused_alert_holds_nobody_up(sink_of: Any, alert_of: Alerts, until: Any) -> None:
    """One that is refused while others are taken is dropped in the end, counted, and told."""
    way = Way(batch=4)
    way.poison = {alert_of(2)["id"]}
    sink = sink_of(way)
    for i in range(12):
        sink.send(alert_of(i))
    until(lambda: len(way.numbers) == 11)
    sent = 12
    while not way.notices:
        sink.send(alert_of(sent))
        until(lambda now=sent: now in way.numbers)
        sent += 1
        assert sent < 1000
        time.sleep(0.05)
    sink.close()
    assert sorted(way.numbers) == [i for i in range(sent) if i != 2]
    assert way.notices == [{"full": 0, "refused": 1}]
    assert sink.state.dropped == Losses(refused=1)


def test_an_endpoint_that_refuses_everything_loses_nothing(
    sink_of: Any, alert_of: Alerts, until: Any
) -> None:
    """When nothing is taken it is no fault of the alerts: they wait until it is put right."""
    way = Way()
    way.poison = {alert_of(i)["id"] for i in range(3)}
    sink = sink_of(way)
    for i in range(3):
        sink.send(alert_of(i))
    until(lambda: way.tries > 12)
    assert sink.state.waiting == 3
    way.poison = set()
    sink.close()
    assert sorted(way.numbers) == [0, 1, 2]
    assert not sink.state.dropped


def test_an_alert_no_format_takes_holds_nobody_up(sink_of: Any, alert_of: Alerts) -> None:
    """A broken alert is treated as one that is refused."""
    way = Way(batch=3)
    sink = sink_of(way, shape=FORMATS["ecs"])
    broken = {k: v for k, v in alert_of(0).items() if k != "score"}
    for alert in (broken, alert_of(1), alert_of(2)):
        sink.send(alert)
    sink.close()
    assert way.numbers == [1, 2]
    assert sink.state.dropped == Losses(refused=1)


def test_the_next_start_goes_on(
    sink_of: Any, alert_of: Alerts, tmp_path: Path, screen: Any
) -> None:
    """What a stopped watch could not deliver is delivered by the next one, and it says so."""
    way, path = Way(), tmp_path / "q.sqlite"
    way.error = DeliveryError("it is down")
    sink = sink_of(way, Spool(path, 10, screen.say), drain_s=0.1)
    for i in range(15):
        sink.send(alert_of(i))
    sink.close()
    assert (
        screen.lines[-1]
        == "10 alerts were not delivered to the way; the next start goes on with them"
    )
    way.error = None
    sink_of(way, Spool(path, 10, screen.say)).close()
    # The first one may have been on its way when the queue was full.
    assert way.numbers[1:] == list(range(6, 15))
    assert len(way.numbers) == 10
    assert way.notices == [{"full": 5, "refused": 0}]


def test_what_is_only_in_memory_is_an_error_at_the_end(sink_of: Any, alert_of: Alerts) -> None:
    """Nothing is lost in silence: the command ends with the disk's exit code."""
    way = Way()
    way.error = DeliveryError("it is down")
    sink = sink_of(way, drain_s=0.1)
    sink.send(alert_of(1))
    with pytest.raises(StorageError, match="1 alert was not delivered; got it is down") as caught:
        sink.close()
    assert caught.value.exit_code == 7


def test_a_reader_that_left_ends_it(sink_of: Any, alert_of: Alerts, until: Any) -> None:
    """`oddcall watch --json | head -1` ends: the pipe is raised where alerts are made."""
    way = Way()
    way.error = BrokenPipeError()
    sink = sink_of(way)

    def broken() -> bool:
        try:
            sink.send(alert_of(1))
        except BrokenPipeError:
            return True
        return False

    until(broken)
    sink.close()


def test_the_other_side_may_ask_to_wait(sink_of: Any, alert_of: Alerts, until: Any) -> None:
    """A wait it asks for is kept, unless it is time to end."""
    way = Way()
    way.error = DeliveryError("slow down", after_s=60.0)
    sink = sink_of(way)
    sink.send(alert_of(1))
    until(lambda: way.tries == 1)
    time.sleep(0.2)
    assert way.tries == 1
    way.error = None
    sink.close()
    assert way.numbers == [1]


def test_waits_double_up_to_a_bound() -> None:
    """Each wait is between half and the whole of twice the one before; success begins anew."""
    backoff = Backoff(1.0, 8.0)
    for grown in (1, 2, 4, 8, 8, 8):
        assert grown / 2 <= backoff.next_s() <= grown
    backoff.reset()
    assert backoff.next_s() <= 1
    assert len({Backoff().next_s() for _ in range(9)}) > 1


def test_all_are_stopped_before_any_is_waited_for(
    sink_of: Any, alert_of: Alerts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead sinks take as long to stop as one of them, and one that works is drained."""
    order: list[str] = []

    def noted(verb: str) -> None:
        real = getattr(Queued, verb)
        monkeypatch.setattr(Queued, verb, lambda sink: (order.append(verb), real(sink)))

    noted("stop")
    noted("close")
    ways = [Way(), Way(), Way()]
    for way in ways[:2]:
        way.gate.clear()
    fan = FanOut([sink_of(way, drain_s=0.4) for way in ways])
    fan.send(alert_of(1))
    with pytest.raises(StorageError, match="too slow"):
        fan.close()
    assert order[:4] == ["stop", "stop", "stop", "close"]
    assert ways[2].numbers == [1]
    assert [state.waiting for state in fan.states] == [1, 1, 0]
    for way in ways:
        way.gate.set()


def test_sending_while_it_is_down_and_up(sink_of: Any, alert_of: Alerts, tmp_path: Path) -> None:
    """Under load, with a way that comes and goes, sent is delivered or counted."""
    way, stop = Way(batch=7), threading.Event()
    sink = sink_of(way, Spool(tmp_path / "q", 40, print))

    def come_and_go() -> None:
        while not stop.wait(0.01):
            way.error = None if way.error else DeliveryError("it is down")
        way.error = None

    flapping = threading.Thread(target=come_and_go)
    flapping.start()
    for i in range(600):
        sink.send(alert_of(i))
        if i % 50 == 0:
            time.sleep(0.02)
    stop.set()
    flapping.join()
    sink.close()
    assert sorted(set(way.numbers)) == sorted(way.numbers)
    dropped = sink.state.dropped.full
    assert len(way.numbers) + dropped == 600
    assert sum(counts["full"] for counts in way.notices) == dropped


@pytest.mark.parametrize("freed", [True, False])
def test_a_disk_that_is_full_at_the_end(
    sink_of: Any, alert_of: Alerts, tmp_path: Path, screen: Any, freed: bool
) -> None:
    """What waits in memory is put on disk when it can be; else it is counted, and an error."""
    path, way, lost = tmp_path / "q.sqlite", Way(), 0
    way.error = DeliveryError("it is down")
    queue = Spool(path, 1000, screen.say)
    sink = sink_of(way, queue, drain_s=0.0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        for i in range(100):
            sink.send(alert_of(i))
        if freed:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            sink.close()
        else:
            with pytest.raises(StorageError, match=r"\d+ alerts were not delivered"):
                sink.close()
            lost = queue.toll.lost.full
            assert lost
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "wait in memory" in screen.text
    said = f"{100 - lost} alerts were not delivered to the way; the next start goes on with them"
    assert said in screen.text
    again = Spool(path, 1000, screen.say)
    assert [int(w.alert["id"][-6:]) for w in again.first(200)] == list(range(100 - lost))
    again.close()
