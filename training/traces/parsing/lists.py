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
    lines = [words_of(line) for line in text.splitlines()[:_LOOKED_AT]]
    lines = [words for words in lines if words and not words[0].startswith(_COMMENT)]
    if len(lines) < _NUMBERED or (width := min(map(len, lines))) > _WORDS:
        return False
    columns = list(zip(*(words[:width] for words in lines), strict=True))
    named = any(not any(map(is_number, column)) and _known(column) for column in columns)
    if not named:
        return False
    if any(all(map(is_number, column)) and _differ(column) for column in columns):
        return True
    return max(map(len, lines)) == 1 and len(lines) >= _NAMED


def _known(column: Sequence[bytes]) -> bool:
    """Whether the words of a column differ and half of them or more are names of calls."""
    different = set(column)
    return _differ(column) and sum(map(is_call, different)) >= len(different) / 2


def _differ(column: Sequence[bytes]) -> bool:
    return len(set(column)) >= _DIFFERENT * len(column)
