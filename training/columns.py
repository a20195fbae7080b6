"""The recording's schema, and the way from a batch to its columns and back.

Arrow arrays are built from buffers and read from them: ``pyarrow.array`` and ``to_numpy``
would import pandas, which no command has a use for.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from oddcall.models.sparse import IntArray, Sparse
from oddcall.models.window import BLOCKS, Program, WindowBatch

#: Another number is another set of columns, or another meaning of one.
SCHEMA_VERSION = "1"

#: Block of a batch -> stem of its pair of list columns, ``<stem>_ids`` and ``<stem>_counts``.
LISTS: dict[str, str] = {
    "syscalls": "syscall",
    "errors": "error",
    "transitions": "transition",
    "uring": "uring",
    "compat": "compat",
}

_INTS = ("pid", "start_time_ns", "ppid", "uid")
_LIFE = ("forks", "execs", "exits")
_TEXTS = ("exe", "comm", "container", "container_kind", "unit")


def _fields() -> list[pa.Field]:
    time = pa.timestamp("ns", tz="UTC")
    named: list[tuple[str, pa.DataType]] = [("tick", pa.int64()), ("t_start", time)]
    named += [("t_end", time), *((name, pa.int64()) for name in _INTS)]
    named += [(name, pa.string()) for name in _TEXTS]
    named += [("dev", pa.uint64()), ("ino", pa.uint64()), ("program", pa.int64())]
    named += [("n_events", pa.int64())]
    for stem in LISTS.values():
        named += [(f"{stem}_ids", _list(pa.int32())), (f"{stem}_counts", _list(pa.int64()))]
    named += [(name, pa.int64()) for name in _LIFE]
    named += [("observed_s", pa.float64()), ("late_s", pa.float64())]
    named += [("lost", pa.int64()), ("lost_keys", pa.int64()), ("identity_complete", pa.bool_())]
    return [pa.field(name, kind, nullable=False) for name, kind in named]


def _list(kind: pa.DataType) -> pa.ListType:
    return pa.list_(pa.field("element", kind, nullable=False))


SCHEMA: pa.Schema = pa.schema(_fields())

_NUMPY: dict[pa.DataType, type[np.generic]] = {
    pa.int32(): np.int32,
    pa.int64(): np.int64,
    pa.uint64(): np.uint64,
    pa.float64(): np.float64,
    pa.timestamp("ns", tz="UTC"): np.int64,
}


@lru_cache(maxsize=4096)
def program_number(program: Program) -> int:
    """Stable number of a program, ``[0, 2**63)``: the same in every recording of any host."""
    who = (program.exe, program.dev, program.ino, program.unit, program.container)
    digest = blake2b("\0".join(map(str, who)).encode("utf-8", "backslashreplace"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") >> 1


def to_table(batch: WindowBatch, tick: int) -> pa.Table:
    """Lay a batch out in the recording's columns, all of its rows under one tick."""
    n = len(batch)
    columns: dict[str, pa.Array] = {
        "tick": _ints(np.full(n, tick, np.int64)),
        "t_start": _ints(batch.t_start_ns, SCHEMA.field("t_start").type),
        "t_end": _ints(batch.t_end_ns, SCHEMA.field("t_end").type),
        "comm": _texts(batch.comm.tolist()),
        "container": _texts(batch.container.tolist()),
        "n_events": _ints(batch.n_events),
        "observed_s": _numbers(batch.observed_s, np.float64, pa.float64()),
        "late_s": _numbers(batch.late_s, np.float64, pa.float64()),
        "identity_complete": _bools(batch.identity_complete),
    }
    for name in (*_INTS, *_LIFE, "lost", "lost_keys"):
        columns[name] = _ints(getattr(batch, name))
    columns |= _program_columns(batch)
    for block, stem in LISTS.items():
        columns |= _list_columns(stem, getattr(batch, block))
    return pa.Table.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def _program_columns(batch: WindowBatch) -> dict[str, pa.Array]:
    used, place = np.unique(batch.program, return_inverse=True)
    programs = [batch.programs[i] for i in used]
    rows = _ints(place.astype(np.int64))
    return {
        "exe": _texts([p.exe for p in programs]).take(rows),
        "unit": _texts([p.unit for p in programs]).take(rows),
        "container_kind": _texts([p.container for p in programs]).take(rows),
        "dev": _unsigned([p.dev for p in programs]).take(rows),
        "ino": _unsigned([p.ino for p in programs]).take(rows),
        "program": _ints(np.array([program_number(p) for p in programs], np.int64)).take(rows),
    }


def _list_columns(stem: str, block: Sparse) -> dict[str, pa.Array]:
    offsets = _numbers(block.indptr, np.int32, pa.int32())
    pair = {f"{stem}_ids": _numbers(block.ids, np.int32, pa.int32())}
    pair[f"{stem}_counts"] = _ints(block.counts)
    return {
        name: pa.ListArray.from_arrays(offsets, entries, type=SCHEMA.field(name).type)
        for name, entries in pair.items()
    }


def _numbers(column: NDArray[Any], kind: type[np.generic], type_: pa.DataType) -> pa.Array:
    flat = np.ascontiguousarray(column, dtype=kind)
    return pa.Array.from_buffers(type_, len(flat), [None, pa.py_buffer(flat)])


def _ints(column: IntArray, type_: pa.DataType | None = None) -> pa.Array:
    return _numbers(column, np.int64, type_ or pa.int64())


def _unsigned(column: Sequence[int]) -> pa.Array:
    return _numbers(np.array(column, np.uint64), np.uint64, pa.uint64())


def _bools(column: NDArray[np.bool_]) -> pa.Array:
    packed = np.packbits(column, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), len(column), [None, pa.py_buffer(packed)])


def _texts(column: Sequence[str]) -> pa.Array:
    """Strings as UTF-8; a lone surrogate, which UTF-8 cannot hold, as its escape."""
    encoded = [value.encode("utf-8", "backslashreplace") for value in column]
    offsets = np.zeros(len(encoded) + 1, np.int32)
    np.cumsum([len(value) for value in encoded], out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


class ProgramTable:
    """Programs in the order of their first row, shared by every batch of one reading."""

    def __init__(self) -> None:
        self._index: dict[Program, int] = {}
        self.programs: tuple[Program, ...] = ()

    def rows(self, table: pa.Table) -> IntArray:
        """Index of every row's program, (n,); programs not met before join the table."""
        number = values(table, "program")
        _, first, place = np.unique(number, return_index=True, return_inverse=True)
        picked = table.select(["exe", "dev", "ino", "unit", "container_kind"]).take(_ints(first))
        met = [
            Program(row["exe"], row["dev"], row["ino"], row["unit"], row["container_kind"])
            for row in picked.to_pylist()
        ]
        index = np.empty(len(met), np.int64)
        # In order of first row, not of number, so that the table never depends on the hash.
        for i in np.argsort(first, kind="stable"):
            index[i] = self._index.setdefault(met[i], len(self._index))
        if len(self._index) > len(self.programs):
            self.programs = tuple(self._index)
        rows: IntArray = index[place]
        return rows


def to_batch(table: pa.Table, known: ProgramTable) -> WindowBatch:
    """Build the batch whose columns ``table`` (of ``SCHEMA``) holds, whatever their ticks.

    Raises
    ------
    ValueError
        Where a count block is not one: ids out of range, counts below one, uneven pairs.
    """
    columns: dict[str, object] = {
        name: values(table, name)
        for name in (*_INTS, *_LIFE, "observed_s", "late_s", "lost", "lost_keys")
    }
    for name in ("t_start", "t_end"):
        columns[f"{name}_ns"] = values(table, name)
    for name in ("comm", "container"):
        columns[name] = np.array(table.column(name).to_pylist(), np.str_)
    for block, stem in LISTS.items():
        columns[block] = _block(table, stem, BLOCKS[block])
    columns["program"] = known.rows(table)
    columns["identity_complete"] = values(table, "identity_complete")
    return WindowBatch(**columns, programs=known.programs)  # type: ignore[arg-type]


def values(table: pa.Table, name: str) -> NDArray[Any]:
    """Numbers of one column, (n,); times as int64 nanoseconds UTC."""
    chunks = [_chunk(chunk) for chunk in table.column(name).chunks]
    return np.concatenate(chunks)


def _chunk(chunk: pa.Array) -> NDArray[Any]:
    """Numbers of an array without nulls, as a view where they are not bits."""
    buffer, offset, n = chunk.buffers()[1], chunk.offset, len(chunk)
    if buffer is None:
        return np.zeros(0, np.int64)
    if pa.types.is_boolean(chunk.type):
        bits = np.unpackbits(np.frombuffer(buffer, np.uint8), bitorder="little")
        return bits[offset : offset + n].astype(np.bool_)
    kind = _NUMPY[chunk.type]
    return np.frombuffer(buffer, kind, n, offset * np.dtype(kind).itemsize)


def _block(table: pa.Table, stem: str, width: int) -> Sparse:
    start, ids = _flat(table, f"{stem}_ids")
    start_of_counts, counts = _flat(table, f"{stem}_counts")
    if not np.array_equal(start, start_of_counts):
        raise ValueError(f"{stem}_ids and {stem}_counts differ in length")
    if len(ids) and (ids.min() < 0 or ids.max() >= width or counts.min() < 1):
        raise ValueError(f"{stem} ids or counts are out of range")
    return Sparse(start, ids, counts, width)


def _flat(table: pa.Table, name: str) -> tuple[IntArray, IntArray]:
    chunks = table.column(name).chunks
    entries = [_chunk(chunk.flatten()).astype(np.int64) for chunk in chunks]
    lengths = [np.diff(_chunk(chunk.offsets)) for chunk in chunks]
    start = np.zeros(table.num_rows + 1, np.int64)
    np.cumsum(np.concatenate(lengths), out=start[1:])
    return start, np.concatenate(entries)
