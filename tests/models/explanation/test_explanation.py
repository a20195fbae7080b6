"""What stands beside a sentence holds it up: features, what is usual, the nearest windows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oddcall.models import calls
from oddcall.models.explanation.comparison import natural
from oddcall.models.explanation.explanation import NOTHING_SHARED, TOP, Explanation
from oddcall.models.explanation.sentence import MOST_NAMED
from oddcall.models.features import SCALARS, FeatureSpec

from .made import OPENS, RARE, REQUEST, clean, said, window


def test_new_calls_explain_their_transitions() -> None:
    """What is said of a new call is not said again of the steps to and from it."""
    told = said(window(*[REQUEST] * 30, ["ptrace", "read"] * 20))
    assert told.top[0].feature == "ptrace (share of calls)"
    assert not any("ptrace then" in f.feature or "then ptrace" in f.feature for f in told.top)


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
    third = sorted(feature.contribution for feature in told.top)[-3:][0]
    for feature in told.top[max(len(named), 1) :]:
        new = feature.observed > 0 and feature.q95 == 0
        assert new or feature.contribution >= min(third, 0.01)


def test_what_carries_next_to_nothing_has_no_row() -> None:
    """Beside what is new or weighs something only the strongest three are shown."""
    told = said(window(*[REQUEST] * 30, ["ptrace", "read"] * 20))
    assert len(told.top) < TOP
    for feature in told.top[3:]:
        within = feature.q05 <= feature.observed <= feature.q95
        new = feature.observed > 0 and feature.q95 == 0
        assert new or feature.contribution >= (0.05 if within else 0.01)


def test_imports_are_light() -> None:
    """Explaining needs numpy and scipy only: ``watch`` carries no training library."""
    script = (
        "import sys; import oddcall.models.explanation.explanation\n"
        "heavy = {'sklearn', 'river', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
