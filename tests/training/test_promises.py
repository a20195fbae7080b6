"""On later clean windows a p-value is as rare as it says; where none can know, none alerts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm

from oddcall.models.calibration import Calibration
from oddcall.models.detector import Evidence, Prior
from oddcall.models.detectors import Nearest, Novelty, PcaResidual
from oddcall.models.model import Model
from oddcall.models.tail import Tails
from oddcall.models.window import Program, WindowBatch
from oddcall.training.fit import fit
from oddcall.training.independence import independent, independent_of_each
from oddcall.training.synthetic import REDIS, SHORT, WEB, Chain, host, window

PROMISED = (0.1, 0.03, 0.01, 0.003, 0.001)
FACTOR = 1.5
TEN_MINUTES, DAY = 600, 86_400
PRIOR = Prior(scale=1.0, weight=20)
Series = Callable[[np.random.Generator, int], np.ndarray]


def room(alpha: float, n: int) -> float:
    """Three standard deviations of a share of n windows."""
    return 3 * float(np.sqrt(FACTOR * alpha / n))


def realised(series: Series, n: int, *, corrected: bool = True, rounds: int = 150) -> np.ndarray:
    """Share of later windows at or below each promise, over so many calibrations on n windows."""
    random = np.random.default_rng(n)
    shares, one = [], np.zeros(n, np.int64)
    for _ in range(rounds):
        clean = series(random, n)
        size = independent(clean) if corrected else n
        tails = Tails.fit(clean, one, 1, PRIOR, np.array([float(size)]))
        later = series(random, 20 * n)
        p = tails.p_values(later, np.zeros(len(later), np.int64))
        shares.append([np.mean(p <= alpha) for alpha in PROMISED])
    found: np.ndarray = np.mean(shares, axis=0)
    return found


def plain(random: np.random.Generator, n: int) -> np.ndarray:
    return random.exponential(size=n)


def discrete(random: np.random.Generator, n: int) -> np.ndarray:
    return random.poisson(0.7, n).astype(float)


def nearly_always_zero(random: np.random.Generator, n: int) -> np.ndarray:
    return random.exponential(size=n) * (random.random(n) < 0.02)


def autocorrelated(random: np.random.Generator, n: int) -> np.ndarray:
    """Each value keeps 0.9 of the one before; each by itself is exponential."""
    steps = random.normal(size=n + 50) * np.sqrt(1 - 0.9**2)
    return -np.log(norm.sf(lfilter([1.0], [1.0, -0.9], steps)[50:]))


@pytest.mark.parametrize("n", [16, 60, 240, 800])
@pytest.mark.parametrize("series", [plain, discrete, nearly_always_zero])
def test_independent_scores_keep_every_promise(series: Series, n: int):
    """Small baselines, ties and discrete scores: never more often than promised by half again."""
    found = realised(series, n)
    for alpha, share in zip(PROMISED, found, strict=True):
        assert share <= FACTOR * alpha + room(alpha, 150 * 20 * n)
    if series is plain and n >= 240:
        assert (found[:2] >= np.array(PROMISED[:2]) / FACTOR).all(), "held back too far"


def test_windows_that_hang_together_keep_it_too():
    """With the effective size the promise holds where, window by window, it would be broken."""
    found, naive = (realised(autocorrelated, 600, corrected=c) for c in (True, False))
    # A later series hangs together as well: of 20 n windows about one in nineteen is independent.
    slack = np.array([room(alpha, 150 * 20 * 600 // 19) for alpha in PROMISED])
    assert (found <= FACTOR * np.array(PROMISED) + slack).all()
    assert (found[:3] >= np.array(PROMISED[:3]) / FACTOR).all(), "held back too far"
    assert naive[-1] > FACTOR * PROMISED[-1] + slack[-1]


@pytest.mark.parametrize(("n", "memory"), [(240, 0.7), (820, 0.5)])
def test_joined_scores_keep_their_promise_where_windows_hang_together(n: int, memory: float):
    """Two detectors that agree by half, and novelty: the whole way from scores to one p-value."""
    random, rounds, promised = np.random.default_rng(n), 60, np.array([0.1, 0.03, 0.01, 0.003])
    one, later = np.zeros(n, np.int64), np.zeros(6000, np.int64)
    kinds: dict[str, Evidence] = {"a": "mixture", "b": "mixture", "c": "novelty"}
    priors = {"a": PcaResidual.prior, "b": Nearest.prior, "c": Novelty.prior}
    shares = []
    for _ in range(rounds):
        clean = two_kinds(random, n, memory)
        joined = partial(Calibration.fit, clean, kinds, priors, one, np.zeros(1, np.int64))
        found = joined(np.array([float(n)])).evidences(clean, one)
        calibration = joined(independent_of_each(found.score, one, 1))
        p = calibration.evidences(two_kinds(random, len(later), memory), later).p_value
        shares.append([np.mean(p <= alpha) for alpha in promised])
    realised_, off = np.mean(shares, axis=0), np.std(shares, axis=0) / np.sqrt(rounds)
    assert (realised_ <= FACTOR * promised + off).all()
    assert (realised_[:3] >= promised[:3] / FACTOR - off[:3]).all(), "held back too far"


def two_kinds(random: np.random.Generator, n: int, memory: float) -> dict[str, np.ndarray]:
    """Scores of n windows, each of which keeps so much of the one before."""
    steps = random.normal(size=(3, n + 50)) * np.sqrt(1 - memory**2)
    first, second, third = lfilter([1.0], [1.0, -memory], steps)[:, 50:]
    rare = (norm.cdf(third) > 0.99) * random.exponential(2, n)
    alike = 0.7 * first + np.sqrt(1 - 0.7**2) * second
    return {"a": 1 - 0.5 * norm.logsf(first), "b": 1 - 0.5 * norm.logsf(alike), "c": rare}


@pytest.fixture(scope="module")
def model() -> Model:
    return fit(host(TEN_MINUTES, seed=11))


@pytest.fixture(scope="module")
def later() -> WindowBatch:
    ticks = [b for s in range(3) for b in host(TEN_MINUTES, seed=70 + s, start=TEN_MINUTES)]
    return WindowBatch.concat(ticks)


def test_later_windows_of_the_same_programs(model: Model, later: WindowBatch):
    """Ten programs, ten minutes of each learned, half an hour judged."""
    verdicts = model.judge(later)
    p = verdicts.p_value[verdicts.ready & (verdicts.level == "program")]
    assert len(p) > 8_000
    for alpha in PROMISED:
        assert np.mean(p <= alpha) <= FACTOR * alpha + room(alpha, len(p))
    assert np.mean(p <= 0.1) >= 0.1 / FACTOR
    assert not verdicts.alert.any()


@pytest.mark.parametrize(("learned", "watched"), [(40, 3000), (3000, 40)])
def test_a_change_of_load_accuses_nobody(learned: int, watched: int):
    """Idle, then busy, and day, then night: shares may be off, alerts there are none."""
    random = np.random.default_rng(learned)
    chain = Chain(WEB.program, WEB.paths[:4], WEB.weights[:4])

    def ticks(events: int, start: float) -> list[WindowBatch]:
        sizes = (events * random.uniform(0.5, 2, 300)).astype(int)
        return [
            window(chain, chain.walk(size, random), second=start + i)
            for i, size in enumerate(sizes)
        ]

    trained = fit(ticks(learned, 0))
    verdicts = trained.judge(WindowBatch.concat(ticks(watched, DAY / 2)))
    assert verdicts.ready.all()
    assert not verdicts.alert.any()


def test_a_program_that_runs_once_a_day(model: Model):
    """Run once in training: it has no baseline of its own, and its next run does not alert."""
    random = np.random.default_rng(5)
    nightly = Chain(Program("/usr/bin/logrotate", 8, 700), SHORT[0].paths, SHORT[0].weights)

    def run(second: float) -> list[WindowBatch]:
        return [
            window(nightly, nightly.walk(150, random), second=second + i, pid=900) for i in range(5)
        ]

    trained = fit([*host(TEN_MINUTES, seed=12), *run(300)])
    known = {state.program: state for state in trained.programs}[nightly.program]
    assert known.readiness == "collecting"
    assert known.level == "similar"
    for day in range(1, 4):
        assert not trained.judge(WindowBatch.concat(run(day * DAY))).alert.any()


def test_a_tool_that_has_more_to_read_accuses_nobody():
    """Who did one thing alike 150 times, and now goes on reading: rare, and how rare is untold."""
    start = (9, 257, 262, 3) * 20 + (0,) * 5 + (8, 10, 12, 17, 1, 3)
    tool = Chain(Program("/usr/bin/tail", 8, 800), (start,), (1.0,))
    runs = [window(tool, start, second=4 * i, pid=1000 + i) for i in range(150)]
    trained = fit([*host(TEN_MINUTES, seed=13), *runs])
    verdicts = trained.judge(window(tool, (0,) * 134, second=TEN_MINUTES + 9, seconds=6))
    assert verdicts.level[0] == "program"
    assert verdicts.p_value[0] < 0.02
    assert not verdicts.alert[0]


def test_a_program_never_seen_is_unknown(model: Model):
    """Whatever it does: there is nothing to hold it against, and it is said so."""
    random = np.random.default_rng(6)
    never = Chain(Program("/opt/never/seen", 8, 999), ((101, 165, 175, 41),), (1.0,))
    verdicts = model.judge(window(never, never.walk(5000, random)))
    assert verdicts.level[0] == "unknown"
    assert verdicts.p_value[0] == 1
    assert not verdicts.alert[0]


def test_a_hundred_programs_share_one_budget():
    """Each keeps its promise, what they are expected to cost sums to the budget, none alerts."""
    random = np.random.default_rng(7)
    kinds = [REDIS, *SHORT[:4]]
    chains = [
        Chain(Program(f"/srv/{i}", 8, 2000 + i), kinds[i % 5].paths, kinds[i % 5].weights)
        for i in range(100)
    ]

    def ticks(count: int, start: float) -> list[WindowBatch]:
        return [
            WindowBatch.concat(
                [
                    window(c, c.walk(int(random.uniform(50, 300)), random), second=start + i, pid=p)
                    for p, c in enumerate(chains)
                ]
            )
            for i in range(count)
        ]

    trained = fit(ticks(44, 0))
    costs = [known.expected_alerts_per_day for known in trained.programs]
    assert sum(costs) == pytest.approx(trained.budget_per_day)
    verdicts = trained.judge(WindowBatch.concat(ticks(20, 3600)))
    p = verdicts.p_value[verdicts.ready]
    assert len(p) == 2000
    for alpha in PROMISED:
        assert np.mean(p <= alpha) <= FACTOR * alpha + room(alpha, len(p))
    assert not verdicts.alert.any()
