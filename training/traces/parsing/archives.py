"""Archives of traces: what is in them is written below a folder, where all else is read from."""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from oddcall.models.errors import RecordingError, StorageError, reason

#: How files begin that are packed, and what unpacks them.
_PACKED: dict[bytes, Callable[[BinaryIO], BufferedIOBase]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}
_ZIP = b"PK\x03\x04"
#: Bytes that are written for one archive at most: it must not fill the disk.
_MOST_BYTES = 2_000_000_000
_AT_ONCE = 1 << 20
#: What is raised for an archive that is not whole; RuntimeError for one that is encrypted. Numbers
#: and names that damage made are taken on trust: ValueError (also of UTF-8), OverflowError.
_DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError),
    *(OSError, RuntimeError, ValueError, ArithmeticError, LookupError, MemoryError),
)

Member = tuple[str, IO[bytes]]


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


def unpack(archive: Path, into: Path) -> Iterator[tuple[Path, PurePosixPath]]:
    """Write each file of an archive, and give where it is and what it is called there.

    Names are not used as paths: what an archive says of places is not followed.

    Raises
    ------
    RecordingError
        The archive is damaged, encrypted or too large.
    StorageError
        There is no room for it.
    """
    left = _MOST_BYTES
    with _whole(archive):
        for i, (name, stream) in enumerate(_members(archive)):
            path = into / f"{i}"
            left -= _write(stream, path, archive, left)
            yield path, PurePosixPath(*_inside(name))


def _inside(name: str) -> list[str]:
    return [part for part in PurePosixPath(name).parts if part not in {"/", ".."}]


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
                if not info.is_dir():
                    with zipped.open(info) as stream:
                        yield info.filename, stream
        return
    with tarfile.open(archive) as tarred:
        for member in tarred:
            held = tarred.extractfile(member) if member.isfile() else None
            if held:
                with held:
                    yield member.name, held
        _require_end(tarred)


def _require_end(tarred: tarfile.TarFile) -> None:
    """Raise TarError where an archive stops without its end, at which tarfile says nothing."""
    file = tarred.fileobj
    assert file is not None  # noqa: S101  it was opened to be read
    file.seek(tarred.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it is cut, or damaged in its middle")


def _write(stream: IO[bytes], path: Path, archive: Path, most: int) -> int:
    """Write what a stream holds, and give its size."""
    size = 0
    _append(path, b"", archive)  # There may be nothing in it.
    while some := stream.read(_AT_ONCE):
        size += len(some)
        if size > most:
            raise RecordingError(
                f"{archive} is too large to be unpacked",
                expected=f"at most {_MOST_BYTES:,} bytes in it",
                fix="Unpack it, and give the folder.",
            )
        _append(path, some, archive)
    return size


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
