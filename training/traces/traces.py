"""Whole traces: what a process called, in order, one score a trace.

A plain trace is a text file of system calls, by number or by name, separated by white space.
Nothing is known of a call but that it is the same as another: names and numbers are tokens,
so traces of any kernel and architecture are read alike.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from oddcall.models.calls import TABLES, compat_names, names
from oddcall.models.errors import EvidenceError, RecordingError, SettingError
from oddcall.models.sparse import IntArray

Progress = Callable[[str, float], None]

#: Calls of one trace that are read; what comes after is left out. Bounds memory.
MOST_CALLS = 1_000_000
#: Calls of one set of traces that are read; of a larger set, a sample of its files.
MOST_CALLS_OF_SET = 32_000_000
#: How much smaller gzip makes a trace, at most: what a packed file may turn out to hold.
_PACKED = 25
#: Files that lie beside traces and are none.
_NO_TRACE = re.compile(r"(\..*|readme.*|licen[cs]e.*|.*\.md|.*\.pdf)", re.IGNORECASE)
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_NUMBER = re.compile(rb"[+-]?[0-9]{1,9}")
_PREFIX = re.compile(r"^(__(x64|ia32|arm64)_)?(compat_)?sys_")
#: A file is no trace when more than this part of its different words is in no table of calls.
_MOST_STRANGE = 0.5


class Vocabulary:
    """Number of each call met, in the order of meeting. Sets that are compared share one."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Call of every number, as it was written."""
        return tuple(self._ids)

    def id(self, token: str) -> int:
        """Give the number of a call, a new one if it is new."""
        return self._ids.setdefault(token, len(self._ids))


@dataclass(frozen=True, slots=True, eq=False)
class TraceSet:
    """Traces laid end to end.

    Attributes
    ----------
    calls : int64 (sum of lengths,)
        Number of each call in ``vocabulary``.
    indptr : int64 (n + 1,)
        Trace ``i`` is ``calls[indptr[i]:indptr[i + 1]]``; none is empty.
    labels : tuple of str
        Where each trace came from.
    vocabulary : Vocabulary
    unread : int
        Traces that were left out, as the set is too large.
    cut : int
        Traces whose end was left out, as they are too long.
    """

    calls: IntArray
    indptr: IntArray
    labels: tuple[str, ...]
    vocabulary: Vocabulary = field(repr=False)
    unread: int = 0
    cut: int = 0

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def of(
        cls, traces: Sequence[IntArray], vocabulary: Vocabulary, labels: Iterable[str] = ()
    ) -> TraceSet:
        """Lay traces end to end; empty ones are an error of the caller's."""
        indptr = np.zeros(len(traces) + 1, np.int64)
        np.cumsum([len(trace) for trace in traces], out=indptr[1:])
        calls = np.concatenate(traces) if traces else np.zeros(0, np.int64)
        named = tuple(labels) or tuple(str(i) for i in range(len(traces)))
        return cls(calls.astype(np.int64), indptr, named, vocabulary)

    @property
    def lengths(self) -> IntArray:
        """Calls of each trace, (n,)."""
        return np.diff(self.indptr)

    @property
    def row(self) -> IntArray:
        """Trace of every call."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def trace(self, i: int) -> IntArray:
        """Give the calls of one trace."""
        return self.calls[self.indptr[i] : self.indptr[i + 1]]

    def take(self, rows: IntArray) -> TraceSet:
        """Pick traces by position."""
        picked = [self.trace(int(i)) for i in rows]
        return TraceSet.of(picked, self.vocabulary, (self.labels[int(i)] for i in rows))

    def chunks(self, most_calls: int) -> Iterator[tuple[int, TraceSet]]:
        """Split into runs of about ``most_calls`` calls, each with its first trace's position."""
        begin = 0
        while begin < len(self):
            limit = self.indptr[begin] + most_calls
            end = max(begin + 1, int(np.searchsorted(self.indptr, limit, "right")) - 1)
            part = slice(self.indptr[begin], self.indptr[end])
            indptr = self.indptr[begin : end + 1] - self.indptr[begin]
            yield (
                begin,
                TraceSet(self.calls[part], indptr, self.labels[begin:end], self.vocabulary),
            )
            begin = end

    def same(self) -> IntArray:
        """Give identical traces the same number, (n,): copies must not vouch for each other."""
        seen: dict[bytes, int] = {}
        return np.array(
            [seen.setdefault(self.trace(i).tobytes(), len(seen)) for i in range(len(self))],
            np.int64,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """What is learned from, and what is judged.

    Attributes
    ----------
    name : str
    train, normal, attack : TraceSet
        Of one vocabulary.
    """

    name: str
    train: TraceSet
    normal: TraceSet
    attack: TraceSet


def read_traces(root: Path, vocabulary: Vocabulary, progress: Progress | None = None) -> TraceSet:
    """Read the traces below a directory, in the order of their paths.

    Plain text or gzip, one trace a file. Hidden files, README, LICENSE and empty files are
    passed over. Calls past ``MOST_CALLS`` of a trace are left out; of a set that holds more
    than ``MOST_CALLS_OF_SET`` a sample of the files is read, the same one each time.

    Parameters
    ----------
    root : Path
    vocabulary : Vocabulary
    progress : callable, optional
        Told what is being read and the part that is done, 0 to 1.

    Raises
    ------
    SettingError
        There is no such directory.
    EvidenceError
        It holds no trace.
    RecordingError
        A file is not a trace, or some are written by number and some by name.
    """
    if not root.is_dir():
        raise SettingError(
            f"the traces in {root} cannot be read",
            expected="a directory of plain text traces",
            got="a file" if root.exists() else "nothing of that name",
        )
    kinds: dict[bool, str] = {}

    def read(path: Path) -> IntArray:
        trace = parse_trace(_text(path), str(path), vocabulary)
        if len(trace):
            _require_one_kind(kinds, trace, vocabulary, str(path))
        return trace

    return collect(trace_files(root), read, root, vocabulary, progress)


def collect(
    paths: Sequence[Path],
    read: Callable[[Path], IntArray],
    root: Path,
    vocabulary: Vocabulary,
    progress: Progress | None = None,
) -> TraceSet:
    """Read files until ``MOST_CALLS_OF_SET`` calls are held; raises EvidenceError for none.

    Parameters
    ----------
    paths : sequence of Path
        Below ``root``, in the order that the set is to have.
    read : callable
        Gives the calls of one file; none for a file that holds none.
    root, vocabulary
        As for ``read_traces``.
    progress : callable, optional
    """
    found: dict[int, IntArray] = {}
    total = 0
    order = _reading_order(paths)
    for done, i in enumerate(order):
        if progress and done % 16 == 0:
            progress(f"reading {root}", done / len(order))
        trace = read(paths[i])
        if not len(trace):
            continue
        if found and total + len(trace) > MOST_CALLS_OF_SET:
            break
        found[i], total = trace, total + len(trace)
    else:
        done = len(order)
    kept = sorted(found)
    if not kept:
        require_some(TraceSet.of([], vocabulary), str(root))
    traces = TraceSet.of(
        [found[i] for i in kept], vocabulary, (str(paths[i].relative_to(root)) for i in kept)
    )
    cut = int(np.sum(traces.lengths >= MOST_CALLS))
    return replace(traces, unread=len(order) - done, cut=cut)


def _reading_order(paths: Sequence[Path]) -> IntArray:
    """Order of reading: a fixed shuffle where a set may not fit, to make what fits a sample."""
    order = np.arange(len(paths))
    size = sum(
        path.stat().st_size * (_PACKED if path.suffix in {".gz", ".zip"} else 1) for path in paths
    )
    # A call takes two bytes or more.
    return np.random.default_rng(0).permutation(order) if size > 2 * MOST_CALLS_OF_SET else order


def trace_files(root: Path) -> list[Path]:
    """Files below a directory that may hold traces, sorted."""
    paths = (path for path in root.rglob("*") if path.is_file())
    return sorted(path for path in paths if not _NO_TRACE.fullmatch(path.name))


def require_some(traces: TraceSet, where: str) -> TraceSet:
    """Give the set back, or raise EvidenceError when it is empty."""
    if len(traces):
        return traces
    raise EvidenceError(
        f"there is no trace in {where}",
        expected="files of system calls, by number or name, separated by white space",
        got="no file with anything in it",
    )


def parse_trace(text: bytes, where: str, vocabulary: Vocabulary) -> IntArray:
    """Give each call of a trace its number; raises RecordingError when the text is no trace."""
    if b"\0" in text[:65536]:
        raise _foreign(where, "a binary file")
    words = np.array(text.split()[:MOST_CALLS])
    if not len(words):
        return np.zeros(0, np.int64)
    different, place = np.unique(words, return_inverse=True)
    tokens = [_token(word, where) for word in different.tolist()]
    strange = [token for token in tokens if not _known(token)]
    if len(strange) > _MOST_STRANGE * len(tokens):
        raise _foreign(where, f"words that no kernel has: {', '.join(strange[:3])}")
    return np.array([vocabulary.id(token) for token in tokens], np.int64)[place]


def unknown_names(vocabulary: Vocabulary) -> list[str]:
    """List the calls that were written by a name that is in no table."""
    return [token for token in vocabulary.tokens if not _known(token)]


def require_alike(known: TraceSet, others: TraceSet, where: str) -> None:
    """Raise RecordingError when one set writes numbers and the other names."""
    first, second = (_numbered(each.calls, each.vocabulary) for each in (known, others))
    if first != second:
        raise RecordingError(
            f"the traces in {where} cannot be compared with those learned from",
            expected="calls by number" if first else "calls by name",
            got="calls by number" if second else "calls by name",
        )


def _require_one_kind(
    kinds: dict[bool, str], trace: IntArray, vocabulary: Vocabulary, where: str
) -> None:
    """Remember how a trace is written; raises RecordingError when another was written otherwise."""
    kinds.setdefault(_numbered(trace, vocabulary), where)
    if len(kinds) > 1:
        raise RecordingError(
            "numbers and names of calls are mixed",
            expected="all traces by number, or all by name",
            got=f"numbers in {kinds[True]}, names in {kinds[False]}",
        )


def _numbered(calls: IntArray, vocabulary: Vocabulary) -> bool:
    """Whether most of the different calls were written as numbers."""
    tokens = vocabulary.tokens
    used = [tokens[i] for i in np.unique(calls)]
    return sum(map(_is_number, used)) > len(used) / 2


def _is_number(token: str) -> bool:
    return token.lstrip("-").isdigit()


def call_token(word: bytes) -> str | None:
    """Write a call one way: numbers without leading zeros, names without ``sys_``; None if bad."""
    if _NUMBER.fullmatch(word):
        return str(int(word))
    if _NAME.fullmatch(word):
        return _PREFIX.sub("", word.decode("ascii").lower())
    return None


def _token(word: bytes, where: str) -> str:
    token = call_token(word)
    if token is None:
        raise _foreign(where, ascii(word[:24].decode("utf-8", "replace")))
    return token


def _foreign(where: str, got: str) -> RecordingError:
    return RecordingError(
        f"{where} is not a trace",
        expected="system calls, by number or name, separated by white space",
        got=got,
        fix="Take the file away, or say which layout the data have with --set.",
    )


def _text(path: Path) -> bytes:
    raw = path.read_bytes()
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        return gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingError(
            f"{path} cannot be unpacked", expected="a whole gzip file", got=str(error)
        ) from error


def _known(token: str) -> bool:
    return _is_number(token) or token in _kernel_names()


@cache
def _kernel_names() -> frozenset[str]:
    return frozenset(
        name for arch in TABLES for table in (names(arch), compat_names(arch)) for name in table
    )
