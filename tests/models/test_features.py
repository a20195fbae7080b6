"""Vectors: the same for the same counts, wherever and in whatever company."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.models.features import SCALAR_WEIGHT, SCALARS, FeatureSpec
from oddcall.models.window import WindowBatch
from oddcall.training.synthetic import WEB, host, window

SPEC = FeatureSpec()
HASH = "64947615d23d8d00c803a41a9afe5ddf6dd7e6103390132792aa9635ef3e4dfb"


@pytest.fixture(scope="module")
def batch() -> WindowBatch:
    return WindowBatch.concat(host(60, seed=1))


def test_the_spec_keeps_its_hash():
    """Changing what vectors mean changes the hash; this one is version 1's, for good."""
    assert SPEC.hash == HASH
    assert FeatureSpec(seed=1).hash != SPEC.hash


def test_same_counts_same_values():
    """Known counts give known values: vectors do not depend on the host that computes them."""
    vector = SPEC.vectors(window(WEB, [257, 0, 0, 3, -262]))
    values = np.round(vector.data.astype(np.float64), 5)
    assert " ".join(f"{j}:{x:.5f}" for j, x in zip(vector.indices, values, strict=True)) == (
        "0:0.63246 3:0.44721 257:0.44721 262:0.44721 774:0.44721 "
        "1024:0.44721 1030:0.44721 1083:0.44721 1449:0.44721 1567:0.44721 "
        "2688:0.01077 2689:0.01077 2690:0.01768 2691:0.02402 2692:0.02000"
    )


def test_squares_of_a_block_are_shares(batch: WindowBatch):
    """Squares of calls, 32-bit calls and opcodes sum to 1, and so do those of transitions."""
    squares = SPEC.vectors(batch).multiply(SPEC.vectors(batch)).toarray()
    at = SPEC.starts
    calls = squares[:, : at["errors"]].sum(1) + squares[:, at["uring"] : at["scalars"]].sum(1)
    assert np.allclose(calls, 1, atol=1e-5)
    assert np.allclose(squares[:, at["transitions"] : at["uring"]].sum(1), 1, atol=1e-5)


def test_scalars_are_bounded():
    """No load, however high, moves a vector by more than the scalars' weight."""
    busy = window(WEB, np.zeros(200_000, np.int64), seconds=1e-6, forks=10**9)
    scalars = SPEC.vectors(busy).toarray()[0, SPEC.starts["scalars"] :]
    assert len(scalars) == len(SCALARS)
    assert (scalars >= 0).all()
    assert scalars.max() <= np.float32(SCALAR_WEIGHT)


def test_a_row_does_not_depend_on_its_company(batch: WindowBatch):
    """A window has the same vector alone as in a batch, in any order."""
    together = SPEC.vectors(batch).toarray()
    order = np.random.default_rng(0).permutation(len(batch))
    assert np.array_equal(SPEC.vectors(batch.take(order)).toarray(), together[order])
    assert np.array_equal(SPEC.vectors(batch.take(np.array([7]))).toarray()[0], together[7])


def test_columns_increase_within_a_row(batch: WindowBatch):
    """Rows are canonical CSR: sorted, no column twice."""
    vectors = SPEC.vectors(batch)
    assert vectors.has_canonical_format
    assert vectors.dtype == np.float32


def test_every_column_has_a_name_and_an_address():
    """Names and addresses agree for all columns, and a column past the end is refused."""
    assert len(SPEC.names) == SPEC.width == len(set(SPEC.names))
    for feature in (0, 511, 512, 1024, 2047, 2048, 2112, SPEC.width - 1):
        block, index = SPEC.address(feature)
        assert SPEC.column(block, index) == feature
    assert SPEC.address(1024 + 7) == ("transitions", 7)
    assert SPEC.names[257] == "syscalls:257"
    with pytest.raises(IndexError):
        SPEC.address(SPEC.width)


def test_events_can_be_read_back(batch: WindowBatch):
    """The number of events survives in the vector, for those who weigh evidence by it."""
    assert SPEC.events(SPEC.vectors(batch)) == pytest.approx(batch.n_events, rel=1e-4)


def test_nothing_gives_nothing():
    """No windows give no vectors; a window without events gives finite ones."""
    assert SPEC.vectors(WindowBatch.empty()).shape == (0, SPEC.width)
    idle = WindowBatch.of(programs=(WEB.program,), pid=np.array([1]))
    assert np.isfinite(SPEC.vectors(idle).toarray()).all()
