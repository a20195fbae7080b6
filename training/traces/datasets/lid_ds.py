"""LID-DS of 2019 and 2021: labelled recordings of what all threads of a container called.

One recording is one trace, its threads one after another, since calls of threads that run side
by side follow each other by chance. Which recordings are learned from and which are judged is as
in the set's own loader (https://github.com/LID-DS/LID-DS, ``dataloader``). Recordings that are
damaged or missing are left out and told of.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from oddcall.models.errors import EvidenceError, RecordingError, SettingError, reason
from oddcall.models.sparse import IntArray
from oddcall.training.traces.datasets.csv_rows import csv_rows
from oddcall.training.traces.parsing.files import TraceFile
from oddcall.training.traces.parsing.gathered import Found
from oddcall.training.traces.parsing.reading import collect
from oddcall.training.traces.parsing.sysdig import FORMS, events
from oddcall.training.traces.parsing.tokens import call_token
from oddcall.training.traces.traces import MOST_CALLS, Progress, Split, TraceSet, Vocabulary

#: Normal recordings of 2019 that are learned from, and those after them that are left alone.
_LEARNED_2019, _VALIDATION_2019 = 200, 50
#: What ``zipfile`` and ``json`` raise on what is not whole; RuntimeError where it is encrypted.
_DAMAGED = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError, RuntimeError)


def lid_ds(scenario: Path, progress: Progress | None = None) -> Split:
    """One scenario of LID-DS (Grimmer et al.), of 2019 or 2021.

    2021: ``training`` is learned from; ``test/normal`` and ``test/normal_and_attack`` are judged,
    and ``validation`` is left alone; recordings are packed, or unpacked anywhere below. 2019: of
    the normal recordings in ``runs.csv`` the first 200 are learned from, 50 are left alone, and
    those from the 251st on are judged.

    Parameters
    ----------
    scenario : Path
    progress : callable, optional
        Told what is being read and the part that is done, 0 to 1.

    Raises
    ------
    RecordingError
        No recording of a part can be read.
    EvidenceError
        ``runs.csv`` names too few recordings.
    SettingError
        The directory is no scenario.
    """
    if (scenario / "runs.csv").is_file():
        year, parts = 2019, _named(scenario)
    elif (scenario / "training").is_dir():
        folders = ("training", "test/normal", "test/normal_and_attack")
        year, parts = 2021, [_recordings(scenario / folder) for folder in folders]
    else:
        raise SettingError(
            f"{scenario} is no scenario of LID-DS",
            expected="runs.csv (2019), or folders training and test (2021)",
            got="neither" if scenario.is_dir() else "no folder of that name",
            fix="Give the folder that the archive of one scenario unpacks to, such as"
            " CVE-2017-7529/.",
        )
    vocabulary = Vocabulary()
    train, normal, attack = (_part(paths, scenario, year, vocabulary, progress) for paths in parts)
    return Split(f"lid-ds {scenario.name}", train, normal, attack)


def _part(
    paths: list[Path], scenario: Path, year: int, vocabulary: Vocabulary, progress: Progress | None
) -> TraceSet:
    def read(file: TraceFile) -> list[Found]:
        packed = file.path.suffix == ".zip"
        lines = _unpacked(file.path) if packed else _lines(file.path)
        calls = _recording(lines, year, file.where, vocabulary)
        return [Found("", calls)] if len(calls) else []

    files = [TraceFile.at(path, scenario) for path in paths]
    return collect(files, read, scenario, vocabulary, progress, leave_out=True)[0]


def _named(scenario: Path) -> list[list[Path]]:
    """Name the recordings to learn from, normal ones and exploits, as ``runs.csv`` names them."""
    named: dict[bool, list[Path]] = {False: [], True: []}
    for run in csv_rows(scenario / "runs.csv", ("scenario_name", "is_executing_exploit")):
        exploited = run["is_executing_exploit"].strip().lower() == "true"
        named[exploited].append(scenario / f"{run['scenario_name'].strip()}.txt")
    normal, attack = named[False], named[True]
    judged = _LEARNED_2019 + _VALIDATION_2019
    if len(normal) <= judged or not attack:
        raise EvidenceError(
            f"{scenario / 'runs.csv'} names too few recordings for the split of LID-DS 2019",
            expected=f"more than {judged} normal ones, of which {_LEARNED_2019} are learned from"
            f" and {_VALIDATION_2019} left alone, and an exploit",
            got=f"{len(normal)} normal and {len(attack)} with an exploit",
            fix="Give the whole scenario.",
        )
    return [normal[:_LEARNED_2019], normal[judged:], attack]


def _recordings(folder: Path) -> list[Path]:
    """List the recordings of a folder: archives with NAME.sc and NAME.json in them, or NAME.sc.

    What lies there packed and unpacked, or unpacked in two places, is one recording: its name
    tells it from others. Hidden files, such as an archiver of macOS adds, are none.
    """
    packed, unpacked = folder.glob("*.zip"), folder.rglob("*.sc")
    recordings: dict[str, Path] = {}
    for path in (*sorted(packed), *sorted(unpacked, key=lambda path: (len(path.parts), path))):
        if not (path.name.startswith(".") or path.is_dir()):
            recordings.setdefault(path.stem, path)
    if not recordings:
        raise SettingError(
            f"there is no recording in {folder}",
            expected="the archives NAME.zip of LID-DS, or the files NAME.sc that these hold",
            got="neither" if folder.is_dir() else "no folder",
            fix="Give the folder of a scenario as its own archive unpacks.",
        )
    return [recordings[name] for name in sorted(recordings)]


def _unpacked(path: Path) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            json.loads(archive.read(f"{path.stem}.json"))
            with archive.open(f"{path.stem}.sc") as stream:
                yield from stream
    except (*_DAMAGED, OSError) as error:
        raise RecordingError(
            f"{path} is no recording of LID-DS",
            expected=f"an archive of {path.stem}.sc and {path.stem}.json",
            got=str(error),
        ) from error


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as stream:
            yield from stream
    except OSError as error:
        raise RecordingError(
            f"{path} cannot be read", expected="a recording of LID-DS", got=reason(error)
        ) from error


def _recording(lines: Iterable[bytes], year: int, where: str, vocabulary: Vocabulary) -> IntArray:
    """Take the calls that began, thread after thread, in the order that threads appear."""
    threads: dict[str, list[int]] = {}
    for thread, call in islice(events(lines, FORMS[year], where), MOST_CALLS):
        token = call_token(call) or call.decode("ascii")
        threads.setdefault(thread, []).append(vocabulary.id(token))
    return np.array([call for calls in threads.values() for call in calls], np.int64)
