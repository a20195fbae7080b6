"""Traces in tables: a call or a trace a row, by comma-separated values or as JSON objects."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, dropwhile
from typing import BinaryIO, NamedTuple

from oddcall.training.traces.parsing.columns import (
    BEGINS,
    CALLS,
    CONTAINER,
    ENDS,
    HOST,
    LABEL,
    MAYBE_LABEL,
    PROCESS,
    TRACE,
    WAY,
    any_length,
    calls_in_order,
    cells,
    column,
    column_fix,
    delimiter,
    listed,
    plain_name,
)
from oddcall.training.traces.parsing.texts import beginning
from oddcall.training.traces.parsing.tokens import foreign, is_call

#: The host logs of NGIDS-DS (Haider et al. 2017) come without the line that names the columns.
_NGIDS = re.compile(
    rb"\d+/\d+/\d{4},\d+:\d+:\d+,\d+,[^,]*,\d+,\d+,[^,]*,[^,]*,[01](,[\d.]+)*\s*", re.ASCII
)
_NGIDS_COLUMNS = ("date", "time", "pid", "path", "syscall", "event", "category", "kind", "label")

#: How tracepoints of Linux and LTTng name a call of which they say the way.
_WITH_WAY = re.compile(
    r"(syscalls:)?(compat_)?(sys_enter|sys_exit|syscall_entry|syscall_exit)_(?=\w)", re.IGNORECASE
)

#: What is written into cells behind the last call of a trace, by pandas and JSON too.
_NO_CALL = frozenset(("", "nan", "none", "null", "<na>"))

#: Process, calls and label of a row.
Row = tuple[str, bytes, str]


class Table(NamedTuple):
    """What a table says of calls.

    Attributes
    ----------
    rows : iterator of (str, bytes, str)
        Process, calls and label of each. The process is empty where there is no column of them;
        the calls are not split yet; the label is in small letters, and empty where there is none.
    key : tuple of str
        Columns that together tell processes apart, as they are written.
    maybe : str
        Name, in small letters, of the column of labels where it may be of something else.
    """

    rows: Iterator[Row]
    key: tuple[str, ...]
    maybe: str


def _once(
    records: Iterable[dict[str, object]],
    way: str,
    calls: str,
    of: Sequence[str],
    label: str | None,
) -> Iterator[dict[str, object]]:
    """Take a call once, where it begins, though it has a row where it ends as well.

    A call that began before the table does, and each of a table of ends alone, stays. Where the
    end has another label than the beginning, it stays too, but without the call: a process has
    the labels of both.
    """
    begun: Counter[tuple[str, ...]] = Counter()
    labels: dict[tuple[str, ...], str] = {}
    for record in records:
        said = _word(record.get(way)).lower()
        if said in BEGINS | ENDS:
            record[calls] = _plain_name(_word(record.get(calls)))
            call = tuple(_word(record.get(one)) for one in (calls, *of))
            labelled = "" if label is None else _word(record.get(label))
            if said in BEGINS:
                begun[call] += 1
                labels[call] = labelled
            elif begun[call]:
                begun[call] -= 1
                if labels[call] == labelled:
                    continue
                record[calls] = ""
        yield record


def _plain_name(call: str) -> str:
    """Name a call without the way: ``sys_enter_read`` begins what ``sys_exit_read`` ends."""
    with_way = _WITH_WAY.match(call)
    return call[with_way.end() :] if with_way else call


def is_table(text: bytes) -> bool:
    """Whether a text is a table: by its first line."""
    first = text.lstrip()[:4096].split(b"\n", 1)[0]
    if first.startswith(b"{") or re.match(rb"\[\s*\{", text.lstrip()[:64]):
        return True
    return bool(_NGIDS.fullmatch(first)) or _names_calls(first)


def table_of(stream: BinaryIO, where: str) -> Table:
    """Read process, calls and label of each row, one after another but for an array of JSON.

    Raises
    ------
    RecordingError
        No column is of calls; or, on the way, the table is not whole.
    """
    mark = beginning(stream, 4096).lstrip()[:1]
    records = _objects(stream, mark, where) if mark in b"{[" else _lines(stream, where)
    first = next(records, None)
    names = [CALLS[0]] if first is None else [str(name) for name in first]
    calls, process = column(names, CALLS), column(names, PROCESS)
    trace = column(names, TRACE)
    besides = (column(names, HOST), column(names, CONTAINER), trace, process)
    key = tuple(filter(None, besides)) if trace or process else ()
    label = column(names, LABEL) or column(names, MAYBE_LABEL)
    ordered = calls_in_order(names) if calls is None else []
    if calls is None and not ordered:
        raise foreign(where, f"a table of {listed(names)}", column_fix())

    def row(record: dict[str, object]) -> Row:
        pid = sys.intern("/".join(_word(record.get(one)) for one in key))
        said = "" if label is None else sys.intern(_word(record.get(label)).lower())
        if calls is not None:
            return pid, _word(record.get(calls)).encode(), said
        words = (_word(record.get(one)) for one in ordered)
        return pid, " ".join(word for word in words if word.lower() not in _NO_CALL).encode(), said

    whole = records if first is None else chain([first], records)
    if calls and (way := column(names, WAY)):
        whole = _once(whole, way, calls, tuple(filter(None, besides)), label)
    plain = "" if label is None else plain_name(label)
    return Table(map(row, whole), key, plain if plain in MAYBE_LABEL else "")


def columns_of(text: bytes) -> list[str]:
    """Name the columns of a table; nothing of a text that is none."""
    if not is_table(text):
        return []
    if text.lstrip()[:1] in b"{[":
        names = re.findall(rb'"((?:[^"\\]|\\.)*)"\s*:', text.split(b"}", 1)[0])
        return [name.decode("utf-8", "replace") for name in names]
    first = text.lstrip().split(b"\n", 1)[0]
    return list(_NGIDS_COLUMNS) if _NGIDS.fullmatch(first) else cells(first)


def _names_calls(first: bytes) -> bool:
    """Whether a line names a column of calls; in one without delimiters nothing else may be."""
    names = cells(first)
    if column(names, CALLS) is None:
        return bool(calls_in_order(names))
    text = first.decode("utf-8", "replace").strip()
    return len(names) == 1 or delimiter(text) != " " or not any(map(is_call, first.split()))


def _lines(stream: BinaryIO, where: str) -> Iterator[dict[str, object]]:
    lines = dropwhile(str.isspace, _decoded(stream))
    first = next(lines, "").lstrip()
    ngids = _NGIDS_COLUMNS if _NGIDS.fullmatch(first.encode()) else None
    by = delimiter(first.strip(" \r\n"))
    text = csv.DictReader(chain([first], lines), ngids, delimiter=by, skipinitialspace=True)
    with any_length(sys.maxsize):
        try:
            yield from text
        except csv.Error as error:
            raise foreign(where, f"a table that is not whole: {error}") from error


def _decoded(stream: BinaryIO) -> Iterator[str]:
    """Give lines with their ends, whichever of the three kinds those are."""
    for line in stream:
        if b"\r" not in line:
            yield line.decode("utf-8", "replace")
        else:
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
