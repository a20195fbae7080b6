"""``train``: from recordings of clean time to a bundle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.bundle import save_bundle
from oddcall.models.standing import as_metadata
from oddcall.models.tolerance import Tolerances
from oddcall.models.window import Program, WindowBatch
from oddcall.service.failed_calls import mixed
from oddcall.service.quantities import counted
from oddcall.training.fit import FitSettings, fit
from oddcall.training.lake import lake, provenance
from oddcall.training.presence import Presence
from oddcall.training.recording import read_batches

if TYPE_CHECKING:
    from oddcall.models.model import Model


class Forgotten:
    """Programs that people want to be forgotten, and what is left out of a training for it.

    Parameters
    ----------
    told : sequence of (Program, int)
        Programs whose windows from before a time (UTC, nanoseconds) are left out.
    said : Tolerances, optional
        What was said at all. Where a program was to be forgotten and that was taken back, what
        the watch kept of it meanwhile was judged by nothing, and is left out too.
    newcomers : Path, optional
        Holds the recordings of that watch which this is about: in any other a window is there
        because a person recorded it.
    """

    def __init__(
        self,
        told: Sequence[tuple[Program, int]] = (),
        said: Tolerances | None = None,
        newcomers: Path | None = None,
    ) -> None:
        self._before = {program.place: before_ns for program, before_ns in told}
        self._said, self._newcomers = said or Tolerances(), newcomers
        self._first_ns: dict[Program, int] = {}
        self._anew: dict[Program, int] = {}
        self._gone: dict[Program, int] = {}
        self._kept: set[Program] = set()
        self._left_out: Counter[tuple[str, str, str]] = Counter()

    def leave_out(self, batch: WindowBatch, recording: Path | None = None) -> WindowBatch:
        """Give a batch without what is to be forgotten, and count that.

        Batches come oldest first; ``recording`` says which one this is of.
        """
        ends = [self._before.get(program.place, 0) for program in batch.programs]
        gone = batch.t_start_ns < np.array(ends, np.int64)[batch.program]
        for number in np.unique(batch.program[gone]).tolist():
            self._gone[batch.programs[number]] = ends[number]
        if self._said.forgotten:
            self._note_first(batch)
            # In any other recording a window is there because a person recorded it.
            kept = self._newcomers.absolute() if self._newcomers else None
            if recording and kept in recording.absolute().parents:
                gone |= self._said.taken_back(batch, self._first_ns)
                self._note_anew(batch, np.unique(batch.program[~gone]).tolist())
        programs, windows = np.unique(batch.program[gone], return_counts=True)
        for program, count in zip(programs.tolist(), windows.tolist(), strict=True):
            self._left_out[batch.programs[program].place] += count
        if self._before:
            kept_of = np.unique(batch.program[~gone]).tolist()
            self._kept.update(batch.programs[number] for number in kept_of)
        return batch.take(~gone) if gone.any() else batch

    def marked(self, model: Model) -> Model:
        """Build the same model, saying which programs it knows anew, or lacks, as forgotten.

        Once that is undone, those baselines are to judge no more, and what was known before is
        to be learned again.
        """
        dropped = {p: before_ns for p, before_ns in self._gone.items() if p not in self._kept}
        if not self._anew and not dropped:
            return model
        programs = tuple(
            replace(known, forgotten_ns=self._anew.get(known.program, 0))
            for known in model.programs
        )
        metadata = {**model.metadata, **as_metadata(dropped)}
        return replace(model, programs=programs, metadata=metadata)

    def _note_first(self, batch: WindowBatch) -> None:
        """Note of each binary when it was met first."""
        first_ns = np.full(len(batch.programs), np.iinfo(np.int64).max)
        np.minimum.at(first_ns, batch.program, batch.t_start_ns)
        for number in np.unique(batch.program).tolist():
            self._first_ns.setdefault(batch.programs[number], int(first_ns[number]))

    def _note_anew(self, batch: WindowBatch, numbers: list[int]) -> None:
        """Note which of the programs that are kept, by their numbers, had a baseline to drop."""
        for program in (batch.programs[number] for number in numbers):
            before_ns = self._before.get(program.place, 0)
            if self._first_ns[program] < before_ns:
                self._anew[program] = before_ns

    def as_dict(self) -> dict[str, int]:
        """Give what was left out so far for a machine."""
        return {"programs": len(self._left_out), "windows": self._left_out.total()}

    def __str__(self) -> str:
        if not self._left_out:
            return "nothing, as no window is of a program that was to be forgotten"
        windows, programs = self._left_out.total(), len(self._left_out)
        were = "was" if programs == 1 else "were"
        of = f"{counted(programs, 'program')} that {were} to be forgotten"
        return f"{counted(windows, 'window')} of {of}"


def train(
    recordings: Sequence[Path],
    output: Path,
    settings: FitSettings,
    progress: Callable[[str, float], None],
    forgotten: Forgotten | None = None,
    signing_key: bytes | None = None,
) -> Model:
    """Fit a model on recordings, oldest first, and save it.

    Parameters
    ----------
    forgotten : Forgotten, optional
        What is left out; by default nothing is.
    signing_key : bytes, optional
        Ed25519 private key, PEM, to sign it by.

    Raises
    ------
    RecordingError
        When one cannot be read, or they are of different features.
    EvidenceError
        When they hold too little.
    StorageError
        When the bundle cannot be written; what lay there before is whole.
    """
    sources = lake(recordings)
    presence, forgotten = Presence(), forgotten or Forgotten()
    batches = chain.from_iterable(
        presence.pass_on(
            read_batches(source.path), partial(forgotten.leave_out, recording=source.path)
        )
        for source in sources
    )
    model = fit(batches, settings, provenance(sources), progress, presence)
    if warning := mixed(sources):
        model = replace(model, warnings=(*model.warnings, warning))
    model = forgotten.marked(model)
    save_bundle(model, output, signing_key=signing_key)
    return model
