"""The recordings of newcomers: one a training, the old ones without whom it brought nothing.

::

    newcomers/
    ├── 000001-ready    of an old one: windows of programs that have become ready
    ├── 000002          whole: what did not become ready by it may by the next
    └── 000003          written to

They are not joined: how often a program is seen is counted over the recordings that hold it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.bundle import load_bundle
from oddcall.models.errors import OddcallError
from oddcall.models.storage import storage_error
from oddcall.models.window import Program
from oddcall.service.learning.child import NICE, begun
from oddcall.service.naming import shortened
from oddcall.service.quantities import counted

if TYPE_CHECKING:
    from oddcall.models.model import Model

_THINNED = "-ready"


def generations(folder: Path) -> list[Path]:
    """List the recordings in a folder, oldest first; the last one is written to."""
    found = sorted(p for p in folder.glob("[0-9]*") if p.is_dir())
    return found if found and not _thinned(found[-1]) else [*found, _after(folder, found)]


def begin(folder: Path) -> None:
    """Begin the next recording.

    Raises
    ------
    StorageError
        When it cannot be made; the one before is then still the last.
    """
    after = _after(folder, generations(folder))
    try:
        after.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(after, error) from error


class Thinning:
    """A child that thins the old recordings: that takes seconds, in which a watch goes on.

    Parameters
    ----------
    folder : Path
        Of the recordings.
    kept : int
        So many of the last ones stay whole.
    baseline : Path
        Bundle that says which programs are ready.

    Raises
    ------
    NoChildError
    """

    def __init__(self, folder: Path, kept: int, baseline: Path) -> None:
        module = "oddcall.service.learning.generations"
        given = [str(folder), str(kept), str(baseline)]
        self._process, self._said = begun([sys.executable, "-m", module, *given])

    @property
    def running(self) -> bool:
        """Whether it still works."""
        return self._process.poll() is None

    def told(self) -> list[str]:
        """Give the lines that it said; of a mistake of its own the last one."""
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").splitlines()
        return lines[-1:] if self._process.returncode else lines

    def stop(self) -> None:
        """End it; what it leaves undone the next one does."""
        if self.running:
            self._process.kill()
        self._process.wait()
        self._said.close()


def thin(recording: Path, ready: Collection[Program]) -> frozenset[Program]:
    """Leave the windows of ready programs alone in an old recording; gives the other programs.

    Stopped at any point it loses nothing, and the next time ends it.

    Raises
    ------
    OddcallError
        When it cannot be read or written; it is left as it was.
    """
    from oddcall.training.recording import RecordingWriter, read_batches, read_metadata

    thinned = recording.with_name(recording.name + _THINNED)
    making = recording.with_name("thinning")
    others: set[Program] = set()
    try:
        shutil.rmtree(making, ignore_errors=True)
        # Named once it is whole: then the other one, or what is left of it, is not needed.
        if not thinned.exists() and any(recording.glob("part-*")):
            with RecordingWriter(making, read_metadata(recording)) as writer:
                for batch in read_batches(recording):
                    kept = np.array([program in ready for program in batch.programs], np.bool_)
                    others.update(p for p in batch.programs if p not in ready)
                    writer.append(batch.take(kept[batch.program]))
            making.rename(thinned)
        shutil.rmtree(recording)
        if not any(thinned.glob("part-*")):
            shutil.rmtree(thinned, ignore_errors=True)
    except OSError as error:
        raise storage_error(recording, error) from error
    return frozenset(others)


def ready_in(model: Model) -> list[Program]:
    """List the programs that a model judges by their own baselines."""
    return [known.program for known in model.programs if known.readiness == "ready"]


def listed(programs: Iterable[Program]) -> str:
    """Name some programs in a line, and say how many others there are."""
    names = shortened(list(programs))
    shown: Sequence[str] = names[:5]
    more = f" and {counted(len(names) - 5, 'other')}" if len(names) > 5 else ""
    return f"{', '.join(shown)}{more}"


def _thinned(recording: Path) -> bool:
    return recording.name.endswith(_THINNED)


def _after(folder: Path, found: list[Path]) -> Path:
    last = int(found[-1].name.removesuffix(_THINNED)) if found else 0
    return folder / f"{last + 1:06}"


def main() -> None:
    """Thin what the command line names, and say what is left out."""
    folder, kept, baseline = sys.argv[1:]
    os.nice(max(0, NICE - os.getpriority(os.PRIO_PROCESS, 0)))
    try:
        ready = set(ready_in(load_bundle(Path(baseline))))
        for recording in generations(Path(folder))[: -int(kept)]:
            if not _thinned(recording) and (others := thin(recording, ready)):
                who = listed(sorted(others, key=lambda program: program.exe))
                _say(
                    f"left out of {recording}, an old recording: {who}, which did not become ready"
                )
    except OddcallError as error:
        _say(f"{error} Old recordings of newcomers are left as they are.")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201  for our parent


if __name__ == "__main__":
    main()
