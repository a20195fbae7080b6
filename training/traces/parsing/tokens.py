"""How a call is written in a trace: by number or by name, and what is neither."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oddcall.models.calls import TABLES, compat_names, names
from oddcall.models.errors import RecordingError
from oddcall.models.sparse import IntArray
from oddcall.training.traces.parsing.columns import column_fix
from oddcall.training.traces.traces import MOST_CALLS, TraceSet, Vocabulary

#: What may stand between calls, beside white space: commas, bars, what lists are written with.
_BETWEEN = bytes.maketrans(b",;|[](){}\"'", b" " * 11)
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
#: Ten digits: those of x32 begin at 2**30. Tables that went through floats write 59.0.
_NUMBER = re.compile(rb"([+-]?[0-9]{1,10})(?:\.0)?")
_HEX = re.compile(rb"0[xX][0-9A-Fa-f]{1,8}")
_PREFIX = re.compile(r"^(_*nr_|(__(x64|ia32|arm64)_)?(compat_)?sys_)")
#: Bytes of a word at most: no call is so long, and an array of words is as wide as the longest.
_LONGEST = 80
#: A text is no trace when more than this part of its different words is in no table of calls.
_MOST_STRANGE = 0.5
#: So many may be strange in any trace: a short one of a call that is newer than the tables.
_FEW_STRANGE = 2
#: Numbers that a kernel may have, from and to: those of Linux, MIPS and Windows; of ARM's own; of
#: macOS by class; of x32; and -1 of a call that was denied, also as it reads without a sign.
_NUMBERS = (
    *((-8_191, 8_191), (0xF_0000, 0xF_07FF)),
    *((kind << 24, (kind << 24) + 0x1FFF) for kind in (1, 2, 3)),
    *((0x4000_0000, 0x4000_1FFF), (0xFFFF_FFFF, 0xFFFF_FFFF)),
)
#: Part of a text's words that may be other numbers: a program may ask for what is no call.
_MOST_ODD = 0.05
#: Part of the calls, of a trace by name and of all of them, that may be numbers: names that a
#: tracer did not know. So many may be in any trace that holds more names than numbers.
_MOST_OTHERWISE, _FEW_OTHERWISE = 0.05, 1


def words_of(text: bytes) -> list[bytes]:
    """Split a text into what stands for calls, the first ``MOST_CALLS`` of them."""
    return plain_words(text).split(None, MOST_CALLS)[:MOST_CALLS]


def plain_words(text: bytes) -> bytes:
    """Write blanks for what may stand between calls; lines stay."""
    return text.translate(_BETWEEN)


def call_token(word: bytes) -> str | None:
    """Write a call one way: decimal without leading zeros, names without prefix; None if bad."""
    if number := _NUMBER.fullmatch(word):
        return str(int(number[1]))
    if _HEX.fullmatch(word):
        return str(int(word, 16))
    if _NAME.fullmatch(word):
        return _PREFIX.sub("", word.decode("ascii").lower())
    return None


def numbered(words: Sequence[bytes], where: str, vocabulary: Vocabulary, fix: str = "") -> IntArray:
    """Give each word the number of its call, (n,).

    Raises
    ------
    RecordingError
        They are no calls, or numbers that are none; with ``fix``, if there is one, as what to do.
    """
    number: dict[bytes, int] = {}
    place = [number.setdefault(word, len(number)) for word in words[:MOST_CALLS]]
    return numbered_once(list(number), np.array(place, np.int64), where, vocabulary, fix)


def numbered_once(
    different: Sequence[bytes], place: IntArray, where: str, vocabulary: Vocabulary, fix: str = ""
) -> IntArray:
    """Give the numbers of calls, (n,), of which each word is there once, and ``place`` says where.

    Raises as ``numbered`` does.
    """
    if not len(place):
        return np.zeros(0, np.int64)
    if long := next((word for word in different if len(word) > _LONGEST), None):
        raise foreign(where, _shown(long), fix)
    # Numbers go by what is written, not by what was met first.
    order = sorted(range(len(different)), key=different.__getitem__)
    tokens = []
    for word in (different[i] for i in order):
        token = call_token(word)
        if token is None:
            raise foreign(where, _shown(word), fix)
        tokens.append(token)
    strange = [token for token in tokens if not _known(token)]
    if len(strange) > max(_MOST_STRANGE * len(tokens), _FEW_STRANGE):
        raise foreign(where, f"words that no kernel has: {', '.join(strange[:3])}", fix)
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    odd = np.array([_is_number(token) and not _possible(int(token)) for token in tokens])
    if odd.any() and odd[rank[place]].mean() > _MOST_ODD:
        shown = ", ".join(tokens[i] for i in np.flatnonzero(odd)[:3])
        raise foreign(where, f"numbers that no kernel has: {shown}", fix or column_fix())
    return np.array([vocabulary.id(token) for token in tokens], np.int64)[rank[place]]


def foreign(where: str, got: str, fix: str = "") -> RecordingError:
    """Make the error of a text that holds no trace."""
    return RecordingError(
        f"{where} is not a trace",
        expected="system calls by number or name, with white space, commas or bars between them;"
        " or what strace, perf trace, sysdig or auditd writes; or a table with a column named"
        " syscall",
        got=got,
        fix=fix or "Take the file away, or name the public set that it is of with --set.",
    )


def is_call(word: bytes) -> bool:
    """Whether a kernel has a call of that name, or may have one of that number."""
    token = call_token(word)
    if token is None:
        return False
    return _possible(int(token)) if _is_number(token) else token in _kernel_names()


def is_number(word: bytes) -> bool:
    """Whether a word is a call by number, or looks like one."""
    return _is_number(call_token(word) or "")


def unknown_names(vocabulary: Vocabulary) -> list[str]:
    """List the calls that were written by a name that is in no table."""
    return [token for token in vocabulary.tokens if not _known(token)]


def numbers_among_names(traces: TraceSet) -> tuple[int, str]:
    """Count the calls by number of traces by name, and say where the first one is.

    Returns
    -------
    0 and ``""`` where all calls are by name, or all by number.
    """
    at = np.flatnonzero(_by_number(traces)[traces.calls])
    if not 0 < len(at) < len(traces.calls):
        return 0, ""
    trace = int(np.searchsorted(traces.indptr, at[0], "right")) - 1
    return len(at), f"{traces.labels[trace]}: {_nth(traces, trace, int(at[0]))}"


def require_one_kind(sets: Iterable[tuple[str, TraceSet]]) -> None:
    """Raise RecordingError when some traces are written by number and others by name.

    Of traces by name each may hold a few numbers: a tracer writes one where it does not know the
    name, and it is one more call. Names among numbers, or more numbers, are no calls of one
    tracer: a trace that holds both would be told from all others by that alone.

    Parameters
    ----------
    sets : iterable of (str, TraceSet)
        Where each set was read, and the set.
    """
    examples: dict[bool, str] = {}
    numbers = calls = 0
    mixed = some = ""
    for where, traces in sets:
        is_number = _by_number(traces)
        counts = np.add.reduceat(is_number[traces.calls].astype(np.int64), traces.indptr[:-1])
        by_number, by_name = counts == traces.lengths, counts == 0
        few = np.maximum(_MOST_OTHERWISE * traces.lengths, _FEW_OTHERWISE)
        named = (2 * counts < traces.lengths) & (counts <= few)

        def first(one: NDArray[np.bool_], where: str = where, of: TraceSet = traces) -> str:
            return _in_full(where, of.labels[int(one.argmax())]) if one.any() else ""

        for kind, example in ((True, first(by_number)), (False, first(by_name) or first(named))):
            if example:
                examples.setdefault(kind, example)
        both = ~(by_number | by_name)
        mixed = mixed or first(both & ~named) + _odd_one(traces, both & ~named)
        some = some or first(both) + _odd_one(traces, both)
        numbers += int(counts.sum())
        calls += len(traces.calls)
    if mixed or (True not in examples and numbers > _MOST_OTHERWISE * calls):
        got = f"both in {mixed or some}"
    elif len(examples) > 1:
        got = f"numbers in {examples[True]}, names in {examples[False]}"
    else:
        return
    raise RecordingError(
        "numbers and names of calls are mixed",
        expected="all traces by number, or all by name",
        got=got,
        fix="Take away what is no call, or give traces of one kind.",
    )


def _by_number(traces: TraceSet) -> NDArray[np.bool_]:
    """Whether each call of the vocabulary is a number, (V,)."""
    return np.array([_is_number(token) for token in traces.vocabulary.tokens], np.bool_)


def _odd_one(traces: TraceSet, both: NDArray[np.bool_]) -> str:
    """Say which call of the first such trace is of the kind that it holds less of."""
    if not both.any():
        return ""
    trace = int(both.argmax())
    begin, end = traces.indptr[trace : trace + 2].tolist()
    kinds = _by_number(traces)[traces.calls[begin:end]]
    at = begin + int((kinds == (2 * kinds.sum() < len(kinds))).argmax())
    return f": {_nth(traces, trace, at)}"


def _nth(traces: TraceSet, trace: int, at: int) -> str:
    token = traces.vocabulary.tokens[int(traces.calls[at])]
    return f"its call {at - int(traces.indptr[trace]) + 1:,} is {token}"


def _in_full(where: str, label: str) -> str:
    """Name a trace with its place, which may be the very file that it is in."""
    place = Path(where)
    alone = place.is_file() and label.partition(":")[0] == place.name
    return str(place.parent / label) if alone else f"{where}/{label}"


def _shown(word: bytes) -> str:
    """Write the beginning of a word so that any terminal can show it."""
    return ascii(word[:24].decode("utf-8", "replace"))


def _is_number(token: str) -> bool:
    return token.lstrip("-").isdigit()


def _possible(number: int) -> bool:
    return any(low <= number <= high for low, high in _NUMBERS)


def _known(token: str) -> bool:
    return _is_number(token) or token in _kernel_names()


@cache
def _kernel_names() -> frozenset[str]:
    return frozenset(
        name for arch in TABLES for table in (names(arch), compat_names(arch)) for name in table
    )
