"""Promises of batches on their way to another process."""

from __future__ import annotations

import os
from dataclasses import fields

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.packed import packed, unpacked
from oddcall.models.sparse import Sparse
from oddcall.models.window import BLOCKS, Program, WindowBatch

#: Paths may hold bytes that are no text, which Python writes as lone surrogates.
PATHS = st.text(max_size=12) | st.binary(max_size=12).map(os.fsdecode)


@given(
    st.lists(st.tuples(PATHS, st.integers(0, 2**64 - 1)), min_size=1, max_size=4),
    st.lists(st.integers(0, 2**62), max_size=6),
)
def test_a_batch_comes_back_as_it_was(places: list[tuple[str, int]], counts: list[int]) -> None:
    """Every column with its type and its values, and every program, whatever its path holds."""
    n = len(counts)
    batch = WindowBatch.of(
        programs=tuple(Program(exe, dev) for exe, dev in places),
        pid=np.arange(n),
        comm=np.array(["nginx"] * n, "U16"),
        program=np.zeros(n, np.int64),
        late_s=np.linspace(0, 1, n),
        syscalls=Sparse.from_rows(
            [np.array([7])] * n, [np.array([count]) for count in counts], BLOCKS["syscalls"]
        ),
    )
    found = unpacked(packed(batch))
    assert found.programs == batch.programs
    for column in (field.name for field in fields(WindowBatch) if field.name != "programs"):
        was, is_ = getattr(batch, column), getattr(found, column)
        parts = ("indptr", "ids", "counts") if column in BLOCKS else ()
        pairs = [(getattr(was, p), getattr(is_, p)) for p in parts] or [(was, is_)]
        assert all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs), column
