"""Many recordings read as one: of one host over days, or of many hosts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import numpy as np

from oddcall.models.errors import RecordingError
from oddcall.models.sparse import IntArray
from oddcall.training.columns import values
from oddcall.training.failed_calls import joined
from oddcall.training.frame import read_recording
from oddcall.training.parts import finished, read_metadata, tables

if TYPE_CHECKING:
    import pandas as pd

#: What recordings must share for their windows to mean the same.
_SHARED = ("arch", "hash_seed")
#: What no two windows of a host share: whose they are, when they began and when they ended.
_WHICH = ["pid", "start_time_ns", "t_start", "t_end"]


@dataclass(frozen=True, slots=True)
class Source:
    """One recording of a lake.

    Attributes
    ----------
    path : Path
    metadata : dict of str
    start_ns, end_ns : int
        Begin of its first window and end of its last, nanoseconds UTC; 0 without windows.
    """

    path: Path
    metadata: dict[str, str]
    start_ns: int
    end_ns: int

    @property
    def host(self) -> str:
        """Id of the host, or its name where it has none."""
        return self.metadata.get("host_id") or self.metadata.get("host_name", "")


def lake(paths: Iterable[Path | str]) -> list[Source]:
    """Find the recordings at or below some folders, oldest first, each once however it is named.

    Recordings of one host may touch, as of a watch that goes on from what it learned, or be of
    one time, as of two recorders; what may not be is one window in two of them.

    Parameters
    ----------
    paths : iterable of path
        Recordings, or folders of recordings however deep.

    Raises
    ------
    RecordingError
        When there is none, one cannot be read, two cannot be taken together because their
        numbers mean different things, or a window of one host is in two: a copy.
    """
    places: dict[Path, Path] = {}
    for path in _below(paths):
        places.setdefault(path.resolve(), path)
    found = together([_source(path) for path in places.values()])
    for earlier, later in combinations(found, 2):
        if earlier.host == later.host and later.start_ns < earlier.end_ns:
            _require_apart(earlier, later)
    return found


def together(sources: Iterable[Source]) -> list[Source]:
    """Take recordings together that may hold the same windows, oldest first.

    Raises
    ------
    RecordingError
        When their numbers mean different things.
    """
    found = sorted(sources, key=lambda source: (source.start_ns, str(source.path)))
    for source in found:
        _require_alike(source, found[0])
    return found


def provenance(sources: Sequence[Source]) -> dict[str, str]:
    """Say where and how a model's windows were recorded: as the first recording says it.

    Where they are of several hosts, ``hosts`` names all of them, with spaces between, and
    ``hosts_ns`` says when each was recorded; see `host_times`. What counts as a failed call is
    said of all.
    """
    hosts = sorted({source.metadata.get("host_id", "") for source in sources} - {""})
    several = {"hosts": " ".join(hosts)} if len(hosts) > 1 else {}
    times: dict[str, tuple[int, int]] = {}
    for source in sources:
        if source.host and source.end_ns:
            begin, end = times.get(source.host, (source.start_ns, source.end_ns))
            times[source.host] = min(begin, source.start_ns), max(end, source.end_ns)
    # An id is written so that neither a space nor a colon is in it.
    each = [f"{quote(host, safe='')}:{begin}:{end}" for host, (begin, end) in times.items()]
    spans = {"hosts_ns": " ".join(sorted(each))} if len(each) > 1 else {}
    failed = joined(source.metadata for source in sources)
    return {**sources[0].metadata, **several, **spans, **failed}


def host_times(metadata: Mapping[str, str]) -> list[tuple[str, int, int]]:
    """Read ``hosts_ns``: host, begin and end of what was recorded of it (ns UTC); none without."""
    each = [word.split(":") for word in metadata.get("hosts_ns", "").split()]
    return [(unquote(host), int(begin), int(end)) for host, begin, end in each]


def read_recordings(paths: Iterable[Path | str] | Path | str) -> pd.DataFrame:
    """Read recordings into one DataFrame, oldest recording first.

    Parameters
    ----------
    paths : path or iterable of path
        Recordings, or folders of recordings.

    Returns
    -------
    DataFrame
        The columns of ``read_recording``, and ``host`` and ``recording`` (categories) before
        them. ``frame.attrs["recordings"]`` holds the metadata of each.

    Raises
    ------
    RecordingError
        As ``lake``.
    """
    import pandas as pd

    sources = lake([paths] if isinstance(paths, str | Path) else paths)
    frames = []
    for source in sources:
        frame = read_recording(source.path)
        frame.insert(0, "host", source.host)
        frame.insert(1, "recording", str(source.path))
        frame.attrs = {}
        frames.append(frame)
    whole = pd.concat(frames, ignore_index=True)
    whole = whole.astype({"host": "category", "recording": "category"})
    whole.attrs = {"recordings": {str(source.path): source.metadata for source in sources}}
    return whole


def _below(paths: Iterable[Path | str]) -> Iterator[Path]:
    for path in map(Path, paths):
        inside = sorted({part.parent for part in path.rglob("part-*.parquet")})
        # A path that holds none is handed on: reading it says what is wrong with it.
        yield from [folder for folder in inside if finished(folder)] or [path]


def _source(path: Path) -> Source:
    metadata = read_metadata(path)
    start, end = 0, 0
    for table in tables(path, ["t_start", "t_end"]):
        first = int(values(table, "t_start").min())
        start = min(start, first) if start else first
        end = max(end, int(values(table, "t_end").max()))
    return Source(path, metadata, start, end)


def _require_alike(source: Source, first: Source) -> None:
    for key in _SHARED:
        if source.metadata.get(key) != first.metadata.get(key):
            raise RecordingError(
                f"{source.path} cannot be taken together with {first.path}",
                expected=f"{key} {first.metadata.get(key)}",
                got=f"{source.metadata.get(key)}",
                fix="Use recordings of one kind of host at a time.",
            )


def _require_apart(earlier: Source, later: Source) -> None:
    """Refuse two recordings that hold the same windows."""
    begin, end = later.start_ns, min(earlier.end_ns, later.end_ns)
    twice = _in_both(_windows(earlier, begin, end), _windows(later, begin, end))
    if twice:
        raise RecordingError(
            f"{later.path} holds windows that {earlier.path} holds as well",
            expected="every window once: one twice would count as two",
            got=f"{twice:,} in both, of the same processes and moments",
            fix="Name only one of them.",
        )


def _windows(source: Source, begin: int, end: int) -> IntArray:
    """Tell the windows of a recording that lie in a stretch of time, (n, 4)."""
    found = []
    for table in tables(source.path, _WHICH):
        which = np.stack([values(table, name) for name in _WHICH], axis=1)
        found.append(which[(which[:, 2] >= begin) & (which[:, 3] <= end)])
    return np.concatenate([*found, np.zeros((0, len(_WHICH)), np.int64)])


def _in_both(these: IntArray, those: IntArray) -> int:
    """Count the rows that two arrays, (n, k) and (m, k), share."""
    rows = np.concatenate([these, those])
    side = np.repeat([0, 1], [len(these), len(those)])
    order = np.lexsort((side, *rows.T))
    rows, side = rows[order], side[order]
    return int(((rows[1:] == rows[:-1]).all(axis=1) & (side[1:] != side[:-1])).sum())
