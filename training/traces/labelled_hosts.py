"""Labelled recordings of whole hosts: LID-DS (2019 and 2021) and BETH.

Both record more than calls. What is taken here is which thread or process called what, in
order. One recording of LID-DS is one trace, its threads one after another, since calls of
threads that run side by side follow each other by chance; one process of BETH is one trace.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from oddcall.models.errors import RecordingError, SettingError, reason
from oddcall.models.sparse import IntArray
from oddcall.training.traces.layouts import Found
from oddcall.training.traces.reading import collect, require_some
from oddcall.training.traces.tokens import call_token
from oddcall.training.traces.traces import (
    MOST_CALLS,
    MOST_CALLS_OF_SET,
    Split,
    TraceSet,
    Vocabulary,
)

#: Normal recordings that LID-DS 2019 is learned from; its own loader's protocol.
_LEARNED_2019 = 200
#: Position of thread, call and direction on a line, by year of the data set.
_FIELDS = {2019: (5, 7, 6), 2021: (4, 5, 6)}
_BETH_COLUMNS = ("processId", "hostName", "eventName", "evil")


def lid_ds(scenario: Path) -> Split:
    """One scenario of LID-DS (Grimmer et al.), of 2019 or 2021.

    2021: ``training/*.zip`` is learned from; ``test/normal/*.zip`` and
    ``test/normal_and_attack/*.zip`` are judged, and ``validation`` is left alone. 2019: of the
    recordings in ``runs.csv`` the first 200 normal ones are learned from.

    Raises
    ------
    RecordingError
        A recording is of another form.
    SettingError
        The directory is no scenario.
    """
    vocabulary = Vocabulary()
    if (scenario / "runs.csv").is_file():
        return _lid_ds_2019(scenario, vocabulary)
    if (scenario / "training").is_dir():
        parts = ("training", "test/normal", "test/normal_and_attack")
        train, normal, attack = (_zipped(scenario / part, vocabulary) for part in parts)
        return Split(f"lid-ds {scenario.name}", train, normal, attack)
    raise SettingError(
        f"{scenario} is no scenario of LID-DS",
        expected="runs.csv (2019), or folders training and test (2021)",
        got="neither" if scenario.is_dir() else "no folder of that name",
        fix="Give the folder that the archive of one scenario unpacks to, such as CVE-2017-7529/.",
    )


def beth(root: Path) -> Split:
    """BETH (Highnam et al. 2021): processes of honeypots.

    ``labelled_training_data.csv`` is learned from; processes of the validation and the testing
    file are judged. A process is an attack when any of its events is labelled ``evil``.
    """
    vocabulary = Vocabulary()
    train, _ = _beth_file(root / "labelled_training_data.csv", vocabulary)
    judged = [
        _beth_file(root / f"labelled_{part}_data.csv", vocabulary)
        for part in ("validation", "testing")
    ]
    traces = [trace for found, _ in judged for trace in found]
    evil = np.array([label for _, labels in judged for label in labels], np.bool_)

    def picked(wanted: bool) -> TraceSet:
        chosen = [trace for trace, label in zip(traces, evil, strict=True) if label == wanted]
        kind = "evil" if wanted else "benign"
        return require_some(
            TraceSet.of(chosen, vocabulary), f"the {kind} processes of {root}", "one"
        )

    return Split("beth", TraceSet.of(train, vocabulary), picked(wanted=False), picked(wanted=True))


def _lid_ds_2019(scenario: Path, vocabulary: Vocabulary) -> Split:
    normal: list[IntArray] = []
    attack: list[IntArray] = []
    for run in _rows(scenario / "runs.csv", ("scenario_name", "is_executing_exploit")):
        path = scenario / f"{run['scenario_name'].strip()}.txt"
        exploited = run["is_executing_exploit"].strip().lower() == "true"
        trace = _recording(_lines(path), 2019, str(path), vocabulary)
        (attack if exploited else normal).append(trace)
    sets = (normal[:_LEARNED_2019], normal[_LEARNED_2019:], attack)
    train, later, attacks = (
        require_some(
            TraceSet.of([t for t in part if len(t)], vocabulary),
            str(scenario),
            f"more than {_LEARNED_2019} normal recordings and an exploit, as runs.csv names them",
        )
        for part in sets
    )
    return Split(f"lid-ds {scenario.name}", train, later, attacks)


def _zipped(folder: Path, vocabulary: Vocabulary) -> TraceSet:
    """Read every recording of a folder: an archive with NAME.sc and NAME.json in it."""
    archives = sorted(folder.glob("*.zip"))
    if not archives:
        unpacked = any(folder.rglob("*.sc"))
        raise SettingError(
            f"there is no recording in {folder}",
            expected="the archives NAME.zip of LID-DS as they come",
            got="unpacked ones" if unpacked else "no archive" if folder.is_dir() else "no folder",
            fix="Give the folder of a scenario as its own archive unpacks, no further.",
        )

    def read(path: Path) -> list[Found]:
        calls = _recording(_calls_of(path), 2021, str(path), vocabulary)
        return [Found("", calls)] if len(calls) else []

    return collect(archives, read, folder, vocabulary)[0]


def _calls_of(path: Path) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            json.loads(archive.read(f"{path.stem}.json"))
            with archive.open(f"{path.stem}.sc") as stream:
                yield from stream
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, ValueError) as error:
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
    thread_at, call_at, direction_at = _FIELDS[year]
    threads: dict[bytes, list[int]] = {}
    total = 0
    # One line a call: these files have no columns to take at once.
    for line in lines:
        fields = line.split(b" ", 8)
        if len(fields) <= max(call_at, direction_at):
            raise _bad_line(line, year, where)
        if fields[direction_at].strip() != b">":
            continue
        token = call_token(fields[call_at].strip())
        if token is None:
            raise _bad_line(line, year, where)
        threads.setdefault(fields[thread_at], []).append(vocabulary.id(token))
        total += 1
        if total == MOST_CALLS:
            break
    return np.array([call for calls in threads.values() for call in calls], np.int64)


def _bad_line(line: bytes, year: int, where: str) -> RecordingError:
    forms = {
        2019: "number time cpu user process thread direction call",
        2021: "time user pid process thread call direction",
    }
    return RecordingError(
        f"a line of {where} is no system call",
        expected=forms[year],
        got=ascii(line[:60].decode("utf-8", "replace").strip()),
    )


def _beth_file(path: Path, vocabulary: Vocabulary) -> tuple[list[IntArray], list[bool]]:
    processes: dict[tuple[str, str], list[int]] = {}
    evil: dict[tuple[str, str], bool] = {}
    for total, row in enumerate(_rows(path, _BETH_COLUMNS), 1):
        token = call_token(row["eventName"].strip().encode())
        if token is None:
            raise RecordingError(f"an event of {path} has no name", got=repr(row["eventName"]))
        who = (row["hostName"], row["processId"])
        processes.setdefault(who, []).append(vocabulary.id(token))
        evil[who] = evil.get(who, False) or row["evil"].strip() == "1"
        _require_bounded(total, path)
    if not processes:
        raise RecordingError(f"{path} holds no event", expected="one event a line")
    traces = [np.array(calls[:MOST_CALLS], np.int64) for calls in processes.values()]
    return traces, [evil[who] for who in processes]


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    try:
        text = io.TextIOWrapper(path.open("rb"), "utf-8", errors="replace", newline="")
    except OSError as error:
        raise SettingError(f"{path} cannot be read", got=reason(error)) from error
    try:
        yield from _entries(csv.DictReader(text, skipinitialspace=True), path, columns)
    except csv.Error as error:
        raise RecordingError(f"{path} cannot be read", got=str(error)) from error
    finally:
        text.close()


def _entries(
    reader: csv.DictReader[str], path: Path, columns: tuple[str, ...]
) -> Iterator[dict[str, str]]:
    lacking = [c for c in columns if c not in (reader.fieldnames or ())]
    if lacking:
        raise RecordingError(
            f"{path} is of another form",
            expected=f"columns {', '.join(columns)}",
            got=f"none named {lacking[0]}",
        )
    for row in reader:
        if any(row[column] is None for column in columns):
            raise RecordingError(f"a line of {path} is cut short", got=f"line {reader.line_num}")
        yield row


def _require_bounded(total: int, path: Path) -> None:
    if total > MOST_CALLS_OF_SET:
        raise RecordingError(
            f"{path} holds too many events to be held in memory",
            expected=f"at most {MOST_CALLS_OF_SET:,}",
            fix="Give a sample of the hosts.",
        )
