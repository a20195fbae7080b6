"""A batch as bytes, for another process of ours, and back: every column in turn, in NumPy's format.

Nothing in it can be executed. It is no format to keep: both ends are of one version.
"""

from __future__ import annotations

import io
import json
from dataclasses import astuple, fields

import numpy as np

from oddcall.models.sparse import Sparse
from oddcall.models.window import BLOCKS, Program, WindowBatch

_PARTS = ("indptr", "ids", "counts")


def packed(batch: WindowBatch) -> bytes:
    """Lay a batch out as bytes."""
    programs = json.dumps([astuple(program) for program in batch.programs]).encode()
    to = io.BytesIO()
    np.save(to, np.frombuffer(programs, np.uint8), allow_pickle=False)
    for name in _columns():
        for array in _arrays(getattr(batch, name)):
            np.save(to, array, allow_pickle=False)
    return to.getvalue()


def unpacked(content: bytes) -> WindowBatch:
    """Read what `packed` gave."""
    source = io.BytesIO(content)
    programs = json.loads(_next(source).tobytes())
    columns: dict[str, object] = {}
    for name in _columns():
        if name in BLOCKS:
            indptr, ids, counts = (_next(source) for _ in _PARTS)
            columns[name] = Sparse(indptr, ids, counts, BLOCKS[name])
        else:
            columns[name] = _next(source)
    return WindowBatch(programs=tuple(Program(*fact) for fact in programs), **columns)  # type: ignore[arg-type]


def _columns() -> list[str]:
    return [field.name for field in fields(WindowBatch) if field.name != "programs"]


def _arrays(column: Sparse | np.ndarray) -> list[np.ndarray]:
    if isinstance(column, Sparse):
        return [getattr(column, part) for part in _PARTS]
    return [column]


def _next(source: io.BytesIO) -> np.ndarray:
    array: np.ndarray = np.load(source, allow_pickle=False)
    return array
