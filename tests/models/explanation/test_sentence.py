"""Promises about the wording of one sentence, whatever the numbers in it."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from oddcall.models.explanation.observation import Call, Observation, Scalar, Transition
from oddcall.models.explanation.sentence import judged

NONE = (0.0, 0.0, 0.0)
MKDIR = Call("mkdir", "mkdir", 1, 1, 0.01, 0.01, NONE, NONE, True, True, 0.5)
#: Known, and failing for the first time.
OPENAT = replace(MKDIR, name="openat", plain="openat", novel=False, typical=(0.0, 0.01, 0.02))
#: Known in such numbers, and failing more than it did.
CONNECT = replace(MKDIR, name="connect", plain="connect")
STAT = replace(OPENAT, count=12, failed=12, failed_share=0.12, novel_failure=False)


#: Never taken, and not decoded.
STEP = Transition(7, None, 3, 0.03, NONE, novel=True, contribution=0.9)
RATE = Scalar("rate", 900.0, (5.0, 6.0, 7.0), 0.9)


def said(
    calls: tuple[Call, ...],
    scalars: tuple[Scalar, ...] = (),
    events: int = 100,
    *,
    transitions: tuple[Transition, ...] = (),
    level: str = "program",
    first: tuple[str, ...] = (),
) -> str:
    known: Any = SimpleNamespace(windows=40)
    seen = Observation(events, 1.0, calls, transitions, scalars)
    return judged("web", seen, known, level, first).text


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ((MKDIR,), "made 1 mkdir call in 1.0 s, which failed; in 40"),
        ((OPENAT,), "made 1 openat call in 1.0 s, which failed; in 40"),
        ((CONNECT,), "made 1 connect call in 1.0 s, which failed; in 40"),
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


@pytest.mark.parametrize(
    ("step", "level", "words"),
    [
        (STEP, "program", "3 times in 1.0 s, that it never took in 40 windows of its baseline."),
        (STEP, "similar", "3 times in 1.0 s, that none took in 40 windows of programs like it."),
        (
            replace(STEP, novel=False, count=30, share=0.3, typical=(0.0, 0.01, 0.02)),
            "program",
            (
                "30 times in 1.0 s, 30% of its steps against typically at most 2.0% in 40 windows "
                "of its baseline."
            ),
        ),
    ],
)
def test_a_step_that_is_not_decoded_is_one_step(step: Transition, level: str, words: str) -> None:
    """Which calls it joins is not known, and no more is claimed than that this step is new."""
    told = said((), transitions=(step,), level=level)
    assert told == f"web took a step from one known call to another, {words}"


def test_one_that_weighs_most_leads_and_then_those_that_mean_more() -> None:
    """Of many that weigh the same only one is named before what tells a reader something."""
    alike = tuple(
        replace(MKDIR, name=name, plain=name, failed=0)
        for name in ("getpid", "alarm", "fcntl", "getrandom")
    )
    socket = replace(MKDIR, name="socket", plain="socket", failed=0, contribution=0.4)
    assert "made 1 getpid call, 1 socket call, 1 alarm call and 2 other" in said((*alike, socket))
    told = said((*alike, socket), first=("fcntl",))
    assert "made 1 fcntl call, 1 getpid call, 1 socket call and 2 other" in told


@pytest.mark.parametrize("beside", [{"transitions": (STEP,)}, {"scalars": (RATE,)}])
def test_the_sentence_leads_with_what_the_verdict_rests_on(beside: dict[str, Any]) -> None:
    """A call that carries next to nothing gives way to the step or number that carries most."""
    slight = replace(MKDIR, contribution=0.01)
    other = said((), **beside)
    assert said((slight,), **beside) == other
    assert "made 1 mkdir call" in said((replace(MKDIR, contribution=0.1),), **beside)
    assert "made 1 mkdir call" in said((slight,), **beside, first=("mkdir",))
    usual = {name: (replace(part, **_USUAL[name]),) for name, (part,) in beside.items()}
    assert "made 1 mkdir call" in said((slight,), **usual)


#: As they are in nine windows of ten.
_USUAL: dict[str, dict[str, Any]] = {
    "transitions": {"novel": False},
    "scalars": {"observed": 6.0},
}
