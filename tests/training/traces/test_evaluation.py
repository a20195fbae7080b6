"""Detectors held against labelled traces, and what the command prints of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from oddcall.models.errors import EvidenceError, SettingError
from oddcall.service.cli import cli, run
from oddcall.training.figures import measure
from oddcall.training.traces.datasets.protocols import PROTOCOLS, datasets_root
from oddcall.training.traces.detectors.detector import AtOnce
from oddcall.training.traces.detectors.order import Order
from oddcall.training.traces.detectors.peers import Stide
from oddcall.training.traces.evaluation import DEFAULT, DETECTORS, chosen_detectors, evaluate
from oddcall.training.traces.parsing.reading import read_split
from oddcall.training.traces.traces import Split, TraceSet, Vocabulary


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


def test_long_work_is_told_of_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that takes minutes says again and again how far it is, and never goes back."""
    random, vocabulary = np.random.default_rng(4), Vocabulary()
    calls = np.array([vocabulary.id(call) for call in "abcdef"])
    walks = [calls[random.integers(0, 6, 40)] for _ in range(60)]
    train, normal, attack = (
        TraceSet.of(part, vocabulary) for part in (walks[:20], walks[20:40], walks[40:])
    )
    monkeypatch.setattr("oddcall.training.traces.detectors.detector.CHUNK", 100)
    heard: list[tuple[str, float]] = []
    names = ["views", "stide"]
    evaluate(
        Split("x", train, normal, attack),
        names,
        progress=lambda doing, done: heard.append((doing, done)),
    )
    doings = [doing for doing, _ in heard]
    steps = [f"x: {name}, {doing}" for name in names for doing in ("learning", "judging")]
    assert list(dict.fromkeys(doings)) == steps
    assert all(doings.count(each) > 5 for each in steps)
    parts = [done for _, done in heard]
    assert parts == sorted(parts)
    assert parts[0] == 0
    assert parts[-1] < 1


@pytest.mark.parametrize("judge", [Order, Stide])
def test_no_more_is_scored_at_once_than_memory_is_bounded_for(
    judge: type[AtOnce], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither while it learns nor while it judges, and each trace is scored as it is with all."""
    random, vocabulary = np.random.default_rng(4), Vocabulary()
    calls = np.array([vocabulary.id(call) for call in "abcdef"])
    walks = [calls[random.integers(0, 6, 40)] for _ in range(60)]
    split = Split("x", *(TraceSet.of(walks[i : i + 20], vocabulary) for i in (0, 20, 40)))
    whole = evaluate(split, [judge.name])[judge.name]
    met: list[int] = []
    score = judge.score

    def counted(self: AtOnce, traces: TraceSet) -> np.ndarray:
        met.append(len(traces.calls))
        return score(self, traces)

    monkeypatch.setattr(judge, "score", counted)
    monkeypatch.setattr("oddcall.training.traces.detectors.detector.CHUNK", 100)
    found = evaluate(split, [judge.name])[judge.name]
    assert max(met) <= 100
    np.testing.assert_allclose(found.normal, whole.normal)
    assert found.threshold == pytest.approx(whole.threshold)


def test_intervals_do_not_count_copies_as_evidence() -> None:
    """Twenty copies of four traces say as little as four: the interval is wider than of eighty."""
    random, vocabulary = np.random.default_rng(3), Vocabulary()
    calls = np.array([vocabulary.id(call) for call in "abcdef"])
    walks = [calls[random.integers(0, 6, 40)] for _ in range(32)]

    def copied(some: list[np.ndarray]) -> TraceSet:
        return TraceSet.of(some * 20, vocabulary)

    split = Split("copies", copied(walks[:20]), copied(walks[20:26]), copied(walks[26:]))
    found = evaluate(split, ["isolation-forest"], resamples=300)["isolation-forest"]
    alone = measure(found.normal, found.attack, found.threshold, resamples=300)
    wide, narrow = (one.intervals["auc"] for one in (found, alone))
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_copies_do_not_lower_the_threshold() -> None:
    """Every trace given twice: the threshold is for new traces still, and keeps its promise."""
    random, vocabulary = np.random.default_rng(5), Vocabulary()
    calls = np.array([vocabulary.id(call) for call in "abcdefgh"])
    walks = [calls[random.integers(0, 8, 30)] for _ in range(150)]
    train, normal, attack = (
        TraceSet.of(part, vocabulary)
        for part in (walks[:60] * 2, walks[60:], [calls[:1].repeat(30)])
    )
    found = evaluate(Split("twice", train, normal, attack), ["views", "stide", "call-set"])
    assert all(result.fpr < 0.15 for result in found.values())


@pytest.mark.parametrize(
    ("different", "copies", "said"),
    [
        (1, 10, r"too few traces to learn from; expected at least 5 that differ; got 1 among 10\."),
        (4, 1, r"too few traces to learn from; expected at least 5 that differ; got 4\."),
        (
            5,
            2,
            r"hold one out as normal; expected at least 6 that differ; got 5 among 10\.",
        ),
        (6, 1, None),
    ],
)
def test_copies_alone_are_too_few_and_that_is_said(
    different: int, copies: int, said: str | None, tmp_path: Path
) -> None:
    """Where nothing is left to hold out, what is missing is named: traces that differ."""
    for i in range(different * copies):
        (tmp_path / "train").mkdir(exist_ok=True)
        (tmp_path / "train" / f"{i}").write_text("3 4 5 6 " * (i % different + 1))
    (tmp_path / "attack").write_text("59 59")
    split = read_split(tmp_path / "train", None, tmp_path / "attack", "file")
    if said is None:
        assert len(evaluate(split, ["stide"])["stide"].normal) == 1
    else:
        with pytest.raises(EvidenceError, match=said):
            evaluate(split, ["stide"])


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
    beside = {"intervals", "attacks", "traces", "read", "caveats"}
    assert set(found) == {"default", "detectors", *beside}
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
    assert f"the default is {DEFAULT}." in file.read_text()
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
    assert "\n* the default. The range is 95 %" in answer.stdout
    assert max(map(len, answer.stdout.splitlines())) <= 80
    assert "read as: one file a trace" in answer.stdout


def test_a_detector_that_is_not_the_default_is_not_called_so(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """Where the default was not named, the first that was stands in front, and it is said."""
    file = tmp_path / "report.html"
    answer = invoke(folders, "--detector", "stide", "--detector", "order", "--html", str(file))
    assert "\n* the first that was named. The range is 95 %" in answer.stdout
    assert "the first that was named is stide." in file.read_text()
    assert "the default" not in answer.stdout + file.read_text()


def test_what_is_held_out_or_empty_is_said(folders: dict[str, Path]) -> None:
    """Without --normal the table says whose the normal traces are, and which files were empty."""
    (folders["train"] / "empty").write_text("")
    del folders["normal"]
    answer = invoke(folders, "--detector", "stide")
    assert answer.exit_code == 0, answer.output
    assert "40 learned from, 20 normal" in answer.stdout
    assert "normal: held out of --train" in answer.stdout
    assert "empty: 1 file without a call" in answer.stdout


def test_a_few_traces_are_judged_by_what_can_learn_of_them(folders: dict[str, Path]) -> None:
    """Of 7 traces all learn but the live detectors, and that is said; asked for, they refuse."""
    for file in sorted(folders["train"].rglob("*.txt"))[7:]:
        file.unlink()
    answer = invoke(folders, "--json")
    assert answer.exit_code == 0, answer.output
    assert set(json.loads(answer.stdout)["detectors"]) == set(DETECTORS) - {"windows"}
    assert "windows is left out: it learns from 10 traces or more, and there are 7" in answer.stderr
    asked = invoke(folders, "--json", "--detector", "stide")
    assert "left out" not in asked.stderr
    refused = invoke(folders, "--detector", "windows").exception
    assert isinstance(refused, EvidenceError)
    assert "too few traces for windows" in str(refused)


def test_what_a_threshold_cannot_promise_is_said(folders: dict[str, Path]) -> None:
    """With fewer than 19 different traces, however many copies, nothing is promised."""
    for i, file in enumerate(sorted(folders["train"].rglob("*.txt"))):
        file.write_text("openat read close" + " read" * (i % 18))
    assert "Only 18 different traces" in invoke(folders, "--detector", "stide").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "no --train"),
        (["--data", "x"], 2, "--set NAME"),
        (["--set", "adfa-833", "--layout", "line"], 2, "both"),
        (["--train", "x", "--html", "/nowhere/x.html"], 7, "the folder does not exist"),
        (["--train", "x", "--html", "/dev"], 7, "not a file"),
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
    assert found.auc >= 0.89
    assert found.detected[0.05] >= 0.44
