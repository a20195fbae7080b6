"""``watch`` without a model: record, train in a child, come back with a baseline.

::

    collect ──enough──> train (a child; sensing goes on) ──> baseline.oddcall
       ^                  │ too little evidence
       └──────────────────┘

What is collected lies in the state directory, so that a restart goes on where
the last one stopped.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from oddcall.models.durations import format_duration
from oddcall.models.errors import EvidenceError, OddcallError, RecordingError
from oddcall.models.window import WindowBatch
from oddcall.service.board.board import Board
from oddcall.service.learning.apart import RecordingChild, read_apart
from oddcall.service.learning.child import NoChildError, TrainingChild
from oddcall.service.learning.evidence import Evidence
from oddcall.service.learning.lesson import Telling
from oddcall.service.naming import shortened
from oddcall.service.quantities import counted
from oddcall.service.screen import Screen, Status
from oddcall.service.state import StateDir

if TYPE_CHECKING:
    from oddcall.sensor.sensor import Tick

T = TypeVar("T")


class Learning:
    """Brings a baseline about.

    Parameters
    ----------
    state : StateDir
        Where recordings and the baseline are kept.
    evidence : Evidence
        Says when enough was seen.
    budget : str
        As typed, for training.
    metadata : dict of str
        For the recordings.
    screen : Screen
    board : Board
    start : callable, default TrainingChild
        Starts training: ``start(recordings, output, budget, min_windows)``.
    """

    def __init__(
        self,
        state: StateDir,
        evidence: Evidence,
        budget: str,
        metadata: dict[str, str],
        screen: Screen,
        board: Board,
        start: Callable[[Sequence[Path], Path, str, int], TrainingChild] = TrainingChild,
    ) -> None:
        self._start = start
        self._state, self._evidence, self._budget = state, evidence, budget
        self._metadata, self._screen, self._board = metadata, screen, board
        self._telling = Telling(state)

    def run(self, ticks: Iterator[Tick]) -> Iterator[WindowBatch] | None:
        """Learn from ticks until the baseline lies in the state directory.

        Returns
        -------
        The batches that came while it was being trained, still to be judged; or None when the
        ticks ended first, and the next run goes on from what was recorded.

        Raises
        ------
        StorageError
            When the recording or the baseline cannot be written; what was recorded stays.
        """
        if not self._patiently(self._resume, ticks):
            return None
        backlog = self._learn(ticks)
        if backlog is not None:
            self._telling.end()
        return backlog

    def _learn(self, ticks: Iterator[Tick]) -> Iterator[WindowBatch] | None:
        while True:
            if not self._evidence.enough and not self._collect(ticks):
                return None
            try:
                return self._train(ticks)
            except EvidenceError as error:
                self._screen.say(f"{error} Learning goes on.")
                self._evidence.wait_longer()

    def _patiently(self, start: Callable[[], T], ticks: Iterator[Tick]) -> T | None:
        """Start a child, tick by tick until one can be started; None when the ticks ended first."""
        told = False
        while True:
            try:
                return start()
            except NoChildError as error:
                if not told:
                    self._screen.say(f"{error} Learning waits until one can be.")
                told = True
            if next(ticks, None) is None:
                return None

    def _resume(self) -> bool:
        if not self._state.learning.is_dir():
            return True
        try:
            for batch in read_apart(self._state.learning):
                self._evidence.add(batch)
        except RecordingError as error:
            aside = _moved_aside(self._state.learning)
            self._screen.say(f"{error} It was moved to {aside}; learning begins anew.")
            self._evidence.reset()
        else:
            self._screen.say(
                f"going on with {format_duration(round(self._evidence.elapsed_s))} "
                f"already learned: {counted(self._evidence.windows, 'window')}"
            )
        return True

    def _collect(self, ticks: Iterator[Tick]) -> bool:
        """Record until there is enough; False when the ticks ended first."""
        writer = self._patiently(lambda: self._writer(self._state.learning), ticks)
        if writer is None:
            return False
        with writer:
            for batch in self._caught_up():
                writer.append(batch)
                self._evidence.add(batch)
            for tick in ticks:
                writer.append(tick.windows)
                self._evidence.add(tick.windows, tick.time_ns, tick.interval_s)
                status = progress(self._evidence)
                self._screen.show(status)
                self._board.learning(self._evidence, status.line)
                left_s = self._evidence.remaining_s
                self._telling.tell(status.line, tick.time_ns, status.done, left_s)
                if self._evidence.enough:
                    return True
        return False

    def _train(self, ticks: Iterator[Tick]) -> Iterator[WindowBatch] | None:
        shutil.rmtree(self._state.catch_up, ignore_errors=True)
        child = self._patiently(self._trainer, ticks)
        if child is None:
            return None
        try:
            writer = self._patiently(lambda: self._writer(self._state.catch_up), ticks)
            if writer is None:
                return None
            with writer:
                for tick in ticks:
                    writer.append(tick.windows)
                    line = f"training: {child.line or 'begins'}"
                    self._screen.show(Status(line))
                    self._board.training(line)
                    self._telling.tell(line, tick.time_ns)
                    if not child.running:
                        break
                else:
                    return None
            child.finish()
        finally:
            child.stop()
        return self._caught_up()

    def _writer(self, folder: Path) -> RecordingChild:
        return RecordingChild(folder, self._metadata)

    def _trainer(self) -> TrainingChild:
        return self._start(
            [self._state.learning],
            self._state.baseline,
            self._budget,
            self._evidence.min_windows,
        )

    def _caught_up(self) -> Iterator[WindowBatch]:
        """Give what came meanwhile, once; what cannot be read of it is said and left out."""
        try:
            if any(self._state.catch_up.glob("part-*")):
                yield from read_apart(self._state.catch_up)
        except RecordingError as error:
            aside = _moved_aside(self._state.catch_up)
            self._screen.say(f"{error} It was moved to {aside}, and is left out.")
        except OddcallError as error:
            self._screen.say(f"{error} What came while training is left out.")
        shutil.rmtree(self._state.catch_up, ignore_errors=True)


def _moved_aside(folder: Path) -> Path:
    """Keep a recording that cannot be read beside its place, for who wants to look at it."""
    aside = folder.with_name(f"{folder.name}-unreadable")
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    return aside


def progress(evidence: Evidence) -> Status:
    """Say what has been learned, of which programs, and how long still."""
    seen = evidence.programs()
    enough = sum(program.windows >= evidence.min_windows for program in seen)
    left = format_duration(round(evidence.remaining_s))
    why = " (some show little)" if evidence.elapsed_s >= evidence.duration_s else ""
    line = (
        f"learning, {left} more{why}: {counted(evidence.windows, 'window')} of "
        f"{counted(len(seen), 'program')}, {enough} with enough"
    )
    total = evidence.elapsed_s + evidence.remaining_s
    names = shortened([program.program for program in seen])
    columns = ("program", "windows", "kinds of call", "nothing new for", "state")
    rows = [
        (name, f"{p.windows:,}", str(p.calls), format_duration(round(p.quiet_s)), p.state)
        for name, p in zip(names, seen, strict=True)
    ]
    return Status(line, evidence.elapsed_s / max(total, 1e-9), columns, rows)
