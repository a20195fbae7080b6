"""Promises about learning first, and about going on where it stopped."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oddcall.models.bundle import load_bundle
from oddcall.models.errors import EvidenceError, OddcallError, StorageError
from oddcall.service.board.board import Board
from oddcall.service.learning.child import NoChildError, TrainingChild
from oddcall.service.learning.evidence import Evidence
from oddcall.service.learning.learning import Learning
from oddcall.service.learning.lesson import interrupted_in, lesson_in
from oddcall.service.state import StateDir
from oddcall.training.recording import read_batches

from ..conftest import METADATA


class Child:
    """Stands for the training process: ends after some polls, with an outcome."""

    def __init__(self, polls: int = 3, outcome: OddcallError | None = None) -> None:
        self.polls, self.outcome, self.stopped = polls, outcome, False
        self.line = "calibrating"

    @property
    def running(self) -> bool:
        self.polls -= 1
        return self.polls > 0

    def finish(self) -> None:
        if self.outcome:
            raise self.outcome

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    found = StateDir(tmp_path / "state")
    found.make()
    return found


def learning_of(
    state: StateDir, screen: Any, start: Callable[..., Any], seconds: float = 30
) -> Learning:
    evidence = Evidence(seconds, 2, 10)
    return Learning(state, evidence, "1/day", METADATA, screen, Board({}, capacity=8), start)


def windows_in(recording: Path) -> int:
    return sum(len(batch) for batch in read_batches(recording))


def test_a_host_is_learned(
    state: StateDir, screen: Any, fake_sensor: Any, ordinary: list[Any]
) -> None:
    """Enough is recorded, trained on in another process, and saved; sensing goes on meanwhile."""
    sensor = fake_sensor(ordinary, endless=True)
    learning = learning_of(state, screen, TrainingChild, seconds=120)
    backlog = learning.run(sensor.ticks())
    assert backlog is not None
    model = load_bundle(state.baseline)
    assert {p.program.name for p in model.programs} == {"nginx", "dash"}
    assert windows_in(state.learning) == 2 * 121
    assert len(list(backlog)) > 2, "what came while training is judged, once"
    assert not state.catch_up.exists()
    shown = [status.line for status in screen.statuses]
    assert any("windows of 2 programs, 2 with enough" in line for line in shown)
    assert any(line.startswith("training: ") for line in shown)
    table = next(s.rows for s in screen.statuses if s.rows)
    assert [row[0] for row in table] == ["nginx", "dash"]


def test_how_far_a_lesson_is_can_be_asked(
    state: StateDir, screen: Any, fake_sensor: Any, ordinary: list[Any]
) -> None:
    """What the screen says, and how long still, is written down while it goes on, not after."""
    told = []

    def asked(ticks: Iterator[Any]) -> Iterator[Any]:
        for tick in ticks:
            yield tick
            told.append(lesson_in(state))

    ticks = asked(fake_sensor(ordinary, endless=True).ticks())
    with state.held():
        learning = learning_of(state, screen, lambda *_: Child(polls=12), seconds=60)
        backlog = learning.run(ticks)
        assert backlog is not None
        lessons = [lesson for lesson in told if lesson]
        first, last = lessons[1], lessons[-1]
        assert first.line == next(s.line for s in screen.statuses if s.line)
        assert first.remaining_s is not None
        assert 50 <= first.remaining_s <= 60
        assert (last.line, last.remaining_s) == ("training: calibrating", None)
        assert lesson_in(state) is None


def test_a_restart_goes_on(
    state: StateDir, screen: Any, fake_sensor: Any, ordinary: list[Any]
) -> None:
    """Stopped while collecting, the next start counts what was recorded before."""
    first = learning_of(state, screen, Child, seconds=30)
    assert first.run(fake_sensor(ordinary[:20]).ticks()) is None
    assert windows_in(state.learning) == 40
    left = interrupted_in(state)
    assert left is not None
    assert "15s more: 32 windows of 2 programs" in left.line
    second = learning_of(state, screen, lambda *_: Child(), seconds=30)
    assert second.run(fake_sensor(ordinary[20:60]).ticks()) is not None
    assert interrupted_in(state) is None
    assert "going on with 19s already learned: 40 windows" in screen.text
    assert 60 <= windows_in(state.learning) <= 70


def test_enough_before_the_restart_trains_at_once(
    state: StateDir, screen: Any, fake_sensor: Any, ordinary: list[Any]
) -> None:
    """Stopped while training, the next start trains on what is there."""
    first = learning_of(state, screen, lambda *_: Child(polls=10_000))
    assert first.run(fake_sensor(ordinary[:60]).ticks()) is None
    before = windows_in(state.learning)
    children: list[Child] = []

    def start(*_: Any) -> Child:
        children.append(Child(polls=1))
        return children[0]

    assert learning_of(state, screen, start).run(fake_sensor(ordinary[60:62]).ticks()) is not None
    assert windows_in(state.learning) == before
    assert children[0].stopped


def test_too_little_evidence_is_said_and_learned_on(
    state: StateDir, screen: Any, fake_sensor: Any, ordinary: list[Any]
) -> None:
    """Where training finds too little, the reason is said and learning goes on, losing nothing."""
    outcomes = [EvidenceError("no program was seen often enough"), None]
    learning = learning_of(state, screen, lambda *_: Child(outcome=outcomes.pop(0)))
    assert learning.run(fake_sensor(ordinary).ticks()) is not None
    assert "no program was seen often enough. Learning goes on." in screen.text
    seen = windows_in(state.learning)
    judged_later = 2 * 3
    assert seen >= 2 * 60 - judged_later, "what came during the first training is learned too"


def test_a_recording_that_cannot_be_read_is_kept_aside(
    state: StateDir, screen: Any, fake_sensor: Any, ordinary: list[Any]
) -> None:
    """A damaged recording of a learning is moved, not deleted, and learning begins anew."""
    state.learning.mkdir()
    (state.learning / "part-000000.parquet").write_bytes(b"not parquet")
    learning = learning_of(state, screen, lambda *_: Child())
    assert learning.run(fake_sensor(ordinary).ticks()) is not None
    assert "learning begins anew" in screen.text
    kept = state.path / "learning-unreadable" / "part-000000.parquet"
    assert kept.read_bytes() == b"not parquet"


def test_what_came_while_training_and_cannot_be_read_is_moved_aside(
    state: StateDir, screen: Any, fake_sensor: Any, ordinary: list[Any]
) -> None:
    """It ends no start: it is said, kept beside its place, and learning goes on without."""
    state.catch_up.mkdir()
    (state.catch_up / "part-000000.parquet").write_bytes(b"not parquet")
    learning = learning_of(state, screen, lambda *_: Child())
    assert learning.run(fake_sensor(ordinary).ticks()) is not None
    assert "catch-up-unreadable, and is left out." in screen.text
    kept = state.path / "catch-up-unreadable" / "part-000000.parquet"
    assert kept.read_bytes() == b"not parquet"


def test_learning_waits_until_a_child_can_be_started(
    state: StateDir,
    screen: Any,
    fake_sensor: Any,
    ordinary: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no process can be started it is said once, and tried again with every tick."""
    state.learning.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(state.path / "none"))

    def ticks() -> Iterator[Any]:
        for i, tick in enumerate(fake_sensor(ordinary).ticks()):
            if i == 5:
                tempfile.tempdir = str(state.path)
            yield tick

    started: list[int] = []

    def start(*_: Any) -> Child:
        started.append(1)
        if len(started) < 3:
            raise NoChildError("no child process could be started")
        return Child()

    assert learning_of(state, screen, start).run(ticks()) is not None
    assert len(started) == 3
    said = [line for line in screen.lines if "Learning waits until one can be." in line]
    assert len(said) == 2, "once for the reading, once for the training"


def test_stopping_ends_the_child(
    state: StateDir, screen: Any, fake_sensor: Any, ordinary: list[Any]
) -> None:
    """When the ticks end during training, the child is ended and nothing is judged."""
    child = Child(polls=10_000)
    learning = learning_of(state, screen, lambda *_: child)
    assert learning.run(fake_sensor(ordinary[:50]).ticks()) is None
    assert child.stopped


def test_a_failed_training_says_why(tmp_path: Path, screen: Any) -> None:
    """The child's own sentence and kind of error come back."""
    child = TrainingChild([tmp_path / "nothing"], tmp_path / "m.oddcall", "1/day", 40)
    while child.running:
        time.sleep(0.01)
    with pytest.raises(OddcallError, match="training failed: cannot read a recording") as caught:
        child.finish()
    assert caught.value.exit_code == 5
    child.stop()


def test_a_killed_training_says_so(tmp_path: Path, state: StateDir, ordinary: list[Any]) -> None:
    """A child that was killed is told by its signal; one that runs is asked to end, not killed."""
    child = TrainingChild([tmp_path], tmp_path / "m.oddcall", "1/day", 40)
    child._process.kill()
    child._process.wait()
    with pytest.raises(OddcallError, match="training failed; got a child ended by signal 9"):
        child.finish()
    child.stop()
    running = TrainingChild([tmp_path], tmp_path / "m.oddcall", "1/day", 40)
    running.stop()
    assert running._process.returncode != -signal.SIGKILL


def test_two_watches_do_not_share_a_state(state: StateDir) -> None:
    """The second one is told which process holds the directory."""
    with state.held(), pytest.raises(StorageError, match="in use; got another"), state.held():
        pass
    with state.held():
        pass
