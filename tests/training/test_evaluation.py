"""Promises of the figures: what they mean, also under ties, and what the command prints."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from oddcall.models.errors import EvidenceError, SettingError
from oddcall.service.cli import cli, run
from oddcall.training.datasets import PROTOCOLS, datasets_root
from oddcall.training.evaluation import (
    DEFAULT,
    DETECTORS,
    RATES,
    Split,
    average_precision,
    chosen_detectors,
    evaluate,
    mean_result,
    measure,
    own_threshold,
)
from oddcall.training.traces import TraceSet, Vocabulary

SCORES = st.lists(st.integers(0, 12), min_size=1, max_size=60)


@given(SCORES, SCORES)
def test_figures_equal_those_of_scikit_learn(normal: list[int], attack: list[int]) -> None:
    """Area, average precision and detection rates are the usual ones, ties and all."""
    n, a = np.array(normal, np.float64), np.array(attack, np.float64)
    truth, scores = np.r_[np.zeros(len(n)), np.ones(len(a))], np.r_[n, a]
    found = measure(n, a, 5.5)
    assert found.auc == pytest.approx(roc_auc_score(truth, scores))
    assert found.ap == pytest.approx(average_precision_score(truth, scores))
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    for rate in RATES:
        assert found.detected[rate] == pytest.approx(true[false <= rate + 1e-12].max())
    assert found.fpr == np.mean(n > 5.5)
    assert found.found == np.mean(a > 5.5)


def test_perfect_and_useless_scores() -> None:
    """Scores that separate give one, scores that say nothing give a half and detect nothing."""
    low, high = np.arange(100.0), np.arange(200.0, 300.0)
    best, flat = measure(low, high, 150), measure(np.zeros(100), np.zeros(50), 0)
    assert (best.auc, best.ap, best.detected[0.01]) == pytest.approx((1, 1, 1))
    assert (flat.auc, flat.detected[0.1], flat.fpr) == (0.5, 0, 0)
    assert flat.ap == pytest.approx(50 / 150)


def test_precision_by_hand() -> None:
    """Two attacks, one above and one below a normal: (1 + 2/3) / 2."""
    assert average_precision(np.array([2.0]), np.array([3.0, 1.0])) == pytest.approx(5 / 6)


def test_intervals_hold_the_figure_and_narrow_with_data() -> None:
    """Intervals are around the figure, the same each time, and narrower with more data."""
    random = np.random.default_rng(3)
    widths = []
    for n in (60, 3000):
        normal, attack = random.normal(0, 1, n), random.normal(1.5, 1, n)
        found = measure(normal, attack, 2.0, resamples=120)
        again = measure(normal, attack, 2.0, resamples=120)
        assert found == again
        assert found.intervals["auc"].low < found.auc < found.intervals["auc"].high
        assert set(found.intervals) == {"auc", "0.01", "0.05", "0.10"}
        widths.append(found.intervals["auc"].high - found.intervals["auc"].low)
    assert widths[1] < widths[0] / 3


def test_intervals_know_what_hangs_together() -> None:
    """Scores copied ten times say no more than once: drawn by block, the interval is as wide."""
    random = np.random.default_rng(5)
    normal, attack = random.normal(0, 1, 80), random.normal(1, 1, 40)
    blocks = np.repeat(np.arange(80), 10), np.repeat(np.arange(40), 10)
    once = measure(normal, attack, 2.0, resamples=300).intervals["auc"]
    copies = np.repeat(normal, 10), np.repeat(attack, 10)
    apart = measure(*copies, 2.0, resamples=300).intervals["auc"]
    together = measure(*copies, 2.0, resamples=300, blocks=blocks).intervals["auc"]
    width = once.high - once.low
    assert together.high - together.low == pytest.approx(width, rel=0.2)
    assert apart.high - apart.low < width / 2


def test_mean_of_runs() -> None:
    """The mean of repeated splits is of each figure, and its range spans them."""
    low, high = np.arange(10.0), np.arange(10.0)
    joined = mean_result([measure(low, high, 5), measure(low, high + 100, 5)])
    assert joined.auc == pytest.approx(0.75)
    assert (joined.intervals["auc"].low, joined.intervals["auc"].high) == (0.5, 1)


def test_detectors_are_chosen_by_name() -> None:
    """No name means all, a name twice means once, and a wrong one lists the right ones."""
    assert chosen_detectors([]) == list(DETECTORS.values())
    assert [d.name for d in chosen_detectors(["stide", "views", "stide"])] == ["stide", "views"]
    with pytest.raises(SettingError, match=r"views.*stide"):
        chosen_detectors(["magic"])


def test_nothing_to_judge_is_refused() -> None:
    """A split without attacks is refused before anything is learned."""
    some = TraceSet.of([np.zeros(3, np.int64)], Vocabulary())
    none = TraceSet.of([], Vocabulary())
    with pytest.raises(EvidenceError, match="attack"):
        evaluate(Split("x", some, some, none))


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Clean traces, more of them, and traces of other calls, on disk."""
    random = np.random.default_rng(0)
    steps = ["openat read close", "stat mmap munmap brk", "futex write"]
    for part, n, words in (
        ("train", 60, steps),
        ("normal", 30, steps),
        ("attack", 12, ["ptrace kill"]),
    ):
        for i in range(n):
            text = " ".join(words[k] for k in random.integers(0, len(words), 25))
            file = tmp_path / part / f"{i % 3}" / f"{i}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    return {part: tmp_path / part for part in ("train", "normal", "attack")}


def invoke(folders: dict[str, Path], *more: str) -> Result:
    given = [word for part, path in folders.items() for word in (f"--{part}", str(path))]
    return CliRunner().invoke(cli, ["evaluate", "traces", *given, *more])


def test_json_has_exactly_the_promised_keys(folders: dict[str, Path]) -> None:
    """Every detector has the documented keys and no others; what came later stands beside."""
    answer = invoke(folders, "--json")
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert set(found) == {"default", "detectors", "intervals", "attacks", "traces"}
    assert found["traces"][0]["attack"]["unread"] == 0
    assert set(found["intervals"][DEFAULT]) == {"auc", "0.01", "0.05", "0.10"}
    assert found["default"] == DEFAULT
    assert set(found["detectors"]) == set(DETECTORS)
    for figures in found["detectors"].values():
        assert set(figures) == {"auc", "ap", "dr_at_fpr", "chosen"}
        assert set(figures["dr_at_fpr"]) == {"0.01", "0.05", "0.10"}
        assert set(figures["chosen"]) == {"target_fpr", "fpr", "dr"}
    best = found["detectors"][DEFAULT]
    assert best["auc"] == 1
    assert best["chosen"]["target_fpr"] == 0.05
    assert best["chosen"]["dr"] == 1


def test_one_detector_may_be_asked_for(folders: dict[str, Path]) -> None:
    """Only the detectors named are run; the default is then the first of them."""
    found = json.loads(invoke(folders, "--json", "--detector", "stide").stdout)
    assert list(found["detectors"]) == ["stide"]
    assert found["default"] == "stide"


def test_parts_of_the_default_score_as_they_do_alone(folders: dict[str, Path]) -> None:
    """A detector that was learned as a part of the default has the figures that it has alone."""
    both = json.loads(
        invoke(folders, "--json", "--detector", "views", "--detector", "order").stdout
    )
    alone = json.loads(invoke(folders, "--json", "--detector", "order").stdout)
    assert both["detectors"]["order"] == alone["detectors"]["order"]


def test_a_page_has_every_detector(folders: dict[str, Path], tmp_path: Path) -> None:
    """--html writes one file with each detector and its curves, and loads nothing else."""
    file = tmp_path / "report.html"
    answer = invoke(folders, "--detector", "stide", "--detector", DEFAULT, "--html", str(file))
    assert answer.exit_code == 0, answer.output
    assert f"wrote {file}" in answer.stdout
    page = file.read_text()
    assert page.count("<svg viewBox") == 2 + 2  # two plots, two lines of the legend
    assert page.index(f"<td>{DEFAULT}</td>") < page.index("<td>stide</td>")
    assert not [word for word in ("<script", "src=", "href=", "url(") if word in page]


def test_people_get_a_table(folders: dict[str, Path]) -> None:
    """Without --json a table names each detector and marks the default, within 80 columns."""
    answer = invoke(folders)
    assert answer.exit_code == 0, answer.output
    assert all(name in answer.stdout for name in DETECTORS)
    assert f"{DEFAULT}*" in answer.stdout
    assert max(map(len, answer.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "no --train, no --normal, no --attack"),
        (["--set", "beth"], 2, "--data"),
        (["--set", "adfa-833", "--train", "x"], 2, "both"),
        (["--set", "mit-lpr", "--data", "/nowhere"], 2, "is not there"),
        (["--train", "/nowhere", "--normal", "x", "--attack", "y"], 2, "/nowhere"),
        (["--detector", "magic"], 2, "isolation-forest"),
    ],
)
def test_wrong_command_lines_are_explained(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong command line ends with the promised exit code and one sentence on what to do."""
    assert run(["evaluate", "traces", *arguments]) == code
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told


def test_bad_traces_have_their_exit_codes(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Binary files, empty directories and numbers against names each end with their own code."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "numbers").mkdir()
    (tmp_path / "numbers" / "1").write_text("1 2 3 4")
    (tmp_path / "binary").mkdir()
    (tmp_path / "binary" / "x").write_bytes(bytes(range(256)))
    for name, code in (("empty", 8), ("numbers", 5), ("binary", 5)):
        given = folders | {"attack": tmp_path / name}
        words = [word for part, path in given.items() for word in (f"--{part}", str(path))]
        assert run(["evaluate", "traces", *words]) == code
        assert name in capsys.readouterr().err


@pytest.mark.skipif(
    not (datasets_root() / "mit-lpr").exists(), reason=f"MIT lpr is not in {datasets_root()}"
)
def test_the_default_is_perfect_on_mit_lpr() -> None:
    """The smoke test of the field: every attack of MIT lpr is above every normal process."""
    (split,) = PROTOCOLS["mit-lpr"](None)
    assert evaluate(split, [DEFAULT])[DEFAULT].auc == pytest.approx(1, abs=5e-4)


@pytest.mark.skipif(
    not (datasets_root() / "adfa-ld").exists(), reason=f"ADFA-LD is not in {datasets_root()}"
)
def test_the_default_keeps_its_figures_on_adfa() -> None:
    """ADFA-833: the area and what is found at 5 % false positives are as documented."""
    (split,) = PROTOCOLS["adfa-833"](None)
    found = evaluate(split, [DEFAULT])[DEFAULT]
    assert found.auc >= 0.88
    assert found.detected[0.05] >= 0.44


@given(st.lists(st.integers(0, 9), min_size=2, max_size=60))
def test_its_own_threshold_is_the_conformal_rank(held_out: list[int]) -> None:
    """Whichever of n clean scores is the new one, at most 5 % lie above what the others give."""
    scores = np.array(held_out, np.float64)
    above = [score > own_threshold(np.delete(scores, i)) for i, score in enumerate(scores)]
    assert sum(above) <= max(0.05 * len(scores), 1)
