"""Archives of traces: what is in them is written below a folder, where all else is read from."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from posixpath import dirname, join, normpath
from stat import S_ISLNK
from tempfile import TemporaryDirectory
from typing import IO, BinaryIO, NamedTuple, Self

from oddcall.models.errors import RecordingError, StorageError, reason

#: How files begin that are packed, and what unpacks them.
_PACKED: dict[bytes, Callable[[BinaryIO], BufferedIOBase]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}
_ZIP = b"PK\x03\x04"
#: Bytes that are written for all archives together at most, which must not fill the disk, and
#: their members: each takes memory, and a packed archive holds millions in a few bytes.
_MOST_BYTES, _MOST_MEMBERS = 2_000_000_000, 200_000
_AT_ONCE = 1 << 20
#: Bytes of the name that a link leads to (PATH_MAX).
_LONGEST_NAME = 4_096
#: What is raised for an archive that is not whole; RuntimeError for one that is encrypted. Numbers
#: and names that damage made are taken on trust: ValueError (also of UTF-8), OverflowError.
_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(OSError, RuntimeError, ValueError, ArithmeticError, LookupError, MemoryError),
)


class Member(NamedTuple):
    """What an archive holds: a file, a link (``target`` is its name), or else of no account."""

    name: str
    stream: IO[bytes] | None = None
    target: str = ""


class Unpacked(NamedTuple):
    """What was in an archive.

    Attributes
    ----------
    files : list of (Path, PurePosixPath)
        Where each file is, and what it is called in the archive.
    lost : list of PurePosixPath
        Links that lead to no file of the archive, as they are called in it.
    """

    files: list[tuple[Path, PurePosixPath]]
    lost: list[PurePosixPath]


class Room:
    """Where archives are unpacked, until it is closed; what it holds is bounded for all of them."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._bytes, self._members = _MOST_BYTES, _MOST_MEMBERS

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def folder(self) -> Path:
        """Make a folder for an archive."""
        return Path(self._stack.enter_context(TemporaryDirectory(prefix="oddcall-traces-")))

    def take_member(self, archive: Path) -> None:
        """Count a member; raises RecordingError when it is one too many."""
        self._members -= 1
        if self._members < 0:
            raise _too_large(archive, f"{_MOST_MEMBERS:,} members")

    def take_bytes(self, size: int, archive: Path) -> None:
        """Count bytes that are to be written; raises RecordingError when they are too many."""
        self._bytes -= size
        if self._bytes < 0:
            raise _too_large(archive, f"{_MOST_BYTES:,} bytes")


def _too_large(archive: Path, most: str) -> RecordingError:
    return RecordingError(
        f"{archive} is too large to be unpacked",
        expected=f"at most {most} in all archives that are read together",
        fix="Unpack it, and give the folder.",
    )


def is_archive(path: Path) -> bool:
    """Whether a file is a zip or tar archive, be that packed, by what it holds."""
    try:
        with path.open("rb") as file:
            if _is_zip(file):
                return True
            first = file.read(tarfile.BLOCKSIZE)
            for mark, unpack in _PACKED.items():
                if first.startswith(mark):
                    file.seek(0)
                    with unpack(file) as stream:
                        first = stream.read(tarfile.BLOCKSIZE)
            return _begins_tar(first)
    except _DAMAGED:
        return False  # It is named when it is read as a file of traces.


def _is_zip(file: BinaryIO) -> bool:
    """Whether a file begins as a zip does: what ends as one may be a tar whose last file is one."""
    first = file.read(len(_ZIP))
    file.seek(0)
    return first == _ZIP


def unpack(archive: Path, room: Room) -> Unpacked:
    """Write each file of an archive.

    Names are not used as paths, and links are followed to files of the archive alone: what it
    says of places is not believed.

    Raises
    ------
    RecordingError
        The archive is damaged, encrypted or too large.
    StorageError
        There is no room for it.
    """
    into = room.folder()
    at: dict[str, Path] = {}
    links: dict[str, str] = {}
    files: list[tuple[Path, PurePosixPath]] = []
    with _whole(archive):
        for i, (name, stream, target) in enumerate(_members(archive)):
            room.take_member(archive)
            if target:
                links[normpath(name)] = target
            if stream:
                path = at[normpath(name)] = into / f"{i}"
                _write(stream, path, archive, room)
                files.append((path, _inside(name)))
    lost = []
    for link in links:
        if held := at.get(_end(link, links)):
            files.append((held, _inside(link)))
        else:
            lost.append(_inside(link))
    return Unpacked(files, lost)


def _end(name: str, links: Mapping[str, str]) -> str:
    """Follow links to what is none, or once around."""
    met = set()
    while name in links and name not in met:
        met.add(name)
        name = links[name]
    return name


def _inside(name: str) -> PurePosixPath:
    return PurePosixPath(*(part for part in PurePosixPath(name).parts if part not in {"/", ".."}))


@contextmanager
def _whole(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise RecordingError(
            f"{archive} cannot be unpacked",
            expected="a whole archive, not encrypted",
            got=reason(error) if isinstance(error, OSError) else ascii(str(error))[1:-1],
        ) from error


def _members(archive: Path) -> Iterator[Member]:
    with archive.open("rb") as file:
        is_zip = _is_zip(file)
    if is_zip:
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                with zipped.open(info) as stream:
                    if info.is_dir():
                        yield Member(info.filename)
                    elif S_ISLNK(info.external_attr >> 16):
                        target = stream.read(_LONGEST_NAME).decode("utf-8", "replace")
                        yield _link(info.filename, target)
                    else:
                        yield Member(info.filename, stream)
        return
    with tarfile.open(archive) as tarred:
        for member in tarred:
            if member.issym():
                yield _link(member.name, member.linkname)
            elif member.islnk():
                yield Member(member.name, target=normpath(member.linkname))
            elif member.isfile() and (held := tarred.extractfile(member)):
                with held:
                    yield Member(member.name, held)
            else:
                yield Member(member.name)
        _require_end(tarred)


def _link(name: str, target: str) -> Member:
    """Give a symbolic link, which leads on from the folder that it is in."""
    return Member(name, target=normpath(join(dirname(name), target)))


def _require_end(tarred: tarfile.TarFile) -> None:
    """Raise TarError where an archive stops without its end, at which tarfile says nothing."""
    file = tarred.fileobj
    assert file is not None  # noqa: S101  it was opened to be read
    file.seek(tarred.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it is cut, or damaged in its middle")


def _write(stream: IO[bytes], path: Path, archive: Path, room: Room) -> None:
    _append(path, b"", archive)  # There may be nothing in it.
    while some := stream.read(_AT_ONCE):
        room.take_bytes(len(some), archive)
        _append(path, some, archive)


def _append(path: Path, some: bytes, archive: Path) -> None:
    try:
        with path.open("ab") as file:
            file.write(some)
    except OSError as error:
        raise StorageError(
            f"there is no room to unpack {archive} in {path.parent}",
            got=reason(error),
            fix="Set TMPDIR to a folder with room, or unpack it and give the folder.",
        ) from error


def _begins_tar(block: bytes) -> bool:
    """Whether a block is the head of a file in a tar archive: it holds a sum of itself."""
    try:
        return bool(tarfile.TarInfo.frombuf(block, "utf-8", "replace").name)
    except tarfile.HeaderError:
        return False
