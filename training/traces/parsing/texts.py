"""Files of traces as streams of text: unpacked, and without the mark of their encoding."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from oddcall.models.errors import RecordingError, reason
from oddcall.training.traces.parsing.tokens import foreign

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Bytes that are read and unpacked at a time.
_AT_ONCE = 1 << 20
_FIRST = 65_536
#: How a Parquet file begins.
_PARQUET = b"PAR1"


@contextmanager
def opened(
    path: Path, where: str, told: Callable[[float], None] | None = None
) -> Iterator[BinaryIO]:
    """Open a file, unpacked where it is gzip; what goes wrong in reading is of the file, too.

    Parameters
    ----------
    path : Path
    where : str
        What errors call it.
    told : callable, optional
        Told the part of the file that was read, 0 to 1, about once for each million bytes.

    Raises
    ------
    RecordingError
        The file cannot be read or unpacked, or is a binary one.
    """
    try:
        with io.BufferedReader(_Followed(path, told), _AT_ONCE) as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if packed:
                with _unpacked(file, where) as unpacked:
                    yield plain(unpacked, where)
            else:
                yield plain(file, where)
    except OSError as error:
        raise RecordingError(
            f"{where} cannot be read",
            got=reason(error),
            fix="Run as its owner, or leave it out.",
        ) from error


def plain(stream: BinaryIO, where: str) -> BinaryIO:
    """Give a stream of text behind the mark of its encoding.

    Text of UTF-16 is held whole. Raises RecordingError for a binary file.
    """
    first = beginning(stream, _FIRST)
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        stream = io.BytesIO(stream.read().decode("utf-16", "replace").encode())
        first = beginning(stream, _FIRST)
    if first.startswith(_PARQUET):
        fix = (
            "Type `oddcall evaluate recordings` if that is what oddcall recorded, or take it away."
        )
        raise foreign(where, "a Parquet file", fix)
    if b"\0" in first:
        raise foreign(where, "a binary file", "Unpack it if it is an archive, or take it away.")
    if first.startswith(codecs.BOM_UTF8):
        stream.seek(len(codecs.BOM_UTF8))
    return stream


def beginning(stream: BinaryIO, most: int) -> bytes:
    """Give what comes next in a stream, ``most`` bytes of it, and leave the stream where it is."""
    at = stream.tell()
    first = stream.read(most)
    stream.seek(at)
    return first


class _Followed(io.FileIO):
    """A file that tells how much of it was read."""

    def __init__(self, path: Path, told: Callable[[float], None] | None) -> None:
        super().__init__(path)
        self._told, self._size = told, os.fstat(self.fileno()).st_size

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self._told and self._size:
            self._told(min(self.tell() / self._size, 1.0))
        return super().readinto(buffer)


@contextmanager
def _unpacked(file: BinaryIO, where: str) -> Iterator[BinaryIO]:
    try:
        with gzip.open(file) as unpacked:
            # GzipFile reads lines by itself, far slower.
            yield io.BufferedReader(cast(io.RawIOBase, unpacked), _AT_ONCE)
    except (OSError, EOFError, zlib.error) as error:
        raise RecordingError(
            f"{where} cannot be unpacked", expected="a whole gzip file", got=str(error)
        ) from error
