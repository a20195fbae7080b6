"""What is a trace in a file: the whole of it, a process of it, a line, or a row of a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from oddcall.models.errors import SettingError
from oddcall.training.traces.parsing.columns import column_fix
from oddcall.training.traces.parsing.strace import is_strace
from oddcall.training.traces.parsing.sysdig import form_of
from oddcall.training.traces.parsing.tables import is_table
from oddcall.training.traces.parsing.tokens import words_of
from oddcall.training.traces.parsing.tracers import tracer_of
from oddcall.training.traces.parsing.unnamed import require_order

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
#: Lines of a file by which its layout is seen, and so many that a process should come again.
_LOOKED_AT, _ENOUGH = 2_000, 8

Lines = list[list[bytes]]


def lines_of(text: bytes) -> Lines:
    """Lines of a text that says no more than calls, split; none of what a tracer or a table is."""
    if is_table(text) or is_strace(text) or form_of(text) or tracer_of(text):
        return []
    found = (words_of(line) for line in broken(text)[:_LOOKED_AT])
    return [words for words in found if words]


def layout_of(texts: Sequence[Lines], files: int) -> tuple[str, bool]:
    """See what is a trace in files of calls, and whether lines were joined to make it one.

    Lines of two words, the first a number, are a process and a call when few numbers are in both
    columns, those of the first come again and may be of a process, and those of the second are
    not negative: of two calls a line most would be in both, an index or a time does not come
    again, and what a call returned may be negative. Where most files are of such lines all are:
    one that is not is a stranger among them, and no reason to read processes as calls. A line is
    a trace where there are few files and the lines differ much in length: a trace that was broken
    into lines has lines of one length, but for the last.

    Parameters
    ----------
    texts : sequence of lines
        Of a sample of the files.
    files : int
        How many there are in all.

    Raises
    ------
    SettingError
        Every line is two words of which the first is a number, and none of that is certain; or
        the first is the call.
    """
    if not texts:
        return "auto", False
    several = [lines for lines in texts if len(lines) > 1]
    joined = any(len(words) > 1 for lines in several for words in lines)
    require_order(texts)
    paired = [lines for lines in texts if all(map(_is_pair, lines))]
    if several and len(paired) == len(texts) and not _of_processes(paired):
        raise SettingError(
            "every line is two words, and that they are a process and its call is not certain",
            fix="Add --layout process if they are, or --layout file if both are calls. If they"
            f" are of something else: {column_fix()}",
        )
    if _are_most(paired, texts) and _of_processes(paired):
        return "process", False
    if files < _MANY_FILES and any(map(differ, several)):
        return "line", False
    return "file", joined


def broken(text: bytes) -> list[bytes]:
    """Give the lines of a text; lists within a list are a line each."""
    if text.lstrip().startswith(b"["):
        text = re.sub(rb"\]\s*,\s*\[", b"\n", text)
    return text.splitlines()


def differ(lines: Lines) -> bool:
    """Tell whether lines differ so much in length that none was broken to a width."""
    if len(lines) < 3:
        return False
    body = lines[:-1]
    widths = [sum(map(len, words)) + len(words) for words in body]
    return len({len(words) for words in body}) > 1 and max(widths) - min(widths) > _BROKEN


def come_again(lines: Lines) -> bool:
    """Tell whether the first of two words comes again, as processes do that make several calls."""
    if len(lines) < _ENOUGH or any(len(words) != 2 for words in lines):
        return True
    return len({words[0] for words in lines}) < len(lines)


def _is_pair(words: list[bytes]) -> bool:
    return len(words) == 2 and words[0].isdigit()


def _are_most(paired: Sequence[Lines], texts: Sequence[Lines]) -> bool:
    """Tell whether most files are of pairs, in several lines: one line says nothing."""
    several = sum(len(lines) > 1 for lines in paired)
    return bool(several) and (len(paired) == len(texts) or several > len(texts) / 2)


def _of_processes(paired: Sequence[Lines]) -> bool:
    pairs = [words for lines in paired for words in lines]
    first, second = Counter(words[0] for words in pairs), {words[1] for words in pairs}
    shared = sum(count for number, count in first.items() if number in second)
    return (
        shared <= _MOST_SHARED * len(pairs)
        and len(first) <= len(pairs) / 2
        and all(map(_may_be_pid, first))
        and not any(word.startswith(b"-") for word in second)
    )


def _may_be_pid(digits: bytes) -> bool:
    digits = digits.lstrip(b"0") or b"0"
    # By length first: Python makes no number of thousands of digits.
    return len(digits) <= len(str(_MOST_PID)) and int(digits) <= _MOST_PID
