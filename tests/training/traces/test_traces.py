"""Promises of a set of traces: what is taken of it is what it holds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oddcall.training.traces.traces import TraceSet, Vocabulary


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=20),
    st.integers(1, 30),
)
def test_chunks_are_the_set_again(lengths: list[int], most: int) -> None:
    """Chunks hold every trace once, in order, and no more calls than asked unless one does."""
    vocabulary = Vocabulary()
    made = TraceSet.of([np.arange(n, dtype=np.int64) for n in lengths], vocabulary)
    parts = list(made.chunks(most))
    assert np.array_equal(np.concatenate([p.calls for _, p in parts]), made.calls)
    assert sum((p.labels for _, p in parts), ()) == made.labels
    assert all(len(p.calls) <= most or len(p) == 1 for _, p in parts)
    assert [begin for begin, _ in parts] == np.cumsum([0, *(len(p) for _, p in parts)])[
        :-1
    ].tolist()
