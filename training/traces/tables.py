"""Traces in tables: a call or a trace a row, by comma-separated values or as JSON objects."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, dropwhile
from typing import BinaryIO

from oddcall.training.traces.texts import beginning
from oddcall.training.traces.tokens import foreign

#: Names of a column, in small letters; where a table has several, the first of these counts.
_CALLS = (
    *("syscall", "syscalls", "sys_call", "syscall_name", "syscall_nr", "syscall_id"),
    *("system_call", "call", "calls", "sequence", "trace", "event_name", "eventname"),
)
_PROCESS = ("pid", "process_id", "processid", "pro_id", "tgid", "tid", "thread_id")
#: What else tells processes apart: numbers come again on another host and in another container.
_HOST = ("host", "hostname", "host_name", "host.name", "host_id", "node", "machine", "computer")
_CONTAINER = ("container", "container_id", "containerid", "container.id", "container_name")
_LABEL = ("label", "is_attack", "attack", "malicious", "evil", "class")
_CLEAN = {
    *("0", "0.0", "false", "f", "no", "n"),
    *("normal", "benign", "clean", "good", "legitimate", "legit"),
}
#: What is written where there is no label, by pandas and JSON too.
_NO_LABEL = {"", "-", "nan", "na", "n/a", "<na>", "none", "null"}
#: The host logs of NGIDS-DS (Haider et al. 2017) come without the line that names the columns.
_NGIDS = re.compile(
    rb"\d+/\d+/\d{4},\d+:\d+:\d+,\d+,[^,]*,\d+,\d+,[^,]*,[^,]*,[01](,[\d.]+)*\s*", re.ASCII
)
_NGIDS_COLUMNS = ("date", "time", "pid", "path", "syscall", "event", "category", "kind", "label")

#: What of two labels of one process decides: that of an attack, then that of what is normal.
_DECIDES = {None: 0, False: 1, True: 2}

#: Process, calls and label of a row.
Row = tuple[str, bytes, str]


def is_table(text: bytes) -> bool:
    """Whether a text is a table: by its first line."""
    first = text.lstrip()[:4096].split(b"\n", 1)[0]
    if first.startswith(b"{") or re.match(rb"\[\s*\{", text.lstrip()[:64]):
        return True
    return bool(_NGIDS.fullmatch(first)) or _column(_cells(first), _CALLS) is not None


def rows(stream: BinaryIO, where: str) -> tuple[Iterator[Row], tuple[str, ...]]:
    """Read process, calls and label of each row, one after another but for an array of JSON.

    Returns
    -------
    rows : iterator of (str, bytes, str)
        The process is empty where the table has no such column; the calls are not split yet; the
        label is in small letters, and empty where there is none.
    key : tuple of str
        Columns that together tell processes apart, as they are written.

    Raises
    ------
    RecordingError
        No column is of calls; or, on the way, the table is not whole.
    """
    mark = beginning(stream, 4096).lstrip()[:1]
    records = _objects(stream, mark, where) if mark in b"{[" else _lines(stream, where)
    first = next(records, None)
    names = [_CALLS[0]] if first is None else [str(name) for name in first]
    calls, label = _column(names, _CALLS), _column(names, _LABEL)
    key = tuple(filter(None, (_column(names, known) for known in (_HOST, _CONTAINER, _PROCESS))))
    if _column(names, _PROCESS) is None:
        key = ()
    if calls is None:
        raise foreign(where, f"a table of {', '.join(names)[:80]}", column_fix())

    def row(record: dict[str, object]) -> Row:
        pid = sys.intern("/".join(_word(record.get(column)) for column in key))
        said = "" if label is None else sys.intern(_word(record.get(label)).lower())
        return pid, _word(record.get(calls)).encode(), said

    whole = records if first is None else chain([first], records)
    return map(row, whole), key


def column_fix() -> str:
    """Say how the columns of a table are to be named."""
    return (
        "Let the first line name the columns: syscall that of the calls, and, if there are such,"
        " pid that of the processes and label that of attack or normal."
    )


def is_attack(label: str) -> bool | None:
    """Tell what a label, in small letters, is taken for; None where it is none."""
    return None if label in _NO_LABEL else label not in _CLEAN


def deciding(label: str, other: str) -> str:
    """Give that of two labels of one process which decides; the first where both are alike."""
    outweighs = _DECIDES[is_attack(other)] > _DECIDES[is_attack(label)]
    return other if outweighs or not label else label


def _column(names: Iterable[str], known: tuple[str, ...]) -> str | None:
    """Name, as it is written, of the first of these columns that there is."""
    given = {re.sub(r"[\s-]+", "_", name.strip().lower()): name for name in names}
    return next((given[name] for name in known if name in given), None)


def _cells(line: bytes) -> list[str]:
    text = " ".join(line.decode("utf-8", "replace").split("\r"))
    return next(csv.reader([text], delimiter=_delimiter(text), skipinitialspace=True), [])


def _delimiter(line: str) -> str:
    return max(",;\t|", key=line.count)


def _lines(stream: BinaryIO, where: str) -> Iterator[dict[str, object]]:
    lines = dropwhile(str.isspace, _decoded(stream))
    first = next(lines, "").lstrip()
    ngids = _NGIDS_COLUMNS if _NGIDS.fullmatch(first.encode()) else None
    text = csv.DictReader(
        chain([first], lines), ngids, delimiter=_delimiter(first), skipinitialspace=True
    )
    # A trace is one cell, of any length. The limit is one of the whole process: others keep theirs.
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield from text
    except csv.Error as error:
        raise foreign(where, f"a table that is not whole: {error}") from error
    finally:
        csv.field_size_limit(before)


def _decoded(stream: BinaryIO) -> Iterator[str]:
    """Give lines with their ends, whichever of the three kinds those are."""
    for line in stream:
        for part in line.splitlines(keepends=True):
            yield part.decode("utf-8", "replace")


def _objects(stream: BinaryIO, mark: bytes, where: str) -> Iterator[dict[str, object]]:
    try:
        for one in json.loads(stream.read()) if mark == b"[" else _each(_decoded(stream)):
            if not isinstance(one, dict):
                raise foreign(where, f"{str(one)[:40]} among JSON objects", column_fix())
            yield one
    except (ValueError, RecursionError) as error:
        raise foreign(where, f"JSON that is not whole: {error}") from error


def _each(lines: Iterable[str]) -> Iterator[object]:
    """Give one object after another, on a line of its own or not."""
    decode, rest, least = json.JSONDecoder().raw_decode, "", 0
    for line in chain(lines, (None,)):
        rest += line or ""
        # What is not whole is tried again when it is twice as long: each try begins anew.
        if line is not None and len(rest) < least:
            continue
        at = 0
        while at < len(rest):
            if rest[at] in " \t\r\n,":
                at += 1
                continue
            try:
                one, at = decode(rest, at)
            except ValueError:
                if line is None:
                    raise
                break
            yield one
        rest = rest[at:]
        least = 2 * len(rest)


def _word(cell: object) -> str:
    if isinstance(cell, list):
        return " ".join(map(str, cell))
    return "" if cell is None else str(cell).strip()
