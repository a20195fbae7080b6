"""What is found in rows of counters is what is there."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.models.sparse import Sparse
from oddcall.sensor.entries import Entries
from oddcall.sensor.layout import COUNT_COLUMNS, COUNT_ORDER, COUNT_WIDTH


@pytest.mark.parametrize("kept", [[], [1], [0], [1, 2], [0, 1, 2, 3, 4]])
def test_rows_are_divided_into_the_same_blocks_as_one_at_a_time(kept):
    """Every count is in its own block, row and column, whichever rows there are."""
    random = np.random.default_rng(3)
    counts = random.poisson(0.05, (5, COUNT_WIDTH)).astype(np.uint32)
    counts[1] = 0
    counts[2, -1] = 2**32 - 1
    rows = np.isin(np.arange(5), kept)
    blocks = Entries.of(counts[rows]).blocks()
    for name in COUNT_ORDER:
        wanted = Sparse.from_dense(counts[rows][:, COUNT_COLUMNS[name]])
        assert blocks[name].width == wanted.width
        for column in ("indptr", "ids", "counts"):
            assert (getattr(blocks[name], column) == getattr(wanted, column)).all()


def test_errors_and_transitions_are_no_events():
    """A call is one event, though it is counted by its number, its error and its transition."""
    counts = np.zeros((2, COUNT_WIDTH), np.uint32)
    for name in COUNT_ORDER:
        counts[1, COUNT_COLUMNS[name].start] = 7
    assert Entries.of(counts).events().tolist() == [0, 21]
