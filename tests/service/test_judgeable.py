"""What could alert is counted in the words in which training counts what it leaves out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from oddcall.service.judgeable import PARTLY, Judgeable


def test_windows_that_training_leaves_out_are_named_where_they_are_judged(
    odd_calls: Any, batch: Any, row: Any
) -> None:
    """Of an incomplete identity that is known all the same: it could alert, and that is said."""
    seen = batch(row(at_s=1), row(at_s=2))
    verdicts = odd_calls.judge(seen)
    found = Judgeable()
    found.see(seen, verdicts)
    assert str(found) == "2 of 2 windows could alert"
    found.see(replace(seen, identity_complete=np.array([True, False])), verdicts)
    assert str(found) == f"4 of 4 windows could alert (1 {PARTLY}, judged by the rest)"
