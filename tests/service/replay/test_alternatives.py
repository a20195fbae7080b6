"""Promises of ``replay --what-if``: each way is judged as if it were the only one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from oddcall.models.bundle import load_bundle
from oddcall.models.errors import SettingError
from oddcall.models.window import WindowBatch
from oddcall.service.cli import run
from oddcall.service.replay.alternatives import AS_IT_IS, parse
from oddcall.training import lake, parts, recording, summary
from oddcall.training.fit import FitSettings, fit
from oddcall.training.recording import read_batches
from oddcall.training.synthetic import REDIS, window


@pytest.fixture(scope="module")
def bundles(small_lake, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models of both hosts' clean recordings, and of the first with another budget."""
    folder = tmp_path_factory.mktemp("bundles")
    for name, host, budget in (("one", "web1", "1"), ("two", "web2", "1"), ("five", "web1", "5")):
        words = [str(small_lake.clean(host)), "-o", str(folder / name), "--budget", f"{budget}/day"]
        assert run(["train", *words]) == 0
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What people said of alerts of this host is no part of a test."""
    monkeypatch.setenv("ODDCALL_STATE_DIR", str(tmp_path / "state"))


def test_what_is_asked_is_understood():
    """Commas and repeated flags separate ways, a plus joins them, and as it is comes first."""
    found = parse(["budget=5/week, interval=10s", "model=a.oddcall+budget=2/day,interval=10s"])
    assert found[0] is AS_IT_IS
    assert [way.name for way in found[1:]] == [
        "budget=5/week",
        "interval=10s",
        "model=a.oddcall+budget=2/day",
    ]
    assert found[1].budget.per_day == pytest.approx(5 / 7)
    assert found[2].interval_s == 10
    assert (found[3].model, found[3].budget.per_day) == (Path("a.oddcall"), 2)


@pytest.mark.parametrize(
    "text", ["", ",", "budget", "budget=0/day", "interval=-1s", "interval=0s", "model=", "x=1",
             ",".join(f"budget={n}/day" for n in range(1, 10))],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(text: str):
    """Anything else says what is understood."""
    with pytest.raises(SettingError, match="budget=5/day") as caught:
        parse([text])
    assert ("0.1/week for very few" in str(caught.value)) == (text in {"budget", "budget=0/day"})


def test_another_budget_is_that_of_training(bundles, small_lake):
    """A model given another budget judges as one that was trained for it."""
    one, five = load_bundle(bundles["one"]), load_bundle(bundles["five"])
    changed = one.for_budget(5.0)
    assert changed.threshold == pytest.approx(five.threshold)
    assert changed.expected_alerts_per_day == pytest.approx(five.expected_alerts_per_day)
    for ours, theirs in zip(changed.programs, five.programs, strict=True):
        assert ours.expected_alerts_per_day == pytest.approx(theirs.expected_alerts_per_day)
    batch = WindowBatch.concat(list(read_batches(small_lake.later("web1"))))
    ours, theirs = changed.judge(batch), five.judge(batch)
    assert (ours.alert == theirs.alert).all()
    assert (ours.p_value == one.judge(batch).p_value).all()


def test_a_budget_that_was_cut_off_is_not_overspent():
    """Where the laxest threshold held a budget back, a smaller one asks as much or more."""
    random = np.random.default_rng(0)
    ticks = [window(REDIS, REDIS.walk(200, random), second=60.0 * i, pid=101) for i in range(120)]
    lax, strict = (fit(ticks, FitSettings(budget_per_day=budget)) for budget in (1000.0, 0.5))
    assert lax.threshold == 0.01
    again = lax.for_budget(0.5)
    assert strict.threshold / 2 < again.threshold <= strict.threshold
    assert again.expected_alerts_per_day == pytest.approx(0.5)


def compare(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert run(["replay", *map(str, words)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_each_way_is_judged_as_if_alone(bundles, small_lake, capsys):
    """Alerts side by side are those that each replay by itself gives."""
    later = small_lake.later("web1")
    ways = f"budget=5/day,model={bundles['two']},interval=5s,budget=5/day+interval=5s"
    told = compare(capsys, later, "--model", bundles["one"], "--what-if", ways, "--json")
    found = json.loads(told)["alternatives"]
    assert [way["name"] for way in found] == ["as it is", *ways.split(",")]
    for way, bundle in ((found[0], "one"), (found[1], "five"), (found[2], "two")):
        alone = json.loads(compare(capsys, later, "--model", bundles[bundle], "--json"))
        assert way["alerts"] == alone["alerts"] > 0
        assert way["windows"] == alone["windows"]
        assert way["lines"] == alone["lines"]
        assert sum(way["by_program"].values()) == sum(way["by_day"].values()) == way["alerts"]
        assert set(way["by_program"]) == {"/usr/bin/python3.11"}
    assert found[3]["windows"] < found[0]["windows"]
    assert found[3]["budget_per_day"] == found[0]["budget_per_day"] == 1
    assert found[4]["threshold"] == found[1]["threshold"]
    assert found[4]["windows"] == found[3]["windows"]


def test_what_is_open_at_the_end_is_closed(bundles, small_lake, capsys, monkeypatch):
    """The lines of a way are those of a replay, with the one that closes each alert."""
    monkeypatch.setenv("ODDCALL_ALERTS_QUIET", "1h")
    words = (small_lake.later("web1"), "--model", bundles["one"], "--json")
    alone = json.loads(compare(capsys, *words))
    (way, _) = json.loads(compare(capsys, *words, "--what-if", "budget=5/day"))["alternatives"]
    assert way["lines"] == alone["lines"] >= 2 * alone["alerts"] > 0


@pytest.mark.parametrize("more", [(), ("--what-if", "budget=5/day")])
def test_a_recording_is_asked_once_what_it_is(
    bundles, small_lake, capsys, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
):
    """What it says of itself is read once; of when it is, what was gone through tells."""
    asked: list[Path] = []
    read = parts.read_metadata

    def counted(path: Path) -> dict[str, str]:
        asked.append(path)
        return read(path)

    for module in (parts, recording, lake, summary):
        monkeypatch.setattr(module, "read_metadata", counted)
    later = small_lake.later("web1")
    compare(capsys, later, "--model", bundles["one"], *more)
    assert asked == [later]


def test_people_get_columns(bundles, small_lake, capsys):
    """The comparison fits 80 columns, gives no rate for minutes, and says what to beware of."""
    out = compare(
        capsys, small_lake.clean("web1"), "--model", bundles["one"],
        "--what-if", "budget=5/day,interval=10s", "--what-if", "budget=1/week",
    )  # fmt: skip
    table = out[out.index("   what if") :]
    assert max(map(len, table.splitlines())) <= 80
    assert "A  as it is" in table
    assert "D  budget=1/week" in table
    words = " ".join(table.split())
    assert "say little of a day" in words
    assert "learned from a part of this time" in words
    assert "train one at the other interval" in words


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--what-if", "budget=many"], 2, "budget=many"),
        (["--what-if", "interval=10ms"], 2, "cannot be cut"),
        (["--what-if", "model=/nowhere"], 6, "/nowhere"),
        (["--what-if", "budget=5/day", "--alerts", "x.jsonl"], 2, "writes no alerts"),
    ],
)
def test_what_cannot_be_is_refused(words, code, said, bundles, small_lake, capsys):
    """A wrong command line ends with the promised exit code and one sentence."""
    later = str(small_lake.later("web1"))
    assert run(["replay", later, "--model", str(bundles["one"]), *words]) == code
    assert said in capsys.readouterr().err
