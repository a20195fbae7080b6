"""Lists of the calls that there are, with their numbers or without: beside traces, and none."""

from __future__ import annotations

from collections.abc import Sequence

from oddcall.training.traces.parsing.tokens import is_call, is_number, words_of

#: Part of a list's lines that have names, and numbers, which no other line has: some kernels have
#: two calls of one name.
_DIFFERENT = 0.9
#: Lines of a list with numbers at least, and of one of names alone: no trace makes so many calls
#: of which hardly one comes again.
_NUMBERED, _NAMED = 20, 100
#: Lines that are looked at, and words of a line: number, kind, name and where it is in the kernel.
_LOOKED_AT, _WORDS = 2_000, 4
_COMMENT = (b"#", b"//", b"/*", b"*")


def is_list_of_calls(text: bytes) -> bool:
    """Whether a text names calls rather than making them: each once, with its number or without.

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
    numbered = any(all(map(is_number, one)) and _differ(one) for one in columns)
    return numbered or (len(lines) >= _NAMED and all(len(words_of(line)) == 1 for line in lines))


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
