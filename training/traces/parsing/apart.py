"""Taking a file apart into its traces, line by line, and no further than the bounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import BinaryIO, NamedTuple

from oddcall.training.traces.parsing import strace, sysdig, tracers
from oddcall.training.traces.parsing.columns import column_fix
from oddcall.training.traces.parsing.gathered import Found, Gathered, Numbering
from oddcall.training.traces.parsing.labels import Labels
from oddcall.training.traces.parsing.layouts import broken, come_again, differ, lines_of
from oddcall.training.traces.parsing.strace import is_strace
from oddcall.training.traces.parsing.sysdig import form_of
from oddcall.training.traces.parsing.tables import is_table, table_of
from oddcall.training.traces.parsing.texts import beginning
from oddcall.training.traces.parsing.tokens import (
    foreign,
    numbered,
    numbered_once,
    plain_words,
    words_of,
)
from oddcall.training.traces.parsing.tracers import tracer_of
from oddcall.training.traces.parsing.unnamed import require_calls_alone
from oddcall.training.traces.traces import MOST_CALLS, MOST_CALLS_OF_SET, Vocabulary

#: Lines of two words, or of none.
_PAIRS = re.compile(rb"(?>[^\S\r\n]*+(?:\S++[^\S\r\n]++\S++[^\S\r\n]*+)?[\r\n])*+")
#: Bytes by which is seen what a file is, and that are read at a time where it is one trace.
BEGINNING = 1_000_000
#: Bytes of a line of a process and a call at most.
_LONGEST_LINE = 1_000_000
_NOT_PAIRS = (
    "Other files have lines of a process and a call: take this one away, or say with --layout what"
    " they are."
)
#: What is said of lines that look like those of strace, with names that no kernel has.
_LIBRARY = (
    "If ltrace wrote this, its lines are calls of libraries: `ltrace -S -o FILE` writes those of"
    " the kernel as well, `strace -f -o FILE` them alone. Else take the file away."
)


class Taken(NamedTuple):
    """What a file was taken apart into.

    Attributes
    ----------
    layout : str
        Which of ``LAYOUTS`` it had.
    found : list of Found
    key : tuple of str, default empty
        Columns of a table that told processes apart.
    partly : bool, default False
        Whether there was no room for all of its rows or lines.
    """

    layout: str
    found: list[Found]
    key: tuple[str, ...] = ()
    partly: bool = False


def traces_of(
    stream: BinaryIO,
    where: str,
    layout: str,
    vocabulary: Vocabulary,
    meaning: Labels | None = None,
    *,
    asked: bool = False,
) -> Taken:
    """Take a file apart.

    Parameters
    ----------
    stream : binary stream
        As ``plain`` gives it.
    where : str
    layout : str
        What a trace is, or ``"auto"`` where there are no lines to see it by. What strace printed
        or sysdig wrote is one trace unless it is ``"process"``, with processes one after another,
        as calls of some that run side by side follow each other by chance; a table of processes,
        or what a tracer wrote of a whole host, is one only if it is ``"file"``.
    vocabulary : Vocabulary
    meaning : Labels, optional
        How the labels of a table are taken.
    asked : bool, default False
        Whether the layout was asked for, rather than seen: then processes of one call each are
        believed.

    Raises
    ------
    RecordingError
        It is not of that layout, or holds what is no call.
    """
    first = beginning(stream, BEGINNING)
    if is_table(first):
        numbering = partial(numbered_once, where=where, vocabulary=vocabulary)
        return _table(stream, where, layout, numbering, meaning or Labels())
    traced, apart = _traced(stream, first, where)
    if traced is None:
        require_calls_alone(first, where)
    seen = layout == "process" and traced is None and not asked
    if seen and not any(map(_come_again, (first[:4096], first))):
        raise foreign(
            where,
            "lines of which the first word never comes again, as a process does",
            "Take the file away, or say with --layout what a trace is in all of them.",
        )
    fix = _LIBRARY if traced else _table_fix(first)
    numbering = partial(numbered_once, where=where, vocabulary=vocabulary, fix=fix)
    if traced or layout == "process":
        by_process = layout == "process" or (apart and layout != "file")
        held = Gathered(MOST_CALLS_OF_SET if by_process else MOST_CALLS, numbering)
        if traced:
            all(held.add(process, [call]) for process, call in traced)
        else:
            all(held.add_each(processes, calls) for processes, calls in _pairs(stream, where))
        if not by_process:
            return Taken("file", held.joined())
        return Taken("process", held.by_process(), partly=held.full)
    if layout == "line":
        held = Gathered(MOST_CALLS_OF_SET, numbering)
        for line in _lines(stream, first):
            if not held.add("", words_of(line)):
                break
        return Taken(layout, held.by_row(), partly=held.full)
    calls = numbered(_words(partial(stream.read, BEGINNING)), where, vocabulary, fix)
    found = [Found("", calls)] if len(calls) else []
    return Taken("joined" if differ(lines_of(first)) else "file", found)


def _traced(
    stream: BinaryIO, first: bytes, where: str
) -> tuple[Iterator[tuple[str, bytes]] | None, bool]:
    """Give process and call of each event where a tracer wrote them, and whether of a whole host.

    None of any other text.
    """
    if is_strace(first):
        return strace.events(stream), False
    if tracer := tracer_of(first):
        return tracers.events(stream, tracer, where), tracer.by_process
    if not (form := form_of(first)):
        return None, False
    # What it has no name for is one more call.
    events = sysdig.events(stream, form, where)
    return ((thread, call.strip(b"<>")) for thread, call in events), False


def _come_again(text: bytes) -> bool:
    return come_again(lines_of(text))


def _table(
    stream: BinaryIO, where: str, layout: str, numbering: Numbering, meaning: Labels
) -> Taken:
    """Take a table apart: its rows are traces when one of them, be it the last, has two calls."""
    table = table_of(stream, where)
    by_process = bool(table.key) and layout != "file"
    held = Gathered(MOST_CALLS_OF_SET, numbering, meaning)
    for process, calls, label in table.rows:
        if not held.add(process if by_process else "", words_of(calls), label):
            break
    if table.maybe and not meaning.are_meant(table.maybe, held.labels):
        held.unlabel()
    if held.several:
        return Taken("row", held.by_row(), partly=held.full)
    if by_process:
        return Taken("process", held.by_process(), table.key, held.full)
    return Taken("file", held.by_process())


def _pairs(stream: BinaryIO, where: str) -> Iterable[tuple[list[bytes], list[bytes]]]:
    """Give processes and their calls, of many lines at a time: a line at a time is slow."""
    for piece in _whole_lines(stream, where):
        text = plain_words(piece) + b"\n"
        if not _PAIRS.fullmatch(text):
            # Which line it is of is told by words.
            for line in broken(piece):
                _require_pair(words_of(line), where)
        words = text.split()
        yield words[::2], words[1::2]


def _whole_lines(stream: BinaryIO, where: str) -> Iterable[bytes]:
    """Give many lines at a time, however they end; raises RecordingError for one without end."""
    rest = b""
    while more := stream.read(BEGINNING):
        text = rest + more
        whole = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        rest = text[whole:]
        if len(rest) > _LONGEST_LINE:
            raise foreign(where, f"a line of more than {_LONGEST_LINE:,} bytes", _NOT_PAIRS)
        if whole:
            yield text[:whole]
    yield rest


def _require_pair(words: list[bytes], where: str) -> None:
    if len(words) not in {0, 2}:
        raise foreign(
            where,
            ascii(b" ".join(words)[:40].decode("utf-8", "replace")),
            _NOT_PAIRS,
        )


def _lines(stream: Iterable[bytes], first: bytes) -> Iterable[bytes]:
    """Give lines whichever way they end, and where the text begins with a list each list within."""
    mark = b"[" if first.lstrip().startswith(b"[") else b""
    for line in stream:
        yield from broken(mark + line if mark else line)


def _words(read: Callable[[], bytes]) -> list[bytes]:
    """Read words until there are ``MOST_CALLS`` of them."""
    found: list[bytes] = []
    rest = b""
    while len(found) < MOST_CALLS and len(rest) <= BEGINNING:
        if not (more := read()):
            break
        text = rest + more
        # What ends with the piece may be the beginning of a longer word.
        whole = (
            max(text.rfind(space) for space in (b" ", b"\n", b"\r", b"\t", b",", b";", b"|")) + 1
        )
        rest = text[whole:]
        found += words_of(text[:whole])
    return (found + words_of(rest))[:MOST_CALLS]


def _table_fix(text: bytes) -> str:
    """Say what to do about a text of no calls: with commas, or even lines, it may be a table."""
    lines = text[:4096].splitlines()[:-1] or [text]
    widths = {len(words_of(line)) for line in lines}
    if len(lines) > 1 and widths == {2}:
        return f"If a line is a process and its call add --layout process. {column_fix()}"
    even = len(lines) > 1 and len(widths) == 1
    divided = any(all(by in line for line in lines) for by in (b",", b";", b"|"))
    return column_fix() if divided or even else ""
