"""A person reads in the sentence what the program did, and it is what it really did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from oddcall.models import calls
from oddcall.models.explanation.explanation import explain
from oddcall.models.sparse import Sparse
from oddcall.models.window import CALLS, URING, Program

from .made import OPENS, REQUEST, WEB, Made, clean, said, verdicts, window

#: What a child does between its fork and the shell it becomes.
SHELL = [*["rt_sigaction"] * 3, "dup2", "dup2", "dup2", *["close!"] * 20, "execve"]
SCAN = ["socket", "connect!", "close"] * 300
RENAMES = ["openat", "read", "write", "close", "rename"] * 60
PTRACE = ["clone", "wait4", *["ptrace", "wait4"] * 20]
MEMFD = ["memfd_create", "write", "fcntl", "execve"]


@pytest.mark.parametrize(
    ("did", "words", "technique"),
    [
        (SHELL, ("3 dup2 calls", "1 execve call", "never made any of them"), "T1059.004"),
        (
            SCAN,
            ("300 connect calls", "(all failing)", "never made any of them"),
            "T1046",
        ),
        (RENAMES, ("60 rename calls", "never made"), "T1486"),
        (PTRACE, ("20 ptrace calls", "never made any of them"), "T1055.008"),
        (MEMFD, ("1 memfd_create call", "1 execve call", "never"), "T1620"),
        (OPENS, ("openat calls", "2,000 of them failing", "openat never failed"), "T1083"),
    ],
    ids=["shell", "scan", "renames", "ptrace", "memfd", "opens"],
)
@pytest.mark.parametrize("beside", [0, 30], ids=["alone", "beside its work"])
def test_the_cause_is_named(
    did: list[str], words: tuple[str, ...], technique: str, beside: int
) -> None:
    """The sentence names the program, the injected calls with their counts, and the baseline."""
    told = said(window(*[REQUEST] * beside, did))
    assert told.sentence.startswith("python3.11 (unit web.service) made ")
    if did is OPENS and not beside:
        words = ("openat calls", "all of them failing", "openat never failed")
    for word in (*words, "40 windows of its baseline"):
        assert word in told.sentence
    assert technique in {hint.technique for hint in told.hints}
    assert told.sentence.endswith(".")


def test_one_new_call() -> None:
    """A single kind of new call gets the shortest sentence."""
    sentence = said(window(*[REQUEST] * 20, ["connect!"] * 409, ["connect"] * 3)).sentence
    assert sentence == (
        "python3.11 (unit web.service) made 412 connect calls in 1.0 s, 409 of them failing; "
        "in 40 windows of its baseline it never made one."
    )


def test_excess() -> None:
    """A known call in excess is given with its share and the usual one."""
    sentence = said(window(*[REQUEST] * 10, ["getdents64"] * 300)).sentence
    assert "made 300 getdents64 calls in 1.0 s, 79% of its calls against typically" in sentence
    assert "in 40 windows of its baseline" in sentence


def test_bulk() -> None:
    """Where no window held nearly as many, the most that one held is said; else it is not."""
    sentence = said(window(*[REQUEST] * 10, ["getdents64"] * 300)).sentence
    assert sentence.endswith("windows of its baseline, none of which held more than 4.")
    assert "held more" not in said(window(*[REQUEST] * 2, ["getdents64"] * 30)).sentence


def test_what_a_hint_rests_on_leads() -> None:
    """A flood that a hint names comes before the few new calls that came along with it."""
    sentence = said(window(*[REQUEST] * 5, ["fcntl", "mkdir"] * 9, OPENS[:60])).sentence
    assert "made 65 openat calls in 1.0 s, 60 of them failing" in sentence
    assert "openat never failed; it also made" in sentence
    assert sentence.endswith("calls, never made before.")


def test_telling_calls_lead() -> None:
    """Of calls that are all new, those that mean something to a reader come first."""
    did = ["getpid", "fcntl", "alarm", "getrandom", "memfd_create", "clone"]
    sentence = said(window(*[REQUEST] * 30, did)).sentence
    for name in ("memfd_create", "clone"):
        assert f"1 {name} call" in sentence


def test_a_new_order_of_known_calls() -> None:
    """Where every call is known and none in excess, the step that is new is named."""
    swapped = ["epoll_wait", "accept4", "openat", "recvfrom", "fstat", "read", "close", "sendto"]
    told = said(window(*[swapped] * 40))
    steps = {"accept4 to openat", "openat to recvfrom", "recvfrom to fstat"}
    assert any(f"went from {step} 40 times in 1.0 s" in told.sentence for step in steps)
    assert told.sentence.endswith("in 40 windows of its baseline it never did.")


def test_a_lack_of_calls() -> None:
    """Where calls are missing, the sentence says what was not done."""
    told = said(window(["epoll_wait"] * 9))
    assert "epoll_wait" in told.sentence or "no " in told.sentence


def test_how_many_calls_is_exact() -> None:
    """Where only the number of calls stands out it is told to the last call, however large."""
    ordinary = clean(np.random.default_rng(0))
    batch = ordinary.take(np.array([0]))
    counts = {name: getattr(batch, name) for name in ("syscalls", "transitions", "errors")}
    more = {name: replace(c, counts=c.counts * 54_321) for name, c in counts.items()}
    batch = replace(batch, **more)
    said = explain(Made.of(ordinary), batch, 0, verdicts()).sentence
    assert f"made {batch.n_events[0]:,} calls" in said


@pytest.mark.parametrize(
    ("level", "words", "hinted"),
    [
        ("predecessor", "of its predecessor it never made one", "never made before"),
        ("similar", "of programs like it none made one", "never made by programs like it"),
    ],
)
def test_whose_baseline(level: str, words: str, hinted: str) -> None:
    """The sentence and the hint say whose baseline it was when it was not the program's own."""
    told = said(window(["ptrace"] * 20, *[REQUEST] * 9), level)
    assert words in told.sentence
    assert hinted in told.hints[0].why


def test_unknown_program() -> None:
    """A program without a baseline is described, not judged."""
    told = said(window(OPENS, program=Program("/opt/new")), "unknown")
    assert told.sentence == (
        "new made 2,000 calls in 1.0 s, mostly openat; "
        "it has no baseline yet, so they cannot be judged."
    )
    assert (told.top, told.nearest_windows, told.hints) == ([], [], [])


def test_container() -> None:
    """A program in a container is named with the kind and the short id of it."""
    batch = window(["ptrace"], program=Program("/app/run", container="docker"))
    batch = replace(batch, container=np.array(["0123456789abcdef" * 4]))
    assert said(batch).sentence.startswith("run (docker 0123456789ab) made 1 ptrace call in")


def test_io_uring_and_32_bit_calls() -> None:
    """Calls that bypass the usual path are named with the way they were made."""
    opcode, number = calls.uring_names().index("connect"), calls.compat_names().index("ptrace")
    batch = replace(
        window(*[REQUEST] * 20),
        uring=Sparse.from_dense(np.bincount([opcode] * 50, minlength=URING)[None, :]),
        compat=Sparse.from_dense(np.bincount([number] * 40, minlength=CALLS)[None, :]),
    )
    told = said(batch)
    assert "50 io_uring connect calls" in told.sentence
    assert "40 32-bit ptrace calls" in told.sentence
    assert "T1055.008" in {hint.technique for hint in told.hints}


def test_program_without_a_path() -> None:
    """A process whose executable was never learned still gets a sentence."""
    assert said(window(["ptrace"], program=replace(WEB, exe=""))).sentence.startswith(
        "unknown program (unit web.service) made"
    )
