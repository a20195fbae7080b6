"""Learning while watching: programs that the model does not know yet, and replaced binaries.

::

    watch ──windows of newcomers──> newcomers/000001/ (a recording)
                                      │ one of them has shown enough, and nothing new lately
                                      v
                     train (a child) on learning/ and newcomers/ ──> baseline.oddcall

A model that has lost a program which was ready is not taken over.
A replaced binary is scored by its predecessor's baseline, without alerts, until it is learned.
What alerts is not learned from, nor is more of a program than it takes; nor what a person has
asked to forget, or was kept because it was to be forgotten, where that was undone. A baseline that
was learned of that is learned again at once, of what was known before.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.bundle import load_bundle
from oddcall.models.errors import OddcallError, RecordingError
from oddcall.models.storage import storage_error
from oddcall.models.verdict import Verdicts
from oddcall.models.window import Program, WindowBatch
from oddcall.service.config.settings import LearningSection
from oddcall.service.feedback import Feedback
from oddcall.service.learning.apart import RecordingChild, read_apart
from oddcall.service.learning.child import NoChildError, TrainingChild
from oddcall.service.learning.evidence import Evidence, Seen
from oddcall.service.learning.generations import Thinning, begin, generations, listed, ready_in
from oddcall.service.state import StateDir

if TYPE_CHECKING:
    from oddcall.models.model import Model

#: Times the windows that a baseline needs, past which no more of a program are kept.
_ENOUGH = 20
#: Seconds of windows that a kill may lose.
_PART_S = 120.0
#: Recordings of earlier newcomers that are kept whole; older ones keep ready programs alone.
_KEPT = 32
#: Recordings of newcomers past which there is no more learning: it would fill the disk.
_MOST = 512


class Newcomers:
    """Brings baselines about for programs that have none of their own.

    Parameters
    ----------
    state : StateDir
        Holds the recording that the baseline was learned from.
    section : LearningSection
        When a program has shown enough, and how often to train.
    budget : str
        As typed, for training.
    metadata : dict of str
        For the recordings.
    say : callable
    start : callable, default TrainingChild
        Starts training: ``start(recordings, output, budget, min_windows, feedback)``.
    """

    def __init__(
        self,
        state: StateDir,
        section: LearningSection,
        budget: str,
        metadata: dict[str, str],
        say: Callable[[str], None],
        start: Callable[..., TrainingChild] = TrainingChild,
    ) -> None:
        self._state, self.section, self._budget = state, section, budget
        self._metadata, self._say, self._start = metadata, say, start
        self._gathered: list[WindowBatch] = []
        self._begun_ns, self._failing = 0, ""
        self._writer: RecordingChild | None = None
        self._child: TrainingChild | None = None
        #: Programs that the training that runs brings back, where it is for no newcomer.
        self._bringing_back: set[Program] = set()
        self._thinning: Thinning | None = None
        self._trained_ns = self._now_ns = 0
        interval_s = float(metadata.get("interval_s") or 1)
        self._evidence = Evidence(section.duration, 1, section.min_windows, interval_s)
        self._shown: dict[Program, Seen] = {}
        self._before: Model | None = None
        # Beside the recordings: it takes the baseline's place once it is known to be no worse.
        self._trained = state.newcomers / "trained.oddcall"
        self._why_not = ""
        self._resume()

    def seen(self, program: Program) -> Seen | None:
        """Say what a newcomer has shown so far; None for a program that is none."""
        return self._shown.get(program)

    def see(self, batch: WindowBatch, verdicts: Verdicts) -> None:
        """Keep the windows of newcomers in a batch that was judged."""
        if not len(batch):
            return
        self._now_ns = int(batch.t_end_ns.max())
        settled = verdicts.ready & (verdicts.level == "program")
        rows = np.flatnonzero(~settled & ~verdicts.alert)
        full = [self._full(program) for program in batch.programs]
        rows = rows[~np.array(full, np.bool_)[batch.program[rows]]]
        if self._before:
            rows = rows[~self._before.tolerances.taken_back(batch)[rows]]
            # It is no newcomer: what judged it before is on its way back, if anything is learned.
            restored = {} if self._why_not else self._before.restored
            back = [program in restored for program in batch.programs]
            rows = rows[~np.array(back, np.bool_)[batch.program[rows]]]
        fresh = batch.take(rows)
        self._evidence.add(fresh, self._now_ns)
        if len(fresh):
            self._append(fresh)

    def learned(self, before: Model) -> Model | None:
        """Give a model that has just been trained, once; starts training when it is time.

        Parameters
        ----------
        before : Model
            In use: whom it judges the new one must judge too.
        """
        if before is not self._before:
            self._take_back(self._before, before)
            self._before, self._evidence.before = before, _unsettled(before)
        self._shown = {seen.program: seen for seen in self._evidence.programs()}
        if self._thinning and not self._thinned(self._thinning):
            return None
        if self._child is not None:
            return None if self._child.running else self._finished(before)
        # The absolute gap, here and below: a clock set back must not hold anything up for hours.
        due = abs(self._now_ns - self._trained_ns) >= self.section.again * 1e9
        if due and (before.restored or self._ready()):
            try:
                self._train(before)
            except NoChildError as error:
                self._unwritten(error)
        return None

    def close(self) -> None:
        """End the recording; training that still runs begins anew at the next start."""
        if self._child:
            self._child.stop()
        if self._thinning:
            self._thinning.stop()
        self._end_part()

    def _take_back(self, before: Model | None, after: Model) -> None:
        """Leave out what was kept of programs since they were to be forgotten, if that is undone.

        What is being trained may hold it, and begins anew; the recordings keep it, and each
        training leaves it out. Where it is to be forgotten again before it was brought back,
        nobody waits for that training any more.
        """
        back = self._bringing_back
        if self._child and back and back.isdisjoint(after.restored):
            self._child.stop()
            self._child, self._trained_ns = None, 0
        undone = _undone(after) - (_undone(before) if before else set())
        # What was read at the start went without it.
        if before is None or not undone:
            return
        self._evidence.drop({place for place, _ in undone})
        if self._child:
            self._child.stop()
        if self._child or after.restored:
            self._child, self._trained_ns = None, 0

    def _ready(self) -> list[Seen]:
        """Newcomers that have shown enough: for long enough, and nothing new lately."""
        least = self.section.min_windows
        return [
            seen
            for seen in self._shown.values()
            if seen.state == "ready"
            and seen.age_s >= self.section.duration
            # Who had windows enough, and was not ready, is trained again for as many more.
            and (seen.before < least or seen.windows >= least)
        ]

    def _full(self, program: Program) -> bool:
        seen = self._shown.get(program)
        return seen is not None and seen.windows >= _ENOUGH * self.section.min_windows

    def _append(self, fresh: WindowBatch) -> None:
        if not self._gathered:
            self._begun_ns = self._now_ns
        self._gathered.append(fresh)
        if abs(self._now_ns - self._begun_ns) >= _PART_S * 1e9:
            self._write_part()

    def _write_part(self) -> None:
        """Have what was gathered written, while judging goes on."""
        self._settle()
        gathered, self._gathered = self._gathered, []
        if not gathered:
            return
        try:
            self._writer = RecordingChild(generations(self._state.newcomers)[-1], self._metadata)
            for batch in gathered:
                self._writer.append(batch)
            self._writer.end()
        except OddcallError as error:
            self._unwritten(error)

    def _settle(self) -> None:
        """Wait for the part that is being written: it began long ago, or is the last one."""
        writer, self._writer = self._writer, None
        try:
            if writer:
                writer.close()
                self._failing = ""
        except OddcallError as error:
            self._unwritten(error)

    def _unwritten(self, error: OddcallError) -> None:
        self._writer = None
        if str(error) != self._failing:
            self._say(f"{error} Newcomers are not learned until it can be.")
        self._failing = str(error)

    def _end_part(self) -> None:
        self._write_part()
        self._settle()

    def _resume(self) -> None:
        folder = generations(self._state.newcomers)[-1]
        if not any(folder.glob("part-*")):
            return
        try:
            said = Feedback(self._state.feedback).tolerances()
            for batch in read_apart(folder):
                self._evidence.add(batch.take(~said.taken_back(batch)))
        except OddcallError as error:
            self._say(f"{error} What newcomers showed so far is left out.")
            if isinstance(error, RecordingError):
                shutil.rmtree(folder, ignore_errors=True)
            self._evidence.reset()

    def _train(self, before: Model) -> None:
        self._trained_ns = self._now_ns
        if self._told_why_not(before):
            return
        ready = self._ready()
        self._bringing_back = set() if ready else set(before.restored)
        if ready:
            self._say(f"learning {listed(s.program for s in ready)}: shown enough while watching")
        if before.restored:
            self._say(f"learning {listed(before.restored)} again, as before it was forgotten")
        self._end_part()
        with suppress(OSError):
            self._trained.unlink(missing_ok=True)
        recordings = [self._state.learning, *generations(self._state.newcomers)]
        self._child = self._start(
            [r for r in recordings if any(r.glob("part-*"))],
            self._trained,
            self._budget,
            self.section.min_windows,
            self._state.feedback if self._state.feedback.exists() else None,
        )

    def _told_why_not(self, model: Model) -> bool:
        """Say once why there is no learning, where it would lose what is known or fill the disk."""
        before, self._why_not = self._why_not, ""
        if not any(self._state.learning.glob("part-*")):
            self._why_not = "the recording that the baseline was learned from is gone"
        elif len(generations(self._state.newcomers)) > _MOST:
            self._why_not = f"{self._state.newcomers} holds {_MOST} recordings of earlier ones"
        if self._why_not and model.restored:
            self._why_not += f"; until --relearn nothing judges {listed(model.restored)}"
        if self._why_not and self._why_not != before:
            self._say(
                f"newcomers are not learned: {self._why_not} (--relearn learns the host anew)"
            )
        return bool(self._why_not)

    def _finished(self, before: Model) -> Model | None:
        assert self._child is not None  # noqa: S101  # learned() has looked
        child, self._child = self._child, None
        try:
            child.finish()
            model = load_bundle(self._trained)
            if fallen := no_longer_ready(before, model):
                self._say(
                    f"what was learned is not used: it could not judge {fallen} any more. "
                    "Watching goes on with the model there is; --relearn learns the host anew."
                )
                return None
            self._take_over()
        except OddcallError as error:
            self._say(f"{error} Watching goes on with the model there is.")
            return None
        finally:
            child.stop()
        self._begin_generation()
        return model

    def _thinned(self, thinning: Thinning) -> bool:
        if thinning.running:
            return False
        for line in thinning.told():
            self._say(line)
        thinning.stop()
        self._thinning = None
        return True

    def _take_over(self) -> None:
        try:
            self._trained.replace(self._state.baseline)
        except OSError as error:
            raise storage_error(self._state.baseline, error) from error

    def _begin_generation(self) -> None:
        """Leave what was learned from, and begin apart: each recording tells whom it met."""
        self._end_part()
        try:
            begin(self._state.newcomers)
        except OddcallError as error:
            self._say(f"{error} The recording before goes on.")
        if len(generations(self._state.newcomers)) > _KEPT:
            try:
                self._thinning = Thinning(self._state.newcomers, _KEPT, self._state.baseline)
            except NoChildError as error:
                self._say(f"{error} Old recordings of newcomers are left as they are.")
        self._evidence.reset()
        self._shown = {}


def _unsettled(model: Model) -> dict[Program, int]:
    """Count the windows that a model has of programs that it is not ready to judge."""
    return {
        known.program: known.windows
        for known in model.programs
        if known.readiness != "ready"
        and all(span.until_ns is not None for span in model.forgetting(known.program))
    }


def _undone(model: Model) -> set[tuple[tuple[str, str, str], int | None]]:
    """Places of programs that are to be forgotten no more, each with when that was undone."""
    return {(p.place, span.until_ns) for p, _, span in model.tolerances.undone}


def newly_ready(before: Model, after: Model) -> str:
    """Say which programs a model judges that another did not; empty for none."""
    settled = {
        program
        for program in ready_in(before)
        if all(span.until_ns is not None for span in before.forgetting(program))
    }
    return listed(program for program in ready_in(after) if program not in settled)


def no_longer_ready(before: Model, after: Model) -> str:
    """Say which programs a model judges that a later one does not, unless asked to forget them."""
    settled = set(ready_in(after))
    asked = {program.place: before_ns for program, before_ns, _ in before.tolerances.forgotten}
    undone = before.tolerances.undone
    return listed(
        known.program
        for known in before.programs
        if known.readiness == "ready"
        and known.program not in settled
        # What was learned since then is not to be forgotten.
        and known.first_ns >= asked.get(known.program.place, 0)
        # Nor what was learned only while it was to be forgotten, where that was undone.
        and not any(
            program.place == known.program.place and span.meets(known.first_ns, known.first_ns + 1)
            for program, _, span in undone
        )
    )
