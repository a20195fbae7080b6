"""Rows of the CSV files that come with public sets, by the names of their columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from oddcall.models.errors import RecordingError, SettingError, reason


def csv_rows(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Give each row, with these columns and maybe others.

    Raises
    ------
    SettingError
        The file cannot be opened.
    RecordingError
        A column is lacking, or a row is cut short.
    """
    try:
        text = io.TextIOWrapper(path.open("rb"), "utf-8", errors="replace", newline="")
    except OSError as error:
        raise SettingError(f"{path} cannot be read", got=reason(error)) from error
    try:
        yield from _entries(csv.DictReader(text, skipinitialspace=True), path, columns)
    except csv.Error as error:
        raise RecordingError(f"{path} cannot be read", got=str(error)) from error
    finally:
        text.close()


def _entries(
    reader: csv.DictReader[str], path: Path, columns: tuple[str, ...]
) -> Iterator[dict[str, str]]:
    lacking = [c for c in columns if c not in (reader.fieldnames or ())]
    if lacking:
        raise RecordingError(
            f"{path} is of another form",
            expected=f"columns {', '.join(columns)}",
            got=f"none named {lacking[0]}",
        )
    for row in reader:
        if any(row[column] is None for column in columns):
            raise RecordingError(f"a line of {path} is cut short", got=f"line {reader.line_num}")
        yield row
