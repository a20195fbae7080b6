"""Promises of judged windows in columns."""

from __future__ import annotations

import numpy as np
import pytest

from oddcall.models.window import Program
from oddcall.training.judged import BLOCK_S, Judged

MINUTE, DAY = 60, 86_400


def recorded(*minutes: int) -> Judged:
    """Windows of a second of two programs, in recordings of so many minutes, a day apart."""
    seconds = [DAY * i + np.arange(MINUTE * n).repeat(2) for i, n in enumerate(minutes)]
    start = np.concatenate(seconds) * 10**9
    n = len(start)
    return Judged(
        source=np.repeat(np.arange(len(minutes)), [len(part) for part in seconds]),
        start_ns=start,
        end_ns=start + 10**9,
        program=np.tile([0, 1], n // 2),
        programs=(Program("/bin/x", 1, 1), Program("/bin/y", 1, 2)),
        attack=np.full(n, -1),
        p_value=np.ones(n),
        threshold=np.full(n, 1e-3),
        alert=np.zeros(n, np.bool_),
        ready=np.ones(n, np.bool_),
        known=np.ones(n, np.bool_),
        detectors={},
        hosts=("web1",) * len(minutes),
    )


@pytest.mark.parametrize("minutes", [(5,), (5, 5), (1, 10), (40, 40)])
def test_blocks_are_a_minute_or_thirty_in_all(minutes: tuple[int, ...]) -> None:
    """Little time, however spread over days, is thirty blocks of each program; much is minutes."""
    judged = recorded(*minutes)
    block = judged.blocks()
    for program in (0, 1):
        assert len(np.unique(block[judged.program == program])) >= 30
    for one in np.unique(block):
        rows = block == one
        assert len(np.unique(judged.program[rows])) == len(np.unique(judged.source[rows])) == 1
        length = (judged.end_ns[rows].max() - judged.start_ns[rows].min()) / 1e9
        assert length <= BLOCK_S + 1
    if sum(minutes) > 30:
        assert len(np.unique(block)) <= 2 * (sum(minutes) + 2 * len(minutes))
