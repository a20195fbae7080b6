"""What is a trace in a file: the whole of it, a process of it, a line, or a row of a table."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from oddcall.models.errors import SettingError
from oddcall.models.sparse import IntArray
from oddcall.training.traces.tables import column_fix, deciding, is_attack, is_table, rows
from oddcall.training.traces.tokens import foreign, numbered, words_of
from oddcall.training.traces.traces import MOST_CALLS, MOST_CALLS_OF_SET, Vocabulary

#: Layout -> how it is told of. What is joined is of ``"file"``, and a table says itself that it
#: is of rows.
LAYOUTS = {
    "file": "one file a trace",
    "joined": "one file a trace, uneven lines joined (--layout line: one line)",
    "process": "a process of a file a trace",
    "line": "one line a trace",
    "row": "one row of a table a trace",
}
#: With so many files or more each is a trace, be it of one line or of several.
_MANY_FILES = 20
#: Lines that differ by no more characters were broken to a width.
_BROKEN = 32
#: Part of the lines whose first number may be in the second column too.
_MOST_SHARED = 0.2
#: Largest number that Linux gives a process (include/linux/threads.h).
_MOST_PID = 4_194_304
#: Lines of a file by which its layout is seen.
_LOOKED_AT = 2_000
#: What strace prints, with -f, -t, -r or -i too; what is not a call begins otherwise.
_BEFORE = rb"^ *(?:\[pid +(\d+)\] +|(\d+) +)?(?:\d+[:.][\d:.]+ +)?(?:\[[0-9a-f?]+\] +)?"
_STRACE = re.compile(_BEFORE + rb"([a-z_]\w*)\(", re.MULTILINE)
_OF_STRACE = re.compile(_BEFORE + rb"(\+\+\+|---|<\.\.\.|\?\?\?\?|strace: )")

Lines = list[list[bytes]]


class Found(NamedTuple):
    """A trace in a file.

    Attributes
    ----------
    name : str
        What tells it from the others of its file; empty when it is the file.
    calls : int64 (length,)
    label : str
        As a table has it, in small letters; empty where there is none.
    """

    name: str
    calls: IntArray
    label: str = ""

    @property
    def attack(self) -> bool | None:
        """Whether its label is that of an attack; None where there is none."""
        return is_attack(self.label)


def plain(raw: bytes, where: str) -> bytes:
    """Text of a file without the mark of its encoding; raises RecordingError for a binary one."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raw = raw.decode("utf-16", "replace").encode()
    raw = raw.removeprefix(codecs.BOM_UTF8)
    if b"\0" in raw[:65536]:
        raise foreign(where, "a binary file", "Unpack it if it is an archive, or take it away.")
    return raw


def lines_of(text: bytes) -> Lines:
    """Lines of a text that says no more than calls, split; none of what strace or a table is."""
    if is_table(text) or _is_strace(text):
        return []
    found = (words_of(line) for line in _broken(text)[:_LOOKED_AT])
    return [words for words in found if words]


def layout_of(texts: Sequence[Lines], files: int) -> tuple[str, bool]:
    """See what is a trace in files of calls, and whether lines were joined to make it one.

    Lines of two words, the first a number, are a process and a call when few numbers are in both
    columns, those of the first come again and may be of a process, and those of the second are
    not negative: of two calls a line most would be in both, an index or a time does not come
    again, and what a call returned may be negative. A line is a trace where there are few files
    and the lines differ much in length: a trace that was broken into lines has lines of one
    length, but for the last.

    Parameters
    ----------
    texts : sequence of lines
        Of a sample of the files.
    files : int
        How many there are in all.

    Raises
    ------
    SettingError
        Every line is two words of which the first is a number, and none of that is certain.
    """
    if not texts:
        return "auto", False
    several = [lines for lines in texts if len(lines) > 1]
    joined = any(len(words) > 1 for lines in several for words in lines)
    pairs = [words for lines in texts for words in lines]
    if several and all(len(words) == 2 and words[0].isdigit() for words in pairs):
        first, second = Counter(words[0] for words in pairs), {words[1] for words in pairs}
        shared = sum(count for number, count in first.items() if number in second)
        if (
            shared > _MOST_SHARED * len(pairs)
            or len(first) > len(pairs) / 2
            or not all(map(_may_be_pid, first))
            or any(word.startswith(b"-") for word in second)
        ):
            raise SettingError(
                "every line is two words, and that they are a process and its call is not certain",
                fix="Add --layout process if they are, or --layout file if both are calls.",
            )
        return "process", False
    if files < _MANY_FILES and any(map(_differ, several)):
        return "line", False
    return "file", joined


def traces_of(
    text: bytes, where: str, layout: str, vocabulary: Vocabulary
) -> tuple[str, list[Found]]:
    """Take a file apart.

    Parameters
    ----------
    text : bytes
        As ``plain`` gives it.
    where : str
    layout : str
        What a trace is, or ``"auto"`` where there are no lines to see it by. What strace printed
        is one trace unless it is ``"process"``, with processes one after another, as calls of
        some that run side by side follow each other by chance; a table of processes is one only
        if it is ``"file"``.
    vocabulary : Vocabulary

    Returns
    -------
    Which of the layouts it had, and its traces.

    Raises
    ------
    RecordingError
        It is not of that layout, or holds what is no call.
    """
    if is_table(text):
        return _table(text, where, layout, vocabulary)
    if _is_strace(text):
        events = ((a or b, call) for a, b, call in _STRACE.findall(text))
        apart = _apart(events, layout)
        return _processes(apart, where, layout, vocabulary)
    if layout == "process":
        pairs = [words for line in _broken(text) if (words := words_of(line))]
        if odd := [words for words in pairs if len(words) != 2]:
            raise foreign(
                where,
                ascii(b" ".join(odd[0])[:40].decode("utf-8", "replace")),
                "Other files have lines of a process and a call; say with --layout what these are.",
            )
        return _processes(_apart(pairs, layout), where, layout, vocabulary)
    if layout == "line":
        fix = _table_fix(text)
        lines = (numbered(words_of(line), where, vocabulary, fix) for line in _broken(text))
        return layout, [Found(str(i), calls) for i, calls in enumerate(lines, 1) if len(calls)]
    found = _whole(words_of(text), where, vocabulary, _table_fix(text))
    return "joined" if _differ(lines_of(text)) else "file", found


def _may_be_pid(digits: bytes) -> bool:
    digits = digits.lstrip(b"0") or b"0"
    # By length first: Python makes no number of thousands of digits.
    return len(digits) <= len(str(_MOST_PID)) and int(digits) <= _MOST_PID


def _is_strace(text: bytes) -> bool:
    head = [line for line in text[:8192].splitlines()[:20] if line.strip()]
    said = [line for line in head if not _OF_STRACE.match(line)]
    return bool(said) and all(_STRACE.match(line) for line in said[:-1] or said)


def _broken(text: bytes) -> list[bytes]:
    """Lines of a text; lists within a list are a line each."""
    if text.lstrip().startswith(b"["):
        text = re.sub(rb"\]\s*,\s*\[", b"\n", text)
    return text.splitlines()


def _differ(lines: Lines) -> bool:
    if len(lines) < 3:
        return False
    body = lines[:-1]
    widths = [sum(map(len, words)) + len(words) for words in body]
    return len({len(words) for words in body}) > 1 and max(widths) - min(widths) > _BROKEN


def _whole(words: list[bytes], where: str, vocabulary: Vocabulary, fix: str = "") -> list[Found]:
    calls = numbered(words, where, vocabulary, fix)
    return [Found("", calls)] if len(calls) else []


def _apart(events: Iterable[Sequence[bytes]], layout: str) -> dict[bytes, list[bytes]]:
    """Sort calls by process, in the order that processes appear."""
    found: dict[bytes, list[bytes]] = {}
    for process, call in islice(events, MOST_CALLS_OF_SET if layout == "process" else MOST_CALLS):
        found.setdefault(process, []).append(call)
    return found


def _processes(
    apart: dict[bytes, list[bytes]], where: str, layout: str, vocabulary: Vocabulary
) -> tuple[str, list[Found]]:
    if layout != "process":
        return "file", _whole(
            [call for calls in apart.values() for call in calls], where, vocabulary
        )
    return layout, [
        Found(process.decode("ascii", "replace"), numbered(calls, where, vocabulary))
        for process, calls in apart.items()
    ]


def _table(text: bytes, where: str, layout: str, vocabulary: Vocabulary) -> tuple[str, list[Found]]:
    """Take a table apart: its rows are traces when one of them, be it the last, has two calls."""
    each, has_process = rows(text, where)
    found = list(islice(each, MOST_CALLS_OF_SET))
    if any(len(words_of(calls)) > 1 for _, calls, _ in found):
        traces = (
            (numbered(words_of(calls), where, vocabulary), label) for _, calls, label in found
        )
        return "row", [
            Found(str(i), calls, label) for i, (calls, label) in enumerate(traces, 1) if len(calls)
        ]
    by_process = has_process and layout != "file"
    apart: dict[str, list[bytes]] = {}
    labels: dict[str, str] = {}
    for process, call, label in found:
        who = process if by_process else ""
        apart.setdefault(who, []).extend(words_of(call))
        if label != (before := labels.setdefault(who, label)):
            labels[who] = deciding(before, label)
    return "process" if by_process else "file", [
        Found(who, numbered(calls, where, vocabulary), labels[who])
        for who, calls in apart.items()
        if calls
    ]


def _table_fix(text: bytes) -> str:
    """Say what to do about a text of no calls: where it has commas it may be a table."""
    return column_fix() if b"," in text[:4096].split(b"\n", 1)[0] else ""
