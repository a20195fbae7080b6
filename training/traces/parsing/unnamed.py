"""Lines of more than calls that do not say so: what they hold besides would be read as calls."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from oddcall.models.errors import SettingError
from oddcall.training.traces.parsing.columns import (
    any_length,
    cells,
    column_fix,
    is_known,
    listed,
    plain_name,
    steps,
)
from oddcall.training.traces.parsing.tokens import (
    call_token,
    foreign,
    is_call,
    is_number,
    words_of,
)

#: Lines of a file that are looked at for cells, and lines that show a column to be one.
_LOOKED_AT = 50
_ENOUGH, _MANY = 8, 50
#: Lines of a place that show what each of them ends with.
_FEW = 5
#: Part of a column's lines with one value, or with one that is no less than the line before.
_NEARLY = 0.9
#: Different values of a column that varies as calls do.
_VARIES = 3
#: Numbers that labels are written as, and how many kinds of them there are at most.
_LABEL_NUMBERS = {str(number) for number in range(-1, 10)}
_MOST_LABELS = 3
#: Labels that also are in front of calls: processes begin with few calls.
YES_OR_NO = {"-1", "0", "1"}
_LIST = re.compile(rb"\s*\[[^\[\]]*\]\s*[,;|\t ]\s*[^\[\]\s][^\[\]]*")
#: Names of a column of files: a table with one says of what each of them is.
_FILES = {"file", "filename", "filepath", "path", "tracefile", "tracename"}
#: What is said of such a table.
BESIDE = (
    "Labels in a file of their own are not read: put the normal traces and the attacks into folders"
    " of their own, for --train and --attack, and take this file away; or make one table of the"
    " traces and their labels."
)

Lines = list[list[bytes]]


def require_calls_alone(text: bytes, where: str) -> None:
    """Refuse a text whose first line names columns, none of calls, or has a cell set apart.

    Raises
    ------
    RecordingError
        With the columns that it has, and the names that are known; or, where columns are of calls
        and hold how often each was made, with that.
    """
    lines = [line for line in text[:1_000_000].splitlines()[: 2 * _LOOKED_AT] if line.strip()]
    if counted := _counted(lines):
        raise foreign(
            where,
            f"a table of how often each call was made, in columns named {listed(counted)}",
            "Counts have no order: a trace is what a process called, one call after another.",
        )
    if names := _header(lines):
        raise foreign(where, f"columns named {listed(names)}, none of calls", _header_fix(names))
    if _is_set_apart(lines[:_LOOKED_AT]):
        shown = lines[0] if len(lines[0]) < 60 else lines[0][:26] + b" ... " + lines[0][-26:]
        raise foreign(
            where,
            "lines of which one cell is of calls and another is set apart from it:"
            f" {shown.decode('utf-8', 'replace')!a}",
            column_fix(),
        )


def names_columns(text: bytes) -> bool:
    """Whether the first line of a text names columns for which it is refused."""
    lines = [line for line in text[:1_000_000].splitlines()[:9] if line.strip()]
    return bool(_counted(lines) or _header(lines))


def require_order(texts: Sequence[Lines]) -> None:
    """Refuse lines of two words of which the first is the call.

    Raises
    ------
    SettingError
        With what to do.
    """
    pairs = [words for lines in texts for words in lines]
    if not pairs or any(len(words) != 2 for words in pairs):
        return
    named = all(not is_number(first) and is_number(second) for first, second in pairs)
    if named or (all(map(_is_behind, texts)) and any(len(lines) >= _ENOUGH for lines in texts)):
        raise SettingError(
            "of the two words of each line the first is a call and the second is none",
            expected="a process and its call, or a line that names the columns",
            got=" ".join(word.decode("ascii", "replace")[:24] for word in pairs[0]),
            fix=f"If the second is the process, swap them. {column_fix()}",
        )


def require_no_columns(texts: Sequence[Lines]) -> None:
    """Refuse files with lines of a few words that stand in columns, one of them of no calls.

    Parameters
    ----------
    texts : sequence of lines
        Of files that are a trace each.

    Raises
    ------
    SettingError
        In most files a column keeps one value that no other has, or rises, beside one that varies;
        or it has no value of the others.
    """
    tall = [lines for lines in texts if len(lines) >= _ENOUGH]
    if not tall or sum(map(_has_columns, tall)) <= len(tall) / 2:
        return
    shown = b" ".join(next(filter(_has_columns, tall))[0]).decode("ascii", "replace")
    raise SettingError(
        "every line has as many words, and one of them is no call: it stays the same or rises,"
        " or is never as another",
        expected="calls alone, or a first line that names the columns",
        got=f"a line of {shown[:48]}",
        fix=f"{column_fix()} If each word is a call add --layout file.",
    )


def require_no_labels(places: Sequence[Sequence[Lines]]) -> None:
    """Refuse lines that are a trace each when the first or the last word of each is a label.

    Parameters
    ----------
    places : sequence of sequence of lines
        Of the files of each place.

    Raises
    ------
    SettingError
        That word is never a call, or it is one of a few small numbers: of two or three that are
        nowhere else, or of another one in each place. Of first words these are 0, 1 and -1 alone:
        processes begin with few calls.
    """
    by_place = [[line for lines in texts for line in lines if len(line) > 1] for texts in places]
    pooled = [line for lines in by_place for line in lines]
    if len(pooled) < _FEW or not all(map(_written, pooled[0][1:-1])):
        return
    for at, which, rest in ((-1, "last", slice(None, -1)), (0, "first", slice(1, None))):
        ends = {line[at] for line in pooled}
        kinds = set(map(_written, ends))
        inside = {_written(word) for word in {word for line in pooled for word in line[rest]}}
        strange = not any(map(is_call, ends)) and any(map(is_call, pooled[0][rest]))
        small = kinds <= _LABEL_NUMBERS and len(kinds) <= _MOST_LABELS
        apart = len(kinds) > 1 and len(inside) > _VARIES and not kinds & inside
        told = (at == -1 or kinds <= YES_OR_NO) and _tells(by_place, at)
        if strange or (small and (apart or told)):
            shown = sorted(word.decode("ascii", "replace")[:24] for word in ends)
            raise SettingError(
                f"the {which} word of every line reads as a label or a name, not as a call",
                expected="calls alone, or a first line that names the columns",
                got=listed(shown),
                fix=f"Take it away, or make a table of it. {column_fix()}",
            )


def _counted(lines: list[bytes]) -> list[str]:
    """Columns that are named after calls, as ``open`` or ``n_open``, most of them, over numbers."""
    names = cells(lines[0]) if len(lines) > 1 else []
    below = cells(lines[1]) if names else []
    called = [
        i
        for i, name in enumerate(names)
        if any(
            is_call(part) and not is_number(part)
            for part in (name.strip().encode(), name.partition("_")[2].strip().encode())
        )
    ]
    over = len(below) == len(names) and all(is_number(below[i].strip().encode()) for i in called)
    return [names[i] for i in called] if over and len(called) > max(len(names) / 2, 2) else []


def _header(lines: list[bytes]) -> list[str]:
    """Names of the columns, where the first line has some and none of them is of calls."""
    names = cells(lines[0]) if lines else []
    if len(names) < 2:
        return []
    calls = [any(map(is_call, words_of(name.encode()))) for name in names]
    if any(is_known(name) and not call for name, call in zip(names, calls, strict=True)):
        return names
    below = len(lines) > 1 and any(map(is_call, words_of(lines[1])))
    return names if below and not any(calls) else []


def _header_fix(names: list[str]) -> str:
    prefix, numbered = steps(names)
    if numbered and re.fullmatch(r"\w*", prefix):
        # Such a number may be of a call that is counted: who made the table knows.
        return (
            f"If {numbered[0]} to {numbered[-1]} are the calls of a trace, one after another, name"
            f" them t_0, t_1 and so on: sed -E '1s/\\b{prefix}([0-9]+)/t_\\1/g' FILE > NEW. If each"
            " says how often a call was made: counts have no order."
        )
    file = any(plain_name(name) in _FILES for name in names)
    return f"{BESIDE} {column_fix()}" if file else column_fix()


def _is_set_apart(lines: list[bytes]) -> bool:
    """Whether one cell of every line is of several words, by another delimiter, and others not."""
    if lines and all(map(_LIST.fullmatch, lines)):
        return True
    for by in ",;\t|":
        # Between calls of one trace any white space may stand, also a tab among blanks.
        if len(lines) < (_FEW if by == "\t" else 1) or not all(
            by.encode() in line for line in lines
        ):
            continue
        with any_length(max(map(len, lines))):
            table = [_sizes(line, by) for line in lines]
        if len({len(row) for row in table}) != 1 or len(table[0]) < 2:
            continue
        wide = [max(of) > 1 for of in zip(*table, strict=True)]
        alone = [of for of, many in zip(zip(*table, strict=True), wide, strict=True) if not many]
        if sum(wide) == 1 and all(size == 1 for of in alone for size in of):
            return True
    return False


def _sizes(line: bytes, by: str) -> list[int]:
    """Words of each cell of a line; of those without any at its end nothing."""
    text = " ".join(line.decode("utf-8", "replace").split("\r"))
    try:
        row = next(csv.reader([text], delimiter=by, skipinitialspace=True), [])
    except csv.Error:
        return []
    sizes = [len(words_of(cell.encode())) for cell in row]
    while sizes and not sizes[-1]:
        sizes.pop()
    return sizes


def _is_behind(lines: Lines) -> bool:
    """Whether of two columns the first is of calls, and the second of a process or of none."""
    first, second = {words[0] for words in lines}, {words[1] for words in lines}
    if not all(map(is_call, first)):
        return False
    kept = (len(second) == 1 and len(first) > _VARIES) or len(lines) < _ENOUGH
    return kept or not any(map(is_call, second))


def _has_columns(lines: Lines) -> bool:
    """Whether some column of a file keeps one value or rises, and another varies as calls do."""
    width = len(lines[0])
    whole = [line for line in lines if len(line) == width]
    # What no call is written as is refused as that; and the last line may be cut.
    if width < 3 or not all(map(_written, lines[0])) or len(whole) < max(len(lines) - 1, _ENOUGH):
        return False
    kept: set[bytes] = set()
    varied: set[bytes] = set()
    rises = False
    for column in zip(*whole, strict=True):
        value, times = Counter(column).most_common(1)[0]
        if times >= _NEARLY * len(column):
            kept.add(value)
        elif _rises(column):
            rises = True
        elif len(different := set(column)) > _VARIES:
            varied |= different
    if not varied:
        return False
    return rises or any(map(is_number, kept - varied)) or _fall_apart(whole)


def _fall_apart(lines: Lines) -> bool:
    """Whether some columns of numbers share no word with others, as processes with calls.

    Of a trace that was broken into lines all columns have the commonest calls.
    """
    if len(lines) < _MANY:
        return False
    groups: list[set[bytes]] = []
    for column in map(set, zip(*lines, strict=True)):
        alike = [group for group in groups if group & column]
        groups = [group for group in groups if not group & column] + [column.union(*alike)]
    come_again = [group for group in groups if 1 < len(group) <= len(lines) / 2]
    return len(come_again) > 1 and any(all(map(is_number, group)) for group in come_again)


def _rises(column: Sequence[bytes]) -> bool:
    if not all(map(is_number, column)) or len(set(column)) <= len(column) / 2:
        return False
    numbers = [int(_written(word)) for word in column]
    steps = [after >= before for before, after in pairwise(numbers)]
    return sum(steps) >= _NEARLY * len(steps)


def _tells(places: Sequence[Lines], at: int) -> bool:
    """Whether the lines of each place have one word there, and those of another another."""
    ends = [{_written(line[at]) for line in lines} for lines in places if len(lines) >= _FEW]
    return len(ends) > 1 and all(len(end) == 1 for end in ends) and len(set.union(*ends)) > 1


def _written(word: bytes) -> str:
    return call_token(word) or ""
