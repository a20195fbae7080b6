"""The recordings of newcomers: one a training, the old ones without whom it brought nothing.

::

    newcomers/
    ├── 000001-ready    of an old one: windows of programs that have become ready
    ├── 000002          whole: what did not become ready by it may by the next
    └── 000003          written to

They are not joined: how often a program is seen is counted over the recordings that hold it.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path

import numpy as np

from oddcall.models.storage import storage_error
from oddcall.models.window import Program
from oddcall.service.learning.apart import RecordingChild, read_apart

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


def thin(
    recording: Path, ready: Collection[Program], metadata: dict[str, str]
) -> frozenset[Program]:
    """Leave the windows of ready programs alone in an old recording; gives the other programs.

    Stopped at any point it loses nothing, and the next time ends it.

    Raises
    ------
    OddcallError
        When it cannot be read or written; it is left as it was.
    """
    if _thinned(recording):
        return frozenset()
    making = recording.with_name("thinning")
    thinned = recording.with_name(recording.name + _THINNED)
    others: set[Program] = set()
    try:
        for left in (making, thinned):
            shutil.rmtree(left, ignore_errors=True)
        with RecordingChild(making, metadata) as writer:
            for batch in read_apart(recording):
                kept = np.array([program in ready for program in batch.programs], np.bool_)
                others.update(p for p in batch.programs if p not in ready)
                writer.append(batch.take(kept[batch.program]))
        if any(making.glob("part-*")):
            making.rename(thinned)
        shutil.rmtree(recording)
    except OSError as error:
        raise storage_error(recording, error) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return frozenset(others)


def _thinned(recording: Path) -> bool:
    return recording.name.endswith(_THINNED)


def _after(folder: Path, found: list[Path]) -> Path:
    last = int(found[-1].name.removesuffix(_THINNED)) if found else 0
    return folder / f"{last + 1:06}"
