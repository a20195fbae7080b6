"""Explanations: a person reads what the program did, and it is what it really did."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oddcall.models import calls
from oddcall.models.baseline import QUANTILES, Baseline, Contributions, Exemplars
from oddcall.models.explanation.comparison import natural
from oddcall.models.explanation.explanation import NOTHING_SHARED, TOP, Explanation, explain
from oddcall.models.explanation.sentence import MOST_NAMED
from oddcall.models.features import SCALARS, FeatureSpec
from oddcall.models.peaks import Peaks
from oddcall.models.sparse import Sparse
from oddcall.models.transitions import START, bucket
from oddcall.models.verdict import Verdicts
from oddcall.models.window import BLOCKS, CALLS, URING, Program, WindowBatch

WEB = Program("/usr/bin/python3.11", 2049, 77, "web.service", "")

#: One request, and what a worker does now and then. ``!`` marks a call that fails.
REQUEST = ["epoll_wait", "accept4", "recvfrom", "openat", "fstat", "read", "close", "sendto"]
RARE = ["stat!", "openat", "getdents64", "getdents64", "close", "futex", "futex!"]


def window(*parts: Sequence[str], program: Program = WEB, seconds: float = 1.0) -> WindowBatch:
    """One window of one thread that makes these calls in this order; ``!`` marks a failure."""
    said = [call for part in parts for call in part]
    numbers = np.array([calls.number(call.rstrip("!")) for call in said])
    failed = np.array([call.endswith("!") for call in said])
    steps = bucket(np.concatenate([[START], numbers[:-1]]), numbers)
    columns: dict[str, object] = {
        name: Sparse.from_dense(np.bincount(ids, minlength=BLOCKS[name])[None, :])
        for name, ids in {
            "syscalls": numbers,
            "errors": numbers[failed],
            "transitions": steps,
        }.items()
    }
    end = 1_700_000_000_000_000_000
    return WindowBatch.of(
        programs=(program,),
        pid=np.array([4242]),
        start_time_ns=np.array([99]),
        t_start_ns=np.array([end - int(seconds * 1e9)]),
        t_end_ns=np.array([end]),
        observed_s=np.array([seconds]),
        **columns,
    )


def clean(rng: np.random.Generator, n: int = 40) -> WindowBatch:
    """Windows of the web server under its usual load."""
    made = []
    for _ in range(n):
        requests = [REQUEST for _ in range(int(rng.integers(20, 60)))]
        rare = [RARE] * int(rng.integers(0, 3))
        made.append(window(*requests, *rare))
    return WindowBatch.concat(made)


@dataclass
class Made:
    """As much of a model as an explanation asks for, with a baseline of these windows."""

    spec: FeatureSpec
    profiles: list[Baseline]
    peaks: Peaks
    metadata: dict[str, str]

    @classmethod
    def of(cls, windows: WindowBatch) -> Made:
        """Learn quantiles and typical windows, as training does."""
        spec = FeatureSpec()
        vectors = spec.vectors(windows)
        seen = np.flatnonzero(np.asarray((vectors != 0).sum(axis=0)).ravel())
        quantiles = np.quantile(vectors[:, seen].toarray(), QUANTILES, axis=0).T
        kept = Exemplars(
            vectors[:5],
            *(getattr(windows, name)[:5] for name in ("t_start_ns", "t_end_ns", "pid")),
            windows.n_events[:5],
        )
        times = int(windows.t_start_ns.min()), int(windows.t_end_ns.max())
        baseline = Baseline(
            "python3.11", len(windows), *times, seen, quantiles.astype(np.float32), kept
        )
        peaks = Peaks.of(vectors, np.zeros(len(windows), np.int64), 1)
        return cls(spec, [baseline], peaks, {"arch": "x86_64"})

    def contributions(
        self,
        batch: WindowBatch,
        row: int,
        *,
        news_only: bool = False,  # noqa: ARG002  as the model's
    ) -> Contributions:
        """Half of the verdict for squared distance past the quantiles, half for what is new."""
        baseline = self.profiles[0]
        observed = self.spec.vectors(batch).toarray()[row]
        every = np.arange(self.spec.width)
        typical = baseline.typical(every)
        past = np.maximum(observed - typical[:, 2], 0) + np.maximum(typical[:, 0] - observed, 0)
        novel = ~np.isin(every, baseline.features) & (observed > 0)
        mixture, novelty = past.astype(np.float64) ** 2, np.where(novel, observed, 0.0)
        parts = (mixture / max(mixture.sum(), 1e-9), novelty / max(novelty.sum(), 1e-9))
        weight = sum(parts) / max(sum(part.sum() for part in parts), 1e-9)
        order = np.argsort(-weight, kind="stable")
        order = order[(observed[order] > 0) | (typical[order, 2] > 0)]
        columns = observed[order], typical[order], novel[order], mixture[order], novelty[order]
        return Contributions(order, *columns, self.peaks.most(order, 0), weight[order])


def verdicts(level: str = "program", n: int = 1) -> Verdicts:
    """Verdicts that all alert, held against profile 0, or against none when unknown."""
    known = level != "unknown"
    return Verdicts(
        score=np.full(n, 30.0),
        p_value=np.full(n, 1e-9),
        threshold=1e-6,
        alert=np.full(n, known),
        extrapolated=np.full(n, known),
        level=np.full(n, level),
        ready=np.full(n, known),
        profile=np.full(n, 0 if known else -1),
    )


MODEL = Made.of(clean(np.random.default_rng(0)))


def said(batch: WindowBatch, level: str = "program") -> Explanation:
    """Explain the only window of a batch."""
    return explain(MODEL, batch, 0, verdicts(level))  # type: ignore[arg-type]


#: What a child does between its fork and the shell it becomes.
SHELL = [*["rt_sigaction"] * 3, "dup2", "dup2", "dup2", *["close!"] * 20, "execve"]
SCAN = ["socket", "connect!", "close"] * 300
RENAMES = ["openat", "read", "write", "close", "rename"] * 60
PTRACE = ["clone", "wait4", *["ptrace", "wait4"] * 20]
MEMFD = ["memfd_create", "write", "fcntl", "execve"]
OPENS = ["openat!"] * 2000


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


def test_new_calls_explain_their_transitions() -> None:
    """What is said of a new call is not said again of the steps to and from it."""
    told = said(window(*[REQUEST] * 30, ["ptrace", "read"] * 20))
    assert told.top[0].feature == "ptrace (share of calls)"
    assert not any("ptrace then" in f.feature or "then ptrace" in f.feature for f in told.top)


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


#: A call that a sentence names with how often it was made.
NAMED = re.compile(r"(?:[\d,]+|\bno) (?:failing )?((?:32-bit |io_uring )?\w+) calls?\b")


def named_in(sentence: str) -> set[str]:
    """Calls that a sentence names, however it does."""
    found = set(NAMED.findall(sentence))
    if mostly := re.search(r"most of all (.*)\.$", sentence):
        found |= set(re.split(", | and ", mostly[1]))
    return found


def shown_in(told: Explanation) -> list[str]:
    """Calls, or steps from one to another, of the features of an explanation, in their order."""
    return [f.feature.removeprefix("failing ").partition(" (share of ")[0] for f in told.top]


def test_what_the_sentence_names_leads_the_features() -> None:
    """Named by meaning, though it weighs little: it stands before what weighs most."""
    told = said(window(*[REQUEST] * 30, ["getpid", "alarm", "getrandom"] * 40, ["connect!"] * 2))
    assert "2 connect calls" in told.sentence
    shown = shown_in(told)
    assert set(shown[: len(named_in(told.sentence))]) == named_in(told.sentence)
    heaviest, second = told.top[:2]
    assert heaviest.contribution == max(feature.contribution for feature in told.top)
    assert second.feature == "connect (share of calls)"
    assert second.contribution < max(feature.contribution for feature in told.top[2:])


def test_a_call_named_for_its_failures_is_shown_by_them() -> None:
    """Where only failing is unusual the row is of that, with what is usual of failing."""
    told = said(window(*[REQUEST] * 30, ["openat!"] * 12))
    assert "12 of them failing" in told.sentence
    assert told.top[0].feature == "failing openat (share of calls)"
    assert told.top[0].count == 12


def test_top_features() -> None:
    """Features come with observed, typical and contribution; of the others the largest first."""
    told = said(window(*[REQUEST] * 10, ["ptrace"] * 80))
    lead = told.top[0]
    assert (lead.feature, lead.observed, lead.count) == ("ptrace (share of calls)", 0.5, 80)
    assert (lead.q05, lead.q50, lead.q95) == (0, 0, 0)
    weights = [feature.contribution for feature in told.top]
    assert named_in(told.sentence) == {"ptrace"}
    assert weights == sorted(weights, reverse=True)
    assert len(weights) <= TOP
    assert 0 < sum(weights) <= 1 + 1e-9


def test_typical_is_in_the_units_shown() -> None:
    """Quantiles of shares are shares: those counted from the clean windows themselves."""
    windows = clean(np.random.default_rng(0))
    share = windows.syscalls.to_dense()[:, calls.number("openat")] / windows.n_events
    told = said(window(*[REQUEST] * 20, OPENS))
    openat = next(f for f in told.top if f.feature == "openat (share of calls)")
    expected = np.quantile(np.sqrt(share), (0.05, 0.5, 0.95)) ** 2
    np.testing.assert_allclose([openat.q05, openat.q50, openat.q95], expected, rtol=1e-5)


def test_nearest_windows() -> None:
    """The nearest windows of the baseline are real ones, nearest first; a copy is at distance 0."""
    windows = clean(np.random.default_rng(0))
    told = said(windows.take(np.array([3])))
    assert told.nearest_windows[0]["distance"] == pytest.approx(0, abs=1e-3)
    assert told.nearest_windows[0]["events"] == windows.n_events[3]
    distances = [near["distance"] for near in told.nearest_windows]
    assert distances == sorted(distances)
    assert told.nearest_windows[0]["end"] == "2023-11-14T22:13:20+00:00"
    usual = told.nearest_windows[0]["usual_distance"]
    assert usual == pytest.approx(distances[1], abs=1e-3), "its nearest other, as it is that one"


def test_nothing_shared_is_as_far_as_said() -> None:
    """Windows that share no call and no step lie so far apart as the scale of distances says."""
    spec = FeatureSpec()
    kinds = (["read", "write", "close"], ["socket", "connect", "sendto"])
    one, other = (spec.vectors(window(*[kind] * 20)) for kind in kinds)
    apart = float(np.sqrt((one - other).power(2).sum()))
    assert apart == pytest.approx(NOTHING_SHARED, abs=0.01)


def test_scalars_are_undone() -> None:
    """Numbers about a window are shown as they were before the feature spec scaled them."""
    batch = replace(
        window(*[REQUEST] * 50, ["openat!"] * 100, seconds=2.0),
        forks=np.array([7]),
        execs=np.array([3]),
    )
    spec = FeatureSpec()
    vector = spec.vectors(batch)[:, spec.starts["scalars"] :].toarray()[0]
    got = {name: float(natural(name, vector[i])) for i, name in enumerate(SCALARS)}
    p = batch.syscalls.counts / 500
    expected = {
        "events": 500,
        "rate": 250,
        "distinct": 8,
        "entropy": float(-(p * np.log2(p)).sum()),
        "error_share": 0.2,
        "forks": 7,
        "execs": 3,
    }
    assert got == pytest.approx(expected, rel=1e-4)


names = st.sampled_from([*REQUEST, *RARE, "connect!", "ptrace", "execve", "dup2", "unlink", "mmap"])


@settings(max_examples=150, deadline=None)
@given(
    did=st.lists(names, min_size=1, max_size=60),
    times=st.integers(1, 50),
    level=st.sampled_from(["program", "similar"]),
)
def test_any_window_can_be_explained(did: list[str], times: int, level: str) -> None:
    """Whatever a window holds, it gets one line of plain words and values JSON can carry."""
    told = said(window(did * times), level)
    assert "\n" not in told.sentence
    assert told.sentence.startswith("python3.11 (unit web.service) ")
    assert told.sentence.endswith(".")
    assert len(told.sentence) < 450
    json.dumps(asdict(told), allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(
    did=st.lists(st.tuples(names, st.integers(1, 80)), min_size=1, max_size=12),
    beside=st.integers(0, 40),
    level=st.sampled_from(["program", "similar"]),
)
def test_every_call_of_the_sentence_stands_in_the_table(
    did: list[tuple[str, int]], beside: int, level: str
) -> None:
    """Whatever a sentence names is among the first rows, so few that every table has them."""
    told = said(window(*[REQUEST] * beside, *[[call] * times for call, times in did]), level)
    named, shown = named_in(told.sentence), shown_in(told)
    assert len(named) <= MOST_NAMED
    if step := re.search(r"went from (\w+) to (\w+) ", told.sentence):
        assert shown[0] == f"{step[1]} then {step[2]}"
    else:
        assert set(shown[: len(named)]) == named
    assert len(told.top) <= TOP
    assert len({feature.feature for feature in told.top}) == len(told.top)
    after = [feature.contribution for feature in told.top[max(len(named), 1) :]]
    assert after == sorted(after, reverse=True)


def test_imports_are_light() -> None:
    """Explaining needs numpy and scipy only: ``watch`` carries no training library."""
    script = (
        "import sys; import oddcall.models.explanation.explanation\n"
        "heavy = {'sklearn', 'river', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_program_without_a_path() -> None:
    """A process whose executable was never learned still gets a sentence."""
    assert said(window(["ptrace"], program=replace(WEB, exe=""))).sentence.startswith(
        "unknown program (unit web.service) made"
    )
