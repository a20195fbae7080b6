"""A recording: batches written to Parquet parts, and read back exactly as they were.

::

    recording/
    ├── part-000000.parquet      rows of whole ticks, in the order they were written
    ├── part-000001.parquet
    └── .part-000002.parquet.tmp   being written; readers do not see it

A part takes its name once it is whole and on the disk, so a kill -9 loses at
most the rows gathered since the last part.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from oddcall.models.errors import RecordingError
from oddcall.models.window import WindowBatch
from oddcall.training.columns import ProgramTable, to_batch, values
from oddcall.training.frame import read_recording
from oddcall.training.parts import read_metadata, tables
from oddcall.training.summary import Summary, summary
from oddcall.training.writer import METADATA, RecordingWriter

__all__ = [
    "METADATA",
    "RecordingWriter",
    "Summary",
    "read_batches",
    "read_metadata",
    "read_recording",
    "summary",
]


def read_batches(path: Path | str) -> Iterator[WindowBatch]:
    """Yield the batches of a recording, one a tick, exactly as they were appended.

    The table of programs grows as programs first appear, so an index keeps its meaning
    from batch to batch. Memory is that of one row group.

    Raises
    ------
    RecordingError
        When the recording, or one of its parts, is foreign, damaged or of another schema.
    """
    known = ProgramTable()
    for table in tables(path):
        ticks = values(table, "tick")
        try:
            whole = to_batch(table, known)
        except ValueError as error:
            raise RecordingError(
                f"the recording {path} is damaged",
                expected="counts by call number",
                got=str(error),
                fix="Record anew; a recording that was edited cannot be trusted.",
            ) from error
        edges = np.flatnonzero(np.diff(ticks)) + 1
        for start, end in zip([0, *edges], [*edges, len(whole)], strict=True):
            yield whole.take(np.arange(start, end))
