"""LID-DS of 2019 and 2021: labelled recordings of what all threads of a container called.

One recording is one trace, its threads one after another, since calls of threads that run side
by side follow each other by chance. Which recordings are learned from and which are judged is as
in the set's own loader (https://github.com/LID-DS/LID-DS, ``dataloader``). Recordings that are
damaged or missing are left out and told of.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from oddcall.models.errors import EvidenceError, RecordingError, SettingError, reason
from oddcall.models.sparse import IntArray
from oddcall.training.traces.datasets.csv_rows import csv_rows
from oddcall.training.traces.parsing.files import TraceFile
from oddcall.training.traces.parsing.gathered import Found
from oddcall.training.traces.parsing.reading import collect
from oddcall.training.traces.parsing.tokens import call_token
from oddcall.training.traces.traces import MOST_CALLS, Progress, Split, TraceSet, Vocabulary

#: Normal recordings of 2019 that are learned from, and those after them that are left alone.
_LEARNED_2019, _VALIDATION_2019 = 200, 50
#: Name of a process, which may hold spaces; a thread; a call, or what sysdig has no name for.
_NAME, _THREAD, _CALL = rb".{0,64}?", rb"(?P<thread>-?\d+)", rb"(?P<call>[A-Za-z_]\w*|<unknown>)"
_LINE = {
    2019: re.compile(
        rb"\d+ \S+ \d+ \S+ " + _NAME + b" " + _THREAD + rb" (?P<direction>[<>]) " + _CALL + rb"\s"
    ),
    2021: re.compile(
        rb"\d+ \S+ -?\d+ " + _NAME + b" " + _THREAD + b" " + _CALL + rb" (?P<direction>[<>])\s"
    ),
}
_FORMS = {
    2019: "number time cpu user process thread direction call",
    2021: "time user pid process thread call direction",
}
#: What ``zipfile`` and ``json`` raise on what is not whole; RuntimeError where it is encrypted.
_DAMAGED = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError, RuntimeError)
#: What sysdig records that is no call (driver/event_table.c of https://github.com/draios/sysdig).
_NO_CALLS = {
    *(b"switch", b"procexit", b"signaldeliver", b"container", b"procinfo", b"cpu_hotplug"),
    *(b"drop", b"sysdigevent", b"k8s", b"mesos", b"notification", b"infra", b"tracer"),
    *(b"page_fault", b"pluginevent", b"asyncevent", b"NA"),
    *(b"useradded", b"userdeleted", b"groupadded", b"groupdeleted"),
}


def lid_ds(scenario: Path, progress: Progress | None = None) -> Split:
    """One scenario of LID-DS (Grimmer et al.), of 2019 or 2021.

    2021: ``training/*.zip`` is learned from; ``test/normal/*.zip`` and
    ``test/normal_and_attack/*.zip`` are judged, and ``validation`` is left alone. 2019: of the
    normal recordings in ``runs.csv`` the first 200 are learned from, 50 are left alone, and those
    from the 251st on are judged.

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
        year, parts = 2021, [_archives(scenario / folder) for folder in folders]
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
        lines = _lines(file.path) if year == 2019 else _unpacked(file.path)
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


def _archives(folder: Path) -> list[Path]:
    """List the recordings of a folder: archives with NAME.sc and NAME.json in them."""
    archives = sorted(folder.glob("*.zip"))
    if not archives:
        unpacked = any(folder.rglob("*.sc"))
        raise SettingError(
            f"there is no recording in {folder}",
            expected="the archives NAME.zip of LID-DS as they come",
            got="unpacked ones" if unpacked else "no archive" if folder.is_dir() else "no folder",
            fix="Give the folder of a scenario as its own archive unpacks, no further.",
        )
    return archives


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
            f"{path} cannot be read", expected="a recording that runs.csv names", got=reason(error)
        ) from error


def _recording(lines: Iterable[bytes], year: int, where: str, vocabulary: Vocabulary) -> IntArray:
    """Take the calls that began, thread after thread, in the order that threads appear."""
    form = _LINE[year]
    threads: dict[bytes, list[int]] = {}
    total = 0
    # One line a call: these files have no columns to take at once.
    for line in lines:
        if not (said := form.match(line + b"\n")):
            if line.isspace():
                continue
            raise RecordingError(
                f"a line of {where} is no system call",
                expected=f"{_FORMS[year]}, the direction > or <, the call a name",
                got=ascii(line[:60].decode("utf-8", "replace").strip()),
            )
        call = said["call"]
        if said["direction"] != b">" or call in _NO_CALLS:
            continue
        token = call_token(call) or call.decode("ascii")
        threads.setdefault(said["thread"], []).append(vocabulary.id(token))
        total += 1
        if total == MOST_CALLS:
            break
    return np.array([call for calls in threads.values() for call in calls], np.int64)
