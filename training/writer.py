"""Append batches to a recording, part by part."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from oddcall.models.errors import RecordingError, SettingError, StorageError
from oddcall.models.storage import storage_error, write_whole
from oddcall.models.transitions import SEED
from oddcall.models.window import WindowBatch
from oddcall.training.columns import SCHEMA_VERSION, to_table, values
from oddcall.training.parts import (
    finished,
    metadata_of,
    opened,
    part_name,
    part_number,
    unfinished,
    with_metadata,
)

#: What the writer is told about the host; it adds ``schema``, ``hash_seed``, ``oddcall_version``.
METADATA = ("arch", "kernel", "host_id", "host_name", "boot_id", "interval_s", "loader")

#: Rows compressed together: bounds what the writer gathers and what a reader holds.
_GROUP_ROWS = 8192
#: What makes a recording another one.
_SAME = ("host_id", "arch", "hash_seed")


class RecordingWriter:
    """Append batches to a recording; a context manager.

    Parameters
    ----------
    path : path
        Folder of the recording. Made when missing; gone on with when it holds a recording
        of the same host.
    metadata : dict of str
        The keys of ``METADATA``; further ones are kept too.
    rows_per_part : int, default 50,000
        A part ends with the batch that brings it to this many rows.
    seconds_per_part : float, default 30.0
        A part ends with the first ``append`` this long after its first rows.

    Raises
    ------
    SettingError
        When ``path`` is a file, or a folder of something else.
    RecordingError
        When ``path`` holds a recording of another host or schema.
    StorageError
        When the folder cannot be made or is being recorded into already.
    """

    def __init__(
        self,
        path: Path | str,
        metadata: dict[str, str],
        *,
        rows_per_part: int = 50_000,
        seconds_per_part: float = 30.0,
    ) -> None:
        self.path = Path(path)
        self.metadata = {name: metadata.get(name, "") for name in METADATA} | metadata
        self.metadata |= {
            "schema": SCHEMA_VERSION,
            "hash_seed": str(SEED),
            "oddcall_version": version("oddcall"),
        }
        self.rows = 0
        #: What the recording says of itself that is there already, and is gone on with.
        self.before: dict[str, str] = {}
        self._rows_per_part, self._seconds_per_part = rows_per_part, seconds_per_part
        self._lock = _locked(self.path)
        try:
            self._number, self._tick, self.before = _next_place(self.path, self.metadata)
        except BaseException:
            os.close(self._lock)
            raise
        self._open = True
        self._part: _Part | None = None

    @property
    def goes_on(self) -> bool:
        """Whether the folder held a recording already, which this one goes on with."""
        return bool(self.before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, batch: WindowBatch) -> None:
        """Add one tick's batch. An empty one leaves no trace but may end a part that is due.

        Raises
        ------
        StorageError
            When the disk is full or gone. The writer is closed by then, and the parts
            written before are whole.
        """
        if not self._open:
            raise StorageError(f"the recording {self.path} is closed", fix="Open a new writer.")
        if len(batch):
            self._part = self._part or _Part(self.metadata)
            self._part.add(to_table(batch, self._tick))
            self._tick += 1
            self.rows += len(batch)
        if self._part and self._due(self._part):
            self._finish_part()

    def close(self) -> None:
        """Write the rows gathered so far as the last part. Closing again does nothing.

        Raises
        ------
        StorageError
            When that last part cannot be written.
        """
        if not self._open:
            return
        try:
            self._finish_part()
        finally:
            self._release()

    def _due(self, part: _Part) -> bool:
        age_s = time.monotonic() - part.begun_s
        return part.rows >= self._rows_per_part or age_s >= self._seconds_per_part

    def _finish_part(self) -> None:
        part, self._part = self._part, None
        if part is None:
            return
        try:
            write_whole(self.path / part_name(self._number), part.content())
        except StorageError:
            self.rows -= part.rows
            self._release()
            raise
        self._number += 1

    def _release(self) -> None:
        if self._open:
            self._open = False
            os.close(self._lock)


class _Part:
    """Rows on their way to one part, compressed in memory: a day's idle host fits in kilobytes."""

    def __init__(self, metadata: dict[str, str]) -> None:
        self.rows = 0
        self.begun_s = time.monotonic()
        self._sink = pa.BufferOutputStream()
        self._writer = pq.ParquetWriter(
            self._sink,
            with_metadata(metadata),
            compression="zstd",
            write_statistics=["tick", "t_start", "t_end"],
            write_page_checksum=True,
        )
        self._pending: list[pa.Table] = []
        self._pending_rows = 0

    def add(self, table: pa.Table) -> None:
        self._pending.append(table)
        self._pending_rows += table.num_rows
        self.rows += table.num_rows
        # Groups hold whole ticks, so that a reader never joins two of them.
        if self._pending_rows >= _GROUP_ROWS:
            self._flush()

    def content(self) -> memoryview:
        self._flush()
        self._writer.close()
        return memoryview(self._sink.getvalue())

    def _flush(self) -> None:
        if self._pending:
            table = pa.concat_tables(self._pending)
            self._writer.write_table(table, row_group_size=max(table.num_rows, 1))
        self._pending, self._pending_rows = [], 0


def _locked(folder: Path) -> int:
    """Make the folder if need be and keep other writers out of it; the lock dies with us."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileExistsError, NotADirectoryError) as error:
        raise SettingError(
            f"cannot record into {folder}",
            expected="a folder, new or of an earlier recording",
            got="a file",
            fix="Name another place with -o.",
        ) from error
    except OSError as error:
        raise storage_error(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        os.close(descriptor)
        raise storage_error(folder, PermissionError(errno.EACCES, "permission denied"))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StorageError(
            f"cannot record into {folder}",
            got="another oddcall is recording into it",
            fix="Name another place with -o, or stop the other one.",
        ) from error
    return descriptor


def _next_place(folder: Path, metadata: dict[str, str]) -> tuple[int, int, dict[str, str]]:
    """Find part number, tick and metadata to go on with, clearing what a killed writer left."""
    left = unfinished(folder)
    known = finished(folder)
    others = sorted({entry.name for entry in folder.iterdir()} - {entry.name for entry in left})
    if others and not known:
        raise SettingError(
            f"{folder} holds something else",
            expected="an empty folder or an earlier recording",
            got=", ".join(others[:3]),
            fix="Name another place with -o.",
        )
    for entry in left:
        with suppress(OSError):
            entry.unlink()
    if not known:
        return 0, 0, {}
    with opened(known[-1]) as file:
        before = metadata_of(file.schema_arrow)
        _check_same(folder, before, metadata)
        ticks = _last_tick(file)
    return part_number(known[-1]) + 1, ticks + 1, before


def _check_same(folder: Path, before: dict[str, str], now: dict[str, str]) -> None:
    for key in _SAME:
        if before.get(key) != now.get(key):
            raise RecordingError(
                f"{folder} holds another recording",
                expected=f"{key} {now.get(key)}",
                got=str(before.get(key)),
                fix="Name another place with -o.",
            )


def _last_tick(file: pq.ParquetFile) -> int:
    if not file.num_row_groups:
        return -1
    return int(values(file.read_row_group(file.num_row_groups - 1, columns=["tick"]), "tick")[-1])
