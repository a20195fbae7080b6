"""Files of a place that may hold traces: in folders and in archives, each once."""

from __future__ import annotations

import gzip
import re
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from os.path import commonpath
from pathlib import Path, PurePath, PurePosixPath

import numpy as np

from oddcall.models.errors import SettingError
from oddcall.models.sparse import IntArray
from oddcall.training.traces.parsing.archives import Room, is_archive, unpack
from oddcall.training.traces.traces import MOST_CALLS_OF_SET

#: How much smaller gzip makes a trace, at most: what a packed file may turn out to hold.
_PACKED = 25
#: Files that lie beside traces and are none.
_NO_TRACE = re.compile(r"(\..*|readme.*|licen[cs]e.*|.*\.md|.*\.pdf)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TraceFile:
    """A file that may hold traces.

    Attributes
    ----------
    path : Path
        Where its bytes are.
    name : str
        What it is called in its place: its path below it, also within an archive.
    where : str
        What it is called in full.
    given : Path
        The file that was given: the archive that it is in, or itself.
    """

    path: Path
    name: str
    where: str
    given: Path

    @classmethod
    def at(cls, path: Path, root: Path) -> TraceFile:
        """Name a file that is in no archive."""
        name = path.name if path == root else path.relative_to(root).as_posix()
        return cls(path, name, str(path), path)

    @property
    def packed(self) -> bool:
        """Whether it is in an archive, or by its name gzip."""
        return self.given != self.path or self.name.endswith(".gz")

    @property
    def plain_name(self) -> str:
        """What it would be called unpacked, without its folder."""
        return PurePosixPath(self.name.removesuffix(".gz")).name


@dataclass(frozen=True, slots=True)
class Files:
    """Files of a place, and how many were left out.

    Attributes
    ----------
    root : Path
    each : tuple of TraceFile
    twice : int, default 0
        Packed files that are there unpacked, or in another archive, as well.
    links : int, default 0
        Links in archives that lead to no file in them.
    """

    root: Path
    each: tuple[TraceFile, ...]
    twice: int = 0
    links: int = 0


def files_of(root: Path, room: Room) -> Files:
    """Find the files of a place that may hold traces, by name.

    Archives are unpacked, until the room is closed. What lies there packed and unpacked, or in
    two archives, is one file: traces that count twice would weigh twice.

    Raises
    ------
    SettingError
        Nothing of that name is there.
    RecordingError, StorageError
        As ``unpack`` does.
    """
    if root.is_file():
        found, links = _apart(root, root, room)
        return Files(root, tuple(found), links=links)
    if not root.is_dir():
        raise SettingError(
            f"the traces in {root} cannot be read",
            expected="a file or a folder of traces",
            got="nothing of that name",
        )
    paths = (path for path in root.rglob("*") if path.is_file())
    parts = [_apart(path, root, room) for path in sorted(filter(_may_be, paths))]
    each = [file for found, _ in parts for file in found]
    kept = _once(each)
    return Files(root, tuple(kept), len(each) - len(kept), sum(links for _, links in parts))


def require_apart(places: Mapping[str, Files]) -> None:
    """Raise SettingError when a file is in two places, be it by a link."""
    real = {flag: {file.given.resolve() for file in place.each} for flag, place in places.items()}
    for one, other, fix in (
        ("--train", "--attack", "Name folders that hold the clean traces only."),
        ("--normal", "--attack", "Name folders that hold the clean traces only."),
        ("--train", "--normal", "Leave --normal out: then a third of --train is held out for it."),
    ):
        if both := real.get(one, set()) & real.get(other, set()):
            raise SettingError(
                "what is learned from and what is judged must be apart",
                expected=f"no file in both {one} and {other}",
                got=f"{len(both):,} of them, such as {min(both)}",
                fix=fix,
            )


def reading_order(files: Sequence[TraceFile]) -> IntArray:
    """Order of reading: a fixed shuffle where a set may not fit, to make what fits a sample."""
    order = np.arange(len(files))
    size = sum(
        file.path.stat().st_size * (_PACKED if file.name.endswith((".gz", ".zip")) else 1)
        for file in files
        if file.path.is_file()
    )
    # A call takes two bytes or more.
    return np.random.default_rng(0).permutation(order) if size > 2 * MOST_CALLS_OF_SET else order


def _may_be(path: PurePath) -> bool:
    """Whether a file may hold traces, by its name: its folders say nothing."""
    return not _NO_TRACE.fullmatch(path.name)


def _apart(path: Path, root: Path, room: Room) -> tuple[list[TraceFile], int]:
    """Give a file, or those of an archive and how many of its links lead to none."""
    if not is_archive(path):
        return [TraceFile.at(path, root)], 0
    unpacked = unpack(path, room)
    members = [(at, name) for at, name in unpacked.files if _may_be(name)]
    # Given by itself it is a folder of traces: the only one in it says nothing.
    within = PurePosixPath(commonpath([name.parent for _, name in members])) if members else None
    alone = within is not None and path == root
    shown = PurePosixPath(TraceFile.at(path, root).name)
    named = (
        (at, name, name.relative_to(within) if alone and within else shown / name)
        for at, name in members
    )
    found = [TraceFile(at, str(short), f"{path}/{name}", path) for at, name, short in named]
    found.sort(key=lambda file: PurePosixPath(file.name))
    return found, sum(map(_may_be, unpacked.lost))


def _once(files: Sequence[TraceFile]) -> list[TraceFile]:
    """Leave out what is packed and there a second time, under the same name and the same within.

    What is unpacked counts before what is packed, and that before what is in an archive. Two of a
    kind are two traces that happen to be alike, unless they are in two archives.
    """
    named = defaultdict(list)
    for file in files:
        named[file.plain_name].append(file)
    left = set()
    for alike in named.values():
        # What is of one kind is not even read.
        if len(set(map(_kind, alike))) > 1:
            first: dict[bytes, tuple[int, Path | None]] = {}
            for file in sorted(alike, key=lambda file: _kind(file)[0]):
                kind = _kind(file)
                if first.setdefault(_digest(file), kind) != kind:
                    left.add(file)
    return [file for file in files if file not in left]


def _kind(file: TraceFile) -> tuple[int, Path | None]:
    """Whether a file is unpacked, packed, or in an archive, and in which."""
    if file.given != file.path:
        return 2, file.given
    return int(file.packed), None


def _digest(file: TraceFile) -> bytes:
    """Digest of what a file holds unpacked; of what cannot be read one of its name."""
    try:
        with file.path.open("rb") as raw:
            if raw.read(2) != b"\x1f\x8b":
                raw.seek(0)
                return file_digest(raw, "blake2b").digest()
        with gzip.open(file.path) as unpacked:
            return file_digest(unpacked, "blake2b").digest()
    except (OSError, EOFError, zlib.error):
        return file.where.encode()
