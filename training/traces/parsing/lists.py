"""Lists of the calls that there are, with their numbers or without: beside traces, and none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import TypeVar

from oddcall.models.calls import TABLES, compat_names, names
from oddcall.training.traces.parsing.tokens import call_token, is_call, is_number, words_of

#: Part of a list's lines that have names, and numbers, which no other line has, and of them that
#: stand in order: some kernels have two calls of one name.
_DIFFERENT = 0.9
#: Lines of a list with numbers at least, and of one of names alone: no trace makes so many calls
#: of which hardly one comes again.
_NUMBERED, _NAMED = 20, 100
#: Lines that are looked at, and words of a line: number, kind, name and where it is in the kernel.
_LOOKED_AT, _WORDS = 2_000, 4
_COMMENT = (b"#", b"//", b"/*", b"*")

_Ordered = TypeVar("_Ordered", int, str)


def is_list_of_calls(text: bytes) -> bool:
    """Whether a text names calls rather than making them: each once, with its number or without.

    It is in order: of the numbers, of a kernel's table or of the alphabet. A process that never
    makes a call again makes them in no such order.

    Such are ``0 exit``, ``1 fork`` and so on, the tables of Linux (``0 common read sys_read``),
    and names alone, a line each.
    """
    raw = (line.strip() for line in text.splitlines()[:_LOOKED_AT])
    lines = [line for line in raw if line and not line.startswith(_COMMENT)]
    # The first lines tell of most traces: calls come again in them.
    if len(lines) < _NUMBERED or not any(map(_names, _columns(lines[:_NUMBERED]))):
        return False
    columns = _columns(lines)
    if not any(map(_names, columns)):
        return False
    numbers = [one for one in columns if all(map(is_number, one)) and _differ(one)]
    alone = len(lines) >= _NAMED and all(len(words_of(line)) == 1 for line in lines)
    if not numbers and not alone:
        return False
    return any(map(_in_order, numbers)) or any(map(_in_order, filter(_names, columns)))


def _in_order(column: Sequence[bytes]) -> bool:
    """Whether numbers rise, or names do in the alphabet or in a table of calls."""
    tokens = [token for word in column if (token := call_token(word)) is not None]
    if all(map(is_number, column)):
        return _rise(list(map(int, tokens)))
    places = ([at[token] for token in tokens if token in at] for at in _tables())
    return _rise(tokens) or any(len(place) >= len(column) / 2 and _rise(place) for place in places)


def _rise(values: Sequence[_Ordered]) -> bool:
    pairs = list(pairwise(values))
    return sum(one <= other for one, other in pairs) >= _DIFFERENT * len(pairs)


@cache
def _tables() -> list[dict[str, int]]:
    """Place of each name in each table."""
    return [
        {name: i for i, name in enumerate(table(arch))}
        for arch in TABLES
        for table in (names, compat_names)
    ]


def _columns(lines: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    """Words of lines by column, of as many columns as all lines have; none of a wider text."""
    words = [words_of(line) for line in lines]
    width = min(map(len, words))
    return list(zip(*(line[:width] for line in words), strict=True)) if width <= _WORDS else []


def _names(column: Sequence[bytes]) -> bool:
    """Whether words are names that differ, half of the different ones or more of calls."""
    different = set(column)
    if not _differ(column) or any(map(is_number, different)):
        return False
    return sum(map(is_call, different)) >= len(different) / 2


def _differ(column: Sequence[bytes]) -> bool:
    return len(set(column)) >= _DIFFERENT * len(column)
