"""Promises about a whole watch, and that replay gives what it gave."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddcall.models.errors import RecordingError, SettingError, StorageError
from oddcall.models.explanation.explanation import explain
from oddcall.models.window import WindowBatch
from oddcall.service import session
from oddcall.service.alerts.context import Context, recorded
from oddcall.service.board.board import Board
from oddcall.service.config.loading import load
from oddcall.service.history import History
from oddcall.service.learning.memory import recalled
from oddcall.service.learning.summary import warned
from oddcall.service.origin import host_of
from oddcall.service.replay.replay import Account, check_fit, replay
from oddcall.service.screen import Plain
from oddcall.service.session import Here, Request
from oddcall.service.sinks.base import Delivery
from oddcall.service.sinks.jsonl import JsonLines
from oddcall.service.watch import Pulse
from oddcall.training.failed_calls import CONNECTING, NO_FAILURE
from oddcall.training.fit import fit
from oddcall.training.recording import read_batches, read_metadata
from oddcall.training.synthetic import WEB, Chain, window

from .conftest import METADATA

PTRACE, CONNECT = 101, 42
#: 2023-11-14T22:13:20Z.
T0 = 1_700_000_000_000_000_000


@pytest.fixture
def request_of(tmp_path: Path) -> Any:
    flags = {"state_dir": str(tmp_path / "state"), "web.enabled": "false"}
    settings = load(flags, environ={}).settings
    return partial(Request, settings)


@pytest.fixture(autouse=True)
def explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The known model explains itself."""

    def by_itself(model: Any, batch: Any, row: int, verdicts: Any) -> Any:
        return model.explain(batch, row, verdicts)

    monkeypatch.setattr(session, "explain", by_itself)


def here(sensor: Any) -> Here:
    return Here(sensor, METADATA, host_of(METADATA), lambda pid, *_: Context(f"cmd {pid}", "init"))


@pytest.fixture
def busy(batch: Any, row: Any) -> list[Any]:
    """Forty seconds with three behaviours, an idle tick, and a burst of processes."""
    ticks = [batch(row(at_s=at), row(pid=200, at_s=at)) for at in range(1, 41)]
    ticks[4] = batch(row(at_s=5, calls={PTRACE: 2, 0: 90}), row(pid=200, at_s=5))
    ticks[5] = batch(row(at_s=6, calls={PTRACE: 4}))
    ticks[10] = batch()
    ticks[30] = batch(*(row(pid=p, at_s=31, calls={CONNECT: 1}, exits=1) for p in range(300, 340)))
    ticks[39] = batch(row(at_s=40, calls={PTRACE: 1}))
    return ticks


def test_replay_gives_what_watch_gave(
    tmp_path: Path, request_of: Any, odd_calls: Any, fake_sensor: Any, screen: Any, busy: list[Any]
) -> None:
    """Alerts of a watch and of a replay of what it kept are equal byte for byte."""
    live, again, kept = tmp_path / "live.jsonl", tmp_path / "again.jsonl", tmp_path / "kept"
    request = request_of(alerts=live, record=kept)
    session.run(request, odd_calls, here(fake_sensor(busy)), screen)

    host, people = host_of(read_metadata(kept)), recorded(kept)
    episodes = session.open_episodes(odd_calls, host, request.settings.alerts, people)
    delivery = Delivery([JsonLines(again, once=True)], screen.say)
    account = replay(read_batches(kept), episodes, delivery, screen)
    delivery.close()
    assert live.read_bytes() == again.read_bytes()
    states = [json.loads(line)["state"] for line in live.read_text().splitlines()]
    assert states == ["open", "close", "open", "update", "close", "close"]
    assert account.alerts == 2
    assert account.windows == sum(map(len, busy))
    first = json.loads(live.read_text().splitlines()[0])
    assert first["process"]["cmdline"] == "cmd 100"
    assert first["host"]["name"] == "web1"


@pytest.mark.parametrize("now", [CONNECTING, ""])
def test_a_shadow_of_another_meaning_of_failing_is_told_of(
    request_of: Any, odd_calls: Any, fake_sensor: Any, screen: Any, now: str
) -> None:
    """Else what it opens alone for that would be held against it, or for it."""
    calls = WEB.walk(300, np.random.default_rng(2))
    beside = fit([window(WEB, calls, second=i) for i in range(300)])
    host = replace(here(fake_sensor([])), metadata={**METADATA, NO_FAILURE: now})
    session.run(request_of(shadow=beside), odd_calls, host, screen)
    said = " ".join(screen.text.split())
    assert "in shadow, never sent: " in said
    assert ("as a failed call in what the model in shadow learned, and" in said) == bool(now)


def test_what_was_learned_outlives_a_restart(
    tmp_path: Path,
    request_of: Any,
    fake_sensor: Any,
    screen: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next watch begins from what this one learned, and what it keeps is judged so again."""
    monkeypatch.setattr(session, "explain", explain)
    random, getpid = np.random.default_rng(1), 39
    chain = Chain(WEB.program, WEB.paths[:5], WEB.weights[:5])

    def windows(count: int, start: int, every_s: int, *more: int) -> list[WindowBatch]:
        made = [np.concatenate([chain.walk(900, random), more]).astype(int) for _ in range(count)]
        return [window(chain, m, second=start + every_s * i) for i, m in enumerate(made)]

    model = fit(windows(300, 0, 1))
    session.run(request_of(), model, here(fake_sensor(windows(120, 1000, 30, getpid))), screen)
    (learned,) = recalled(request_of().settings.state_dir)
    assert getpid in learned.symbols

    live, again, kept = tmp_path / "live.jsonl", tmp_path / "again.jsonl", tmp_path / "kept"
    request = request_of(alerts=live, record=kept)
    later = [*windows(20, 9000, 1, getpid), *windows(1, 9030, 1, getpid, *[101] * 9)]
    session.run(request, model, here(fake_sensor(later)), screen)
    said = json.loads(live.read_text().splitlines()[0])["explanation"]["sentence"]
    assert "9 ptrace" in said
    assert "getpid" not in said
    host, people = host_of(read_metadata(kept)), recorded(kept)
    episodes = session.open_episodes(model, host, request.settings.alerts, people)
    episodes.learned = recalled(kept)
    delivery = Delivery([JsonLines(again, once=True)], screen.say)
    replay(read_batches(kept), episodes, delivery, screen)
    delivery.close()
    assert live.read_bytes() == again.read_bytes()


def test_the_person_is_told_and_so_is_the_machine(
    request_of: Any, odd_calls: Any, fake_sensor: Any, screen: Any, busy: list[Any]
) -> None:
    """Alerts are text on the screen, or JSON on the stream that was asked for, not both."""
    session.run(request_of(), odd_calls, here(fake_sensor(busy)), screen)
    assert "watching with model mmmmmmmmmmmm" in screen.lines[0]
    assert "nginx made a call it never made before." in screen.text
    stream = io.StringIO()
    quiet = type(screen)()
    session.run(request_of(json=stream), odd_calls, here(fake_sensor(busy)), quiet)
    assert {json.loads(line)["schema_version"] for line in stream.getvalue().splitlines()} == {1}
    assert "never made before" not in quiet.text
    assert "2 alerts, 1 that came back, lost 0" in screen.statuses[-1].line


def test_alerts_that_came_back_are_counted_apart(
    screen: Any, fake_sensor: Any, batch: Any, row: Any
) -> None:
    """A watch that saw an earlier alert return does not end with "0 alerts" alone."""
    pulse = Pulse(screen)
    assert "0 alerts, lost 0" in pulse.summary()
    for returns, state in ((1, "update"), (1, "close"), (2, "update")):
        pulse.count({"state": state, "episode_id": "a", "returns": returns})
    for _ in pulse.pass_on(fake_sensor([batch(row(at_s=1))]).ticks()):
        pass
    assert "0 alerts, 2 that came back, lost 0" in screen.statuses[-1].line, "while it goes on"
    assert "0 alerts, 2 that came back, lost 0" in pulse.summary()


def test_a_pipe_is_told_every_minute(fake_sensor: Any, batch: Any, row: Any) -> None:
    """Where there is no terminal, a watch says at once and every minute that it goes on."""
    stream, clock = io.StringIO(), [0.0]
    pulse = Pulse(Plain(stream, now=lambda: clock[0]))
    source = fake_sensor([batch(row(at_s=at)) for at in range(1, 151)])
    for _ in pulse.pass_on(source.ticks()):
        clock[0] += 1.0
    told = stream.getvalue().splitlines()
    assert [line.partition(":")[0] for line in told] == [
        "watching 1s",
        "watching 1m",
        "watching 2m",
    ]


def test_the_budget_of_the_day_outlives_a_restart(request_of: Any) -> None:
    """What opened before this start, since midnight, is used; what opened yesterday is not."""
    clock = [T0]
    board = Board({}, capacity=8, now=lambda: clock[0])
    state = session.StateDir(request_of().settings.state_dir)
    state.make()
    history = History(state.history, print)
    for number, second in enumerate((-1, 0, 1)):
        at = datetime.fromtimestamp(board.midnight_ns / 1e9 + second, UTC)
        history.add(line(number, at))
        history.add(line(number, at, "update"))
    history.close()
    session._remember(board, state)
    assert board.used_today == 2
    assert [alert["state"] for alert in board.alerts] == ["open", "update"] * 3
    board.alerted(line(9, datetime.fromtimestamp(T0 / 1e9, UTC)))
    assert board.used_today == 3
    clock[0] += 86_400 * 10**9
    assert board.used_today == 0


def line(number: int, at: datetime, state: str = "open") -> Any:
    """As much of an alert as the history and the board look at."""
    return {
        "id": f"{number:08x}-{len(state):04}-5000-8000-000000000000",
        "episode_id": f"{number:08x}-0000-5000-8000-000000000000",
        "state": state,
        "time": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "severity": "high",
        "program": {"exe": "/usr/sbin/nginx", "comm": "nginx"},
    }


def test_losses_are_said_once(
    request_of: Any, odd_calls: Any, screen: Any, batch: Any, row: Any, fake_sensor: Any
) -> None:
    """A loss is said when it happens, by kind, and stays in the status."""
    from dataclasses import replace

    class Losing(fake_sensor):
        def ticks(self) -> Any:
            for i, tick in enumerate(super().ticks()):
                yield replace(tick, lost={"full map": 0 if i < 3 else 17})

    source = Losing([batch(row(at_s=at)) for at in range(1, 9)])
    session.run(request_of(), odd_calls, here(source), screen)
    assert [line for line in screen.lines if "lost since" in line] == [
        "lost since the last tick: 17 full map"
    ]
    assert "lost 17" in screen.statuses[-1].line


def test_learning_first_then_watching(
    tmp_path: Path,
    odd_calls: Any,
    fake_sensor: Any,
    screen: Any,
    ordinary: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a model it learns, says that it watches, judges what came meanwhile, and goes on."""

    class Child:
        pid, ended_ns, line, polls = 4242, 0, "calibrating", 0

        def __init__(self, _recordings: Any, output: Path, budget: str, _windows: int) -> None:
            assert budget == "1/day"
            output.write_text("the baseline")

        @property
        def running(self) -> bool:
            self.polls += 1
            return self.polls < 5

        def finish(self) -> None:
            pass

        def stop(self) -> None:
            pass

    flags = {"state_dir": str(tmp_path / "state"), "web.enabled": "false"}
    flags["learning.duration"] = "100s"
    settings = load(flags, environ={}).settings
    monkeypatch.setattr(session, "Learning", partial(session.Learning, start=Child))
    monkeypatch.setattr(session, "load_bundle", lambda path: path.read_text() and odd_calls)
    state = session.StateDir(settings.state_dir)
    state.make()
    assert session.known_model(settings, None) is None
    kept = tmp_path / "kept"
    session.run(Request(settings, record=kept), None, here(fake_sensor(ordinary)), screen)
    assert screen.lines[0].startswith("no model yet: learning this host for 1m40s")
    assert screen.lines[0].endswith(
        "may alert (a database's checkpoint every five minutes, an hourly job or a backup at night)"
    )
    assert "program  windows  state" in screen.lines[1]
    assert all(line in screen.lines[1] for line in warned(odd_calls))
    assert odd_calls.warnings, "what it cannot promise is said to whoever only watches"
    assert screen.lines[2].startswith("watching with model")
    assert sum(map(len, read_batches(kept))) == 2 * (len(ordinary) - 101)
    assert session.known_model(settings, None) is odd_calls


def test_stopped_while_learning_is_said(
    request_of: Any, fake_sensor: Any, screen: Any, ordinary: list[Any]
) -> None:
    """A person who stops it early is told that nothing is lost."""
    request = request_of()
    session.StateDir(request.settings.state_dir).make()
    session.run(request, None, here(fake_sensor(ordinary[:5])), screen)
    assert screen.lines[-1] == "stopped while learning; the next start goes on from here"


def test_a_full_disk_ends_the_recording_not_the_watch(
    tmp_path: Path,
    request_of: Any,
    odd_calls: Any,
    fake_sensor: Any,
    screen: Any,
    busy: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Alerts keep coming when what is kept no longer fits; the exit code says so at the end."""
    from oddcall.training.recording import RecordingWriter

    appended: list[int] = []
    append = RecordingWriter.append

    def full(self: RecordingWriter, windows: Any) -> None:
        appended.append(len(windows))
        if len(appended) > 3:
            self.close()
            raise StorageError("cannot write part-000000", got="no space is left on the device")
        append(self, windows)

    monkeypatch.setattr(RecordingWriter, "append", full)
    alerts, kept = tmp_path / "a.jsonl", tmp_path / "kept"
    with pytest.raises(StorageError, match="no space is left"):
        session.run(
            request_of(alerts=alerts, record=kept), odd_calls, here(fake_sensor(busy)), screen
        )
    assert len(alerts.read_text().splitlines()) == 6
    assert sum(map(len, read_batches(kept))) == 6
    assert len([line for line in screen.lines if "The recording ends here" in line]) == 1


def test_alerts_that_cannot_be_opened_are_told_first(
    tmp_path: Path, request_of: Any, odd_calls: Any, fake_sensor: Any, screen: Any
) -> None:
    """A file of something else is refused before anything is judged."""
    notes = tmp_path / "notes"
    notes.write_text("notes")
    with pytest.raises(SettingError, match="holds something else"):
        session.run(request_of(alerts=notes), odd_calls, here(fake_sensor([])), screen)
    assert screen.lines == []


def test_a_recording_of_other_numbers_is_refused(odd_calls: Any) -> None:
    """Call numbers of another architecture, or another hash, are not judged."""

    class Spec:
        seed = 0

    odd_calls.spec, odd_calls.metadata = Spec(), {"arch": "x86_64"}
    check_fit(odd_calls, {"arch": "x86_64", "hash_seed": "0"}, Path("r"))
    for metadata in ({"arch": "aarch64"}, {"hash_seed": "7"}):
        with pytest.raises(RecordingError, match="cannot be judged by this model"):
            check_fit(odd_calls, metadata, Path("r"))


@pytest.mark.parametrize(
    ("days", "span", "a_day"),
    [(0.5, "12h", None), (0.99, "23h45m", None), (1.0, "1d", 1.0), (4.0, "4d", 0.25)],
)
def test_an_account_adds_up(
    batch: Any, row: Any, days: float, span: str, a_day: float | None
) -> None:
    """What was replayed is said in windows and time, and in alerts a day from one day on."""
    account = Account(budget_per_day=1.0)
    account.see(batch(row(at_s=1)))
    account.see(batch())
    account.see(batch(row(at_s=days * 86400)))
    account.count({"state": "open"})
    account.count({"state": "close"})
    assert account.as_dict() == {
        "windows": 2,
        "could_alert": 0,
        "days": days,
        "alerts": 1,
        "lines": 2,
        "alerts_per_day": a_day,
        "budget_per_day": 1.0,
    }
    assert str(account) == f"2 windows over {span}: 1 alert (the budget is 1/day)"


def test_a_watch_that_learns_nothing_names_what_nothing_judges(
    request_of: Any, odd_calls: Any, fake_sensor: Any, screen: Any, busy: list[Any]
) -> None:
    """What is to be forgotten no more waits for a watch that learns: said once, at the start."""
    odd_calls.restored = {WEB.program: T0}
    session.run(request_of(), odd_calls, here(fake_sensor(busy)), screen)
    said = [line for line in screen.lines if line.startswith("nothing judges")]
    assert len(said) == 1
    assert said[0].startswith("nothing judges python3.11: to be forgotten no more")
