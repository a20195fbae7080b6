"""Many recordings read as one: of one host over days, or of many hosts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from oddcall.models.errors import RecordingError
from oddcall.training.columns import values
from oddcall.training.frame import read_recording
from oddcall.training.parts import finished, read_metadata, tables

if TYPE_CHECKING:
    import pandas as pd

#: What recordings must share for their windows to mean the same.
_SHARED = ("arch", "hash_seed")


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
    """Find the recordings at or below some folders, oldest first.

    Parameters
    ----------
    paths : iterable of path
        Recordings, or folders of recordings however deep.

    Raises
    ------
    RecordingError
        When there is none, one cannot be read, or two cannot be taken together because their
        numbers mean different things.
    """
    found = [_source(path) for path in dict.fromkeys(_below(paths))]
    for source in found:
        _require_alike(source, found[0])
    return sorted(found, key=lambda source: (source.start_ns, str(source.path)))


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
