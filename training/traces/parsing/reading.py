"""Reading traces of one's own: from files and folders, whatever a trace is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from oddcall.models.errors import EvidenceError, RecordingError
from oddcall.training.traces.parsing.apart import BEGINNING, traces_of
from oddcall.training.traces.parsing.archives import Room
from oddcall.training.traces.parsing.columns import listed
from oddcall.training.traces.parsing.ends import require_no_label_at_ends
from oddcall.training.traces.parsing.files import (
    Files,
    TraceFile,
    files_of,
    reading_order,
    require_apart,
)
from oddcall.training.traces.parsing.folders import require_not_both
from oddcall.training.traces.parsing.gathered import Found
from oddcall.training.traces.parsing.labels import Labels
from oddcall.training.traces.parsing.layouts import LAYOUTS, Lines, layout_of, lines_of
from oddcall.training.traces.parsing.lists import is_list_of_calls
from oddcall.training.traces.parsing.places import Place, sorted_split
from oddcall.training.traces.parsing.tables import columns_of
from oddcall.training.traces.parsing.texts import beginning, opened
from oddcall.training.traces.parsing.tokens import require_one_kind
from oddcall.training.traces.parsing.unnamed import (
    BESIDE,
    names_columns,
    require_no_columns,
    require_no_labels,
)
from oddcall.training.traces.traces import (
    FOLDS,
    MOST_CALLS,
    MOST_CALLS_OF_SET,
    Progress,
    Split,
    TraceSet,
    Vocabulary,
)

#: Files of a place by which its layout is seen.
_LOOKED_AT = 200
#: Bytes of a file that name the columns of a table.
_HEAD = 65_536
#: Files that are named when they are no traces, and so many that the others are not read.
_NAMED, _MANY = 5, 20


def read_split(
    train: Path,
    normal: Path | None,
    attack: Path | None,
    layout: str = "auto",
    progress: Progress | None = None,
    normal_labels: Iterable[str] = (),
) -> Split:
    """Read what is learned from, and what is judged.

    A trace with a label goes where its label says, whatever place it was found in.

    Parameters
    ----------
    train, normal, attack : Path
        Files or folders. Without ``normal`` a third of what is learned from is judged instead,
        copies of a trace together; without ``attack`` the traces must have labels.
    layout : str, default "auto"
        What a trace is in the files, of ``LAYOUTS``. If it is given it is believed: lists of
        calls and processes of one call each are traces then.
    progress : callable, optional
        Told what is being read and the part that is done, 0 to 1.
    normal_labels : iterable of str, optional
        The labels that are of normal traces: all others are of attacks then.

    Raises
    ------
    SettingError
        A file is in two of the places, or it cannot be known what a trace is in the files, or
        they begin or end with what reads as a label, or there is no attack.
    EvidenceError
        A place holds no trace, or there is none that is normal.
    RecordingError
        A file cannot be read or is not of traces, or some are written by number and some by name.
    """
    flags = {"--train": train, "--normal": normal, "--attack": attack}
    roots = {flag: root for flag, root in flags.items() if root is not None}
    vocabulary, meaning = Vocabulary(), Labels.of(normal_labels)
    with Room() as room:
        files = {flag: files_of(root, room) for flag, root in roots.items()}
        require_apart(files)
        layouts = _layouts(files, layout)
        places = {
            flag: _read(place, layouts[flag], vocabulary, meaning, progress, asked=layout != "auto")
            for flag, place in files.items()
        }
    require_one_kind((str(roots[flag]), place.traces) for flag, place in places.items())
    known = len(places["--train"].traces)
    if layouts["--train"] == "file" != layout and known < FOLDS:
        raise EvidenceError(
            f"there are too few traces in {train} to learn from, one in each file",
            expected=f"at least {FOLDS}",
            got=str(known),
            fix="Give more, or add --layout line if each line is a trace.",
        )
    _require_told_apart(train, places["--train"], layouts["--train"])
    if attack is None:
        require_not_both(train, places["--train"])
    split = sorted_split(places, meaning)
    if layout == "auto":
        require_no_label_at_ends(split)
    return split


def read_traces(root: Path, vocabulary: Vocabulary, progress: Progress | None = None) -> TraceSet:
    """Read the traces of one place, in the order of the paths of its files; labels say nothing.

    Plain text or gzip, also in archives. Hidden files, README, LICENSE and empty files are passed
    over. Calls past ``MOST_CALLS`` of a trace are left out; of a set that holds more than
    ``MOST_CALLS_OF_SET`` a sample of the files is read, the same one each time. Raises as
    ``read_split`` does.
    """
    with Room() as room:
        place = files_of(root, room)
        layout = _layouts({"": place}, "auto")[""]
        traces = _read(place, layout, vocabulary, Labels(), progress).traces
    require_one_kind([(str(root), traces)])
    return traces


def collect(
    files: Sequence[TraceFile],
    read: Callable[[TraceFile], Iterable[Found]],
    root: Path,
    vocabulary: Vocabulary,
    progress: Progress | None = None,
    *,
    leave_out: bool = False,
) -> tuple[TraceSet, tuple[str, ...]]:
    """Read files until ``MOST_CALLS_OF_SET`` calls are held; raises EvidenceError for none.

    Parameters
    ----------
    files : sequence of TraceFile
        In the order that the set is to have.
    read : callable
        Gives the traces of one file.
    root, vocabulary, progress
        As for ``read_traces``.
    leave_out : bool, default False
        Leave out a file that raises RecordingError, unless no trace is left.

    Returns
    -------
    traces : TraceSet
    labels : tuple of str
        Of each trace, as ``Found`` has it.
    """
    found: dict[int, list[Found]] = {}
    damaged: dict[int, RecordingError] = {}
    total = empty = 0
    order = reading_order(files)
    for done, i in enumerate(order):
        if progress and done % 16 == 0:
            progress(f"reading {root}", done / len(order))
        try:
            traces = list(read(files[i]))
        except RecordingError as error:
            if not leave_out:
                raise
            damaged[int(i)] = error
            continue
        size = sum(len(one.calls) for one in traces)
        if found and total + size > MOST_CALLS_OF_SET:
            break
        empty += not traces
        found[int(i)], total = traces, total + size
    else:
        done = len(order)
    kept = [(files[i], one) for i in sorted(found) for one in found[i]]
    if damaged and not kept:
        raise damaged[min(damaged)]
    names = (_label(file, one.name) for file, one in kept)
    traces_set = TraceSet.of([one.calls for _, one in kept], vocabulary, names)
    cut = int(np.sum(traces_set.lengths >= MOST_CALLS))
    left = tuple(f"{error.what} ({error.got})" for _, error in sorted(damaged.items()))
    traces_set = replace(traces_set, unread=len(order) - done, cut=cut, empty=empty, damaged=left)
    return require_some(traces_set, str(root)), tuple(one.label for _, one in kept)


def require_some(traces: TraceSet, where: str, expected: str = "") -> TraceSet:
    """Give the set back, or raise EvidenceError when it is empty."""
    if len(traces):
        return traces
    raise EvidenceError(
        f"there is no trace in {where}",
        expected=expected or "files of system calls, by number or by name",
        got=_empty(traces.empty),
    )


def _empty(files: int) -> str:
    if files == 1:
        return "one file, empty"
    return f"{files:,} files, all empty" if files else "no such file"


def _read(
    place: Files,
    layout: str,
    vocabulary: Vocabulary,
    meaning: Labels,
    progress: Progress | None,
    *,
    asked: bool = False,
) -> Place:
    read_as: set[str] = set()
    keys: dict[tuple[str, ...], None] = {}
    columns: dict[str, None] = {}
    partly: list[str] = []
    lists: list[str] = []
    seen = 0
    strange: dict[TraceFile, RecordingError] = {}

    def told(part: float) -> None:
        if progress:
            progress(f"reading {place.root}", (seen - 1 + part) / len(place.each))

    def read(file: TraceFile) -> list[Found]:
        nonlocal seen
        seen += 1
        try:
            with opened(file.path, file.where, told) as stream:
                if not asked and is_list_of_calls(beginning(stream, _HEAD)):
                    lists.append(file.name)
                    return []
                columns.update(dict.fromkeys(columns_of(beginning(stream, _HEAD))))
                taken = traces_of(stream, file.where, layout, vocabulary, meaning, asked=asked)
        except RecordingError as error:
            strange[file] = error
            if len(strange) == _MANY:
                raise _no_traces(strange) from error
            return []
        if taken.found:
            read_as.add(taken.layout)
        if taken.key:
            keys[taken.key] = None
        if taken.partly:
            partly.append(file.name)
        return taken.found

    try:
        traces, labels = collect(place.each, read, place.root, vocabulary, progress)
    except EvidenceError:
        if strange:
            raise _no_traces(strange) from None
        if lists:
            raise _only_lists(place.root, lists) from None
        raise
    if strange:
        raise _no_traces(strange)
    ways = tuple(k for k in LAYOUTS if k in read_as)
    # The traces of a file that did not fit are not there: it is counted as unread.
    held = sum(any(one.startswith(f"{name}:") for one in traces.labels) for name in partly)
    traces = replace(
        traces,
        empty=traces.empty - len(lists),
        lists=tuple(sorted(lists)),
        twice=place.twice,
        links=place.links,
        partly=held,
        read_as=ways,
        keys=tuple(keys),
    )
    return Place(traces, labels, tuple(columns))


def _require_told_apart(root: Path, place: Place, layout: str) -> None:
    """Refuse what tables or tracers hold where that is too few for a trace each file."""
    traces = place.traces
    if len(traces) >= FOLDS or traces.read_as != ("file",):
        return
    if place.columns and not traces.keys:
        raise EvidenceError(
            f"there are too few traces in {root} to learn from, one in each table",
            expected=f"at least {FOLDS}, or a column that tells those of a table apart",
            got=f"{len(traces)}, with the columns {listed(place.columns)}",
            fix="Give more, or name the column that tells traces apart pid or trace_id.",
        )
    if not place.columns and layout == "auto":
        raise EvidenceError(
            f"there are too few traces in {root} to learn from, one in each file of a tracer",
            expected=f"at least {FOLDS}",
            got=str(len(traces)),
            fix="Give more, or add --layout process if each process is a trace.",
        )


def _only_lists(root: Path, lists: list[str]) -> EvidenceError:
    others = f" and {len(lists) - 1} more of its kind" if lists[1:] else ""
    return EvidenceError(
        f"there is no trace in {root}",
        expected="files of system calls, in the order in which a process made them",
        got=f"{min(lists)}, which names the calls that there are, each once{others}",
        fix="If it is a trace, add --layout file.",
    )


def _no_traces(strange: dict[TraceFile, RecordingError]) -> RecordingError:
    """Name all files that are no traces at once, and say of the first why."""
    files = sorted(strange, key=lambda file: file.where)
    first = strange[files[0]]
    if len(files) == 1:
        return first
    others = ", ".join(PurePosixPath(file.name).name for file in files[1:_NAMED])
    more = ", ..." if len(files) > _NAMED else ""
    many = "or more" if len(files) == _MANY else "in all"
    beside = any(BESIDE in error.fix for error in strange.values())
    return RecordingError(
        first.what,
        expected=first.expected,
        got=f"{first.got}; nor are {others}{more}, {len(files)} files {many}",
        fix=f"{first.fix} {BESIDE}" if beside and BESIDE not in first.fix else first.fix,
    )


def _layouts(files: dict[str, Files], asked: str) -> dict[str, str]:
    """See what is a trace in the files of each place: as in the first, where that says it."""
    found: dict[str, str] = {}
    ruling = asked if asked != "auto" else ""
    by_line: list[list[Lines]] = []
    by_file: list[list[Lines]] = []
    for flag, place in files.items() if asked in {"auto", "line"} else ():
        paths = place.each
        step = max(len(paths) // _LOOKED_AT, 1)
        texts = [lines for file in paths[::step] if (lines := _beginning(file, asked != "auto"))]
        if found or ruling:
            found[flag] = ruling or layout_of(texts, len(paths))[0]
        else:
            found[flag], joined = layout_of(texts, len(paths))
            ruling = found[flag] if joined or found[flag] in {"process", "line"} else ""
        # Too few files are said to be lines, perhaps.
        few = flag == next(iter(files)) and len(paths) < FOLDS
        if found[flag] == "line" or (found[flag] == "file" and few):
            by_line.append(texts)
        if found[flag] == "file":
            by_file.append(texts)
    require_no_labels(by_line)
    for texts in by_file:
        require_no_columns(texts)
    return found or dict.fromkeys(files, asked)


def _beginning(file: TraceFile, asked: bool) -> Lines:
    try:
        with opened(file.path, file.where) as stream:
            text = stream.read(BEGINNING)
            passed = names_columns(text) or (not asked and is_list_of_calls(text[:_HEAD]))
            return [] if passed else lines_of(text)
    except RecordingError:
        return []  # It is named with all others that are no traces, when they are read.


def _label(file: TraceFile, name: str) -> str:
    return f"{file.name}:{name}" if name else file.name
