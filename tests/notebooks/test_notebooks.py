"""Notebooks run from top to bottom as they stand, show plots with labels, and claim what is so."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from oddcall.models.explanation import explanation as explanation_module
from oddcall.models.window import WindowBatch

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.py"))


def baseline(found: dict[str, Any]) -> None:
    assert found["false_alerts"] == 0
    assert found["at_five"] <= 0.05 * 1.5
    assert found["at_one"] < 0.01 / 1.5, "the text says that the curve leaves the band downwards"
    assert 0.01 < found["seldom"].max() < 0.05
    assert not len(found["often"])
    assert 1 <= min(found["oddest"]), "a tie with one that was kept at least"
    assert found["found"] == {"shell": True, "scan": True, "rewrite": True}


def recording(found: dict[str, Any]) -> None:
    assert found["frame"].t_start.dt.year.min() > 2000, "made windows have a date like real ones"
    assert found["nearest_is_own"] > 0.9
    assert not found["closest"] & {"python3.11", "redis-server"}
    assert found["held"] > 0.5


def evaluation(found: dict[str, Any]) -> None:
    assert not found["real"]
    results = found["results"]["made traces"]
    default = results[found["DEFAULT"]]
    assert default.auc > 0.9
    assert default.auc > results["isolation-forest"].auc
    assert set(results) == set(found["WANTED"]) >= {"stide", "kneser-ney", "autoencoder"}
    assert default.detected[0.05] > 0.8


def budget(found: dict[str, Any]) -> None:
    attacks, work, rest = ([kinds[name] for kinds in found["told"].values()]
                           for name in ("attacks", "ordinary work", "all else"))  # fmt: skip
    assert list(found["told"]) == [0.1, 1, 10, 100, 1000]
    assert attacks == [2, 2, 3, 3, 4], "what the text says of each step"
    assert work[:3] == [0, 1, 2]
    assert work[2] < work[3] < work[4]
    assert not any(rest)
    assert (np.diff(found["would"], axis=0) >= 0).all()
    alerts = [found["alerts"][f"budget={per_day}/day"] for per_day in ("0.1", "10", "100", "1000")]
    assert sorted(set(alerts)) == alerts, "budgets differ"


def explanation(found: dict[str, Any]) -> None:
    assert "connect" in found["why"].sentence
    assert [hint.technique for hint in found["why"].hints] == ["T1046"]
    assert found["why"].top[0].feature == "connect (share of calls)"
    assert found["why"].top[0].q95 == 0
    assert 0.9 < found["explained"] <= 1.001
    assert found["onset"] == 0
    assert min(found["by_detector"], key=found["by_detector"].get) == "novelty"
    assert len(found["why"].nearest_windows) == 3
    assert found["most"] < found["apart"] / 2 < found["NOTHING_SHARED"] / 2


CLAIMS: dict[str, Callable[[dict[str, Any]], None]] = {
    claim.__name__: claim for claim in (baseline, recording, evaluation, budget, explanation)
}


def unlabelled(figure: Figure) -> list[str]:
    """Panels of a figure that do not say what is drawn along an axis."""
    return [
        axes.get_title(loc="left") or "a panel"
        for axes in figure.axes
        if not (axes.get_xlabel() or axes.get_ylabel() or axes.images)
    ]


def test_every_notebook_is_tested() -> None:
    """There is a claim for each notebook, and the README names them all."""
    names = {path.stem for path in NOTEBOOKS}
    assert names == set(CLAIMS)
    told = (FOLDER / "README.md").read_text()
    assert all(f"`{name}.py`" in told for name in names)


@dataclass
class Run:
    """What a notebook left: its names, what it printed, what it drew."""

    found: dict[str, Any]
    said: list[str]
    drawn: list[Figure]

    @property
    def panels(self) -> list[Axes]:
        return [
            axes
            for figure in self.drawn
            for axes in figure.axes
            if axes.get_label() != "<colorbar>"
        ]


@pytest.fixture
def runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Run]:
    """Run a notebook from top to bottom, without a display and without the public sets."""
    drawn: list[Figure] = []

    def show() -> None:
        new = [plt.figure(number) for number in plt.get_fignums()]
        for figure in new:
            figure.canvas.draw()
        drawn.extend(new)
        plt.close("all")

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(plt, "show", show)
    monkeypatch.setenv("ODDCALL_DATASETS", "/nowhere")
    monkeypatch.delenv("ODDCALL_RECORDING", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(scratch))

    def run(name: str) -> Run:
        with mpl.rc_context():
            mpl.use("Agg")
            found = runpy.run_path(str(FOLDER / f"{name}.py"))
        assert not list(scratch.iterdir()), "left behind"
        return Run(found, capsys.readouterr().out.splitlines(), drawn)

    return run


@pytest.mark.parametrize("name", CLAIMS)
def test_a_notebook_runs(name: str, runs: Callable[[str], Run]):
    """Every cell runs, little is printed, nothing is left behind, every panel is labelled, and
    what it says is true."""
    run = runs(name)
    assert 2 <= len(run.said) <= 30
    assert max(map(len, run.said)) <= 100
    assert len(run.drawn) >= 2
    assert not [each for figure in run.drawn for each in unlabelled(figure)]
    assert all(axes.get_title(loc="left") for axes in run.panels)
    CLAIMS[name](run.found)


def test_what_is_no_share_does_not_flatten_the_shares(
    runs: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
):
    """Of an alert whose features are of several units only shares share an axis."""

    def with_rate(*seen: Any) -> explanation_module.Explanation:
        why = explain(*seen)
        rate = explanation_module.Feature("calls a second", 3316.0, 20.0, 60.0, 410.0, 0.0)
        return replace(why, top=[*why.top[:-1], rate])

    explain = explanation_module.explain
    monkeypatch.setattr(explanation_module, "explain", with_rate)
    run = runs("explanation")
    (panel,) = (a for a in run.panels if a.get_title(loc="left") == "What was unusual")
    assert panel.get_xlim()[1] <= 1
    assert len(panel.get_yticks()) == len(run.found["why"].top) - 1
    assert "calls a second: 3,316.0, typically 20.0 to 410.0" in run.said


def own_baseline(found: dict[str, Any]) -> None:
    assert found["found"] == {}, "attacks are of the made host"
    assert len(found["p"]) > 100
    assert found["at_five"] <= 0.05 * 1.5
    learned, later = WindowBatch.concat(found["learned"]), found["later"]
    assert learned.t_end_ns.max() < later.t_start_ns.min()
    assert {known.program for known in found["model"].programs} == set(learned.programs)


def own_recording(found: dict[str, Any]) -> None:
    assert found["nearest_is_own"] > 0.9
    assert len(found["frame"]) == len(found["batch"])


def own_budget(found: dict[str, Any]) -> None:
    assert not found["pids"], "what is done is of the made host"
    assert list(found["kinds"]) == ["this history"]
    learned, later = WindowBatch.concat(found["learned"]), found["whole"]
    assert learned.t_end_ns.max() < later.t_start_ns.min()
    assert {known.program for known in found["model"].programs} == set(learned.programs)
    assert len(found["alerts"]) == 6


@pytest.mark.parametrize(
    "claim",
    [own_baseline, own_recording, own_budget],
    ids=["baseline", "recording", "budget"],
)
def test_a_notebook_takes_a_recording_of_ones_own(
    claim: Callable[[dict[str, Any]], None],
    runs: Callable[[str], Run],
    small_lake: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    """It is learned from and judged by itself, later time by earlier; no attack of the made host
    is held against it."""
    monkeypatch.setenv("ODDCALL_RECORDING", str(small_lake.clean("web2")))
    run = runs(claim.__name__.removeprefix("own_"))
    assert "nan" not in " ".join(run.said)
    assert all(axes.get_title(loc="left") for axes in run.panels)
    claim(run.found)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_reads_as_one(path: Path):
    """It opens with a title, and no cell of code is without text near it."""
    cells = path.read_text().split("# %%")[1:]
    kinds = ["text" if cell.startswith(" [markdown]") else "code" for cell in cells]
    assert kinds[0] == "text"
    assert cells[0].splitlines()[1].startswith("# # ")
    assert kinds.count("text") >= 5
    assert all(before == "text" or after == "text" for before, after in pairwise(kinds))
