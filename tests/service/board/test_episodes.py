"""Promises about episodes as lists show them."""

from __future__ import annotations

from typing import Any

import pytest

from oddcall.service.alerts.episode import Episodes
from oddcall.service.board.episodes import folded

PTRACE = 101


@pytest.mark.parametrize("oddest", [1, 100, 200])
def test_what_came_back_began_once(
    odd_calls: Any, host: Any, batch: Any, row: Any, oddest: int
) -> None:
    """Begin, last return and last window are told, whichever return was the least likely."""
    episodes, lines = Episodes(odd_calls, type(odd_calls).explain, host), []
    for at in (1, 100, 200):
        seen = batch(row(at_s=at, calls={PTRACE: 9 if at == oddest else 2}))
        lines += episodes.step(seen, odd_calls.judge(seen)).sent
    [told] = folded(reversed(lines))
    assert (told["onset"], told["returns"]) == ("2023-11-14T22:13:20.000000Z", 2)
    assert (told["back"], told["last"]) == (
        "2023-11-14T22:16:39.000000Z",
        "2023-11-14T22:16:40.000000Z",
    )
    lines += episodes.end().sent
    assert folded(lines)[0] == told | {"state": "closed", "lines": 6}
