"""Promises about the wording of one sentence, whatever the numbers in it."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from oddcall.models.explanation.observation import Call, Observation, Scalar
from oddcall.models.explanation.sentence import judged

NONE = (0.0, 0.0, 0.0)
MKDIR = Call("mkdir", "mkdir", 1, 1, 0.01, 0.01, NONE, NONE, True, True, 0.5)
#: Known, and failing for the first time.
OPENAT = replace(MKDIR, name="openat", plain="openat", novel=False, typical=(0.0, 0.01, 0.02))
#: Known in such numbers, and failing more than it did.
CONNECT = replace(MKDIR, name="connect", plain="connect")
STAT = replace(OPENAT, count=12, failed=12, failed_share=0.12, novel_failure=False)


def said(calls: tuple[Call, ...], scalars: tuple[Scalar, ...] = (), events: int = 100) -> str:
    known: Any = SimpleNamespace(windows=40)
    return judged("web", Observation(events, 1.0, calls, (), scalars), known, "program", ())


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ((MKDIR,), "made 1 mkdir call in 1.0 s, which failed; in 40"),
        ((OPENAT,), "made 1 openat call in 1.0 s, which failed; in 40"),
        ((CONNECT,), "made 1 connect call in 1.0 s, which failed or is pending; in 40"),
        ((MKDIR, OPENAT), "it also made 1 failing openat call (1.0%; "),
        ((replace(OPENAT, contribution=9.0), MKDIR), "also made 1 mkdir call (1 failing), never"),
        ((MKDIR, replace(STAT, name="stat")), "it also made 12 failing stat calls (12%; "),
    ],
)
def test_one_is_one(calls: tuple[Call, ...], words: str) -> None:
    """A single call is told in the singular, also where it failed and where it comes second."""
    assert words in said(calls)


@pytest.mark.parametrize("name", ["events", "rate", "distinct", "forks", "execs"])
@pytest.mark.parametrize("observed", [1.0, 2.0])
def test_one_of_a_whole_window_is_one(name: str, observed: float) -> None:
    """So is a number about the whole window: one call, kind, process or program, or two."""
    sentence = said((), (Scalar(name, observed, (5.0, 6.0, 7.0), 1.0),), int(observed))
    noun = re.search(rf"web \w+ {observed:.0f} (\w+)", sentence)
    assert noun is not None
    one = noun[1] in {"call", "kind", "process", "program"}
    assert one == (observed == 1)
    assert sentence.endswith("against typically 5 to 7 in 40 windows of its baseline.")


@pytest.mark.parametrize(
    ("typical", "words"),
    [
        ((0.0, 0.0001, 0.0002), "against typically under 0.1% in"),
        ((0.0, 0.001, 0.02), "against typically at most 2.0% in"),
        ((0.0001, 0.001, 0.02), "against typically under 0.1% to 2.0% in"),
        ((0.02, 0.02, 0.02), "against typically 2.0% in"),
        (NONE, "against hardly ever any in"),
    ],
)
def test_what_is_typical(typical: tuple[float, float, float], words: str) -> None:
    """A limit is said once: nothing is at most under a figure."""
    lot = Call("read", "read", 50, 0, 0.5, 0.0, typical, NONE, False, False, 1.0)
    assert words in said((lot,))
