"""The parts of a recording as files: their names, and opening one that may be anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from oddcall.models.errors import RecordingError, reason
from oddcall.training.columns import SCHEMA, SCHEMA_VERSION
from oddcall.training.failed_calls import joined

_NAME = re.compile(r"part-(\d{6,})\.parquet")
#: A part being written, or what is left of one whose writer was killed.
_UNFINISHED = re.compile(r"\.part-\d{6,}\.parquet\.tmp")
#: Before every key of ours in a part's file metadata.
PREFIX = "oddcall."
#: What must be the same in all parts for their windows to mean the same.
_SHARED = ("arch", "hash_seed")
_RECORD = "Record one with: oddcall record -o DIR --duration 10m"


def part_name(number: int) -> str:
    """File name of the part of that number."""
    return f"part-{number:06d}.parquet"


def part_number(part: Path) -> int:
    """Place of a part in its recording."""
    found = _NAME.fullmatch(part.name)
    return int(found[1]) if found else -1


def finished(folder: Path) -> list[Path]:
    """List the parts in a folder, oldest first; files being written are not among them."""
    return sorted(
        (entry for entry in folder.iterdir() if _NAME.fullmatch(entry.name)), key=part_number
    )


def unfinished(folder: Path) -> list[Path]:
    """List what killed writers left in a folder."""
    return [entry for entry in folder.iterdir() if _UNFINISHED.fullmatch(entry.name)]


def parts(path: Path | str) -> list[Path]:
    """List the parts of a recording, oldest first.

    Raises
    ------
    RecordingError
        When ``path`` is not a folder that holds at least one part.
    """
    folder = Path(path)
    try:
        found = finished(folder)
    except OSError as error:
        raise RecordingError(
            f"cannot read a recording at {folder}",
            expected="a folder of Parquet parts",
            got=reason(error),
            fix=_RECORD,
        ) from error
    if not found:
        raise RecordingError(
            f"{folder} is not a recording",
            expected=f"a folder with {part_name(0)} in it",
            got=_content(folder),
            fix=_RECORD,
        )
    return found


def _content(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    if not names:
        return "an empty folder"
    return f"a folder with {', '.join(names[:3])}{' and others' if len(names) > 3 else ''}"


@contextmanager
def opened(part: Path) -> Iterator[pq.ParquetFile]:
    """Open one part and check its schema; what goes wrong while reading it names the part.

    Raises
    ------
    RecordingError
        When the file is no Parquet, is not of this schema, or its content is damaged.
    """
    try:
        with pq.ParquetFile(part, page_checksum_verification=True) as file:
            _check_schema(part, file.schema_arrow)
            yield file
    except (pa.ArrowException, OSError, ValueError, KeyError, IndexError) as error:
        raise RecordingError(
            f"the part {part} cannot be read",
            expected="a whole part of an oddcall recording",
            got=_first_line(error),
            fix="Move that file away to use the rest of the recording.",
        ) from error


def _first_line(error: Exception) -> str:
    text = (getattr(error, "strerror", None) or str(error)).strip()
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__


def _check_schema(part: Path, schema: pa.Schema) -> None:
    version = metadata_of(schema).get("schema")
    if version is None:
        raise RecordingError(
            f"{part} is Parquet of another program",
            expected=f"a part of an oddcall recording, schema {SCHEMA_VERSION}",
            got=f"columns {', '.join(schema.names[:4])}",
            fix=_RECORD,
        )
    if version != SCHEMA_VERSION:
        raise RecordingError(
            f"{part} is of another schema version",
            expected=SCHEMA_VERSION,
            got=version,
            fix="Read it with the version of oddcall that wrote it, or record anew.",
        )
    if not schema.equals(SCHEMA):
        raise RecordingError(
            f"{part} has not the columns of a recording",
            expected=f"{len(SCHEMA)} columns of schema {SCHEMA_VERSION}",
            got=_difference(schema),
            fix="Record anew; a recording that was edited cannot be trusted.",
        )


def _difference(schema: pa.Schema) -> str:
    missing = [name for name in SCHEMA.names if name not in schema.names]
    if missing:
        return f"none named {', '.join(missing[:4])}"
    surplus = [name for name in schema.names if name not in SCHEMA.names]
    if surplus:
        return f"also {', '.join(surplus[:4])}"
    odd = [field for field in SCHEMA if not schema.field(field.name).equals(field)]
    if not odd:
        return "another order of columns"
    return f"{odd[0].name} of type {schema.field(odd[0].name).type}"


def metadata_of(schema: pa.Schema) -> dict[str, str]:
    """Read our keys of a part's file metadata, without their prefix."""
    pairs = {
        key.decode("utf-8", "replace"): value.decode("utf-8", "replace")
        for key, value in (schema.metadata or {}).items()
    }
    return {
        key.removeprefix(PREFIX): value for key, value in pairs.items() if key.startswith(PREFIX)
    }


def with_metadata(metadata: dict[str, str]) -> pa.Schema:
    """Build the schema of a part that carries ``metadata``."""
    return SCHEMA.with_metadata({f"{PREFIX}{key}": value for key, value in metadata.items()})


def tables(path: Path | str, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """Read a recording one row group at a time, so that its size does not matter.

    Parameters
    ----------
    columns : list of str, optional
        Names of the columns to read; all of them by default.

    Raises
    ------
    RecordingError
        When a part cannot be read, or parts of different features are mixed.
    """
    first: dict[str, str] | None = None
    for part in parts(path):
        with opened(part) as file:
            metadata = metadata_of(file.schema_arrow)
            first = first or metadata
            _check_shared(part, metadata, first)
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=columns)
                if table.num_rows:
                    yield table


def _check_shared(part: Path, metadata: dict[str, str], first: dict[str, str]) -> None:
    for key in _SHARED:
        if metadata.get(key) != first.get(key):
            raise RecordingError(
                f"{part} does not belong to the parts before it",
                expected=f"{key} {first.get(key)}",
                got=f"{metadata.get(key)}",
                fix="Keep the recordings of different hosts in folders of their own.",
            )


def read_metadata(path: Path | str) -> dict[str, str]:
    """Read what a recording says about its host, as of its first part.

    What counts as a failed call is as of its last part too: it may have been gone on with since.
    """
    found = []
    for part in {parts(path)[0]: "", parts(path)[-1]: ""}:
        with opened(part) as file:
            found.append(metadata_of(file.schema_arrow))
    return found[0] | joined(found)
