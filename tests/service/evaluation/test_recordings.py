"""Promises of ``evaluate recordings``: what it finds in a made lake, and how it says so."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from oddcall.service.cli import run
from oddcall.training.labels import read_labels
from oddcall.training.parts import read_metadata
from oddcall.training.recording import RecordingWriter, read_batches


def evaluate(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert run(["evaluate", "recordings", *map(str, words)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def bundle(small_lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the first host's clean recording."""
    path = tmp_path_factory.mktemp("bundle") / "web1.oddcall"
    assert run(["train", str(small_lake.clean("web1")), "-o", str(path)]) == 0
    return path


def test_attacks_are_found_and_clean_time_is_quiet(small_lake, bundle, capsys):
    """By a model, later time of its host: each attack found within a second, nothing else."""
    found = json.loads(
        evaluate(
            capsys,
            "--model",
            bundle,
            "--test",
            small_lake.later("web1"),
            "--labels",
            small_lake.labels,
            "--json",
        )
    )
    assert found["windows"]["learned"] == 0
    assert found["windows"]["without_baseline"] == 0
    assert found["alerts"]["false"] == 0
    assert found["alerts"]["true"] > 0
    assert found["recall"]["count"] == found["recall"]["of"] == 4
    assert {attack["name"] for attack in found["attacks"]} == {
        "shell",
        "shell-child",
        "scan",
        "rewrite",
    }
    for attack in found["attacks"]:
        assert attack["found"]
        assert 0 <= attack["delay_s"] <= 2
        assert attack["needs_fpr"] == 0
        assert attack["p_value"] < 1e-6
    best = found["detectors"][found["default"]]
    low, high = best["intervals"]["auc"]
    assert low <= best["auc"] <= high
    assert found["found_at_fpr"] == {"0.01": 1.0, "0.05": 1.0, "0.10": 1.0}
    low, high = found["alerts"]["false_per_host_day"]["interval"]
    assert low == 0 < high
    for row in found["calibration"]:
        assert row["realised"] <= 1.5 * row["promised"]
        assert row["between"]["low"] <= row["realised"] <= row["between"]["high"]


def test_no_window_is_lost_or_counted_twice(small_lake, capsys):
    """Split by host, every window is judged once, and each host's attacks are found."""
    found = json.loads(
        evaluate(
            capsys,
            "--split",
            "host",
            "--test",
            small_lake.root,
            "--labels",
            small_lake.labels,
            "--json",
        )
    )
    counts = found["windows"]
    labels = read_labels(small_lake.labels)
    assert len(found["models"]) == len(set(found["models"])) == 2
    assert len(found["attacks"]) == len(labels) == 8
    assert all(attack["found"] for attack in found["attacks"])
    assert sum(program["windows"] for program in found["programs"]) == counts["judged"]
    # Learned from and judged: everything once, but what attacks touched is not learned from.
    assert counts["judged"] - 60 < counts["learned"] < counts["judged"]
    assert counts["left_out"] == 0


def test_windows_between_learning_and_judging_are_told(small_lake, capsys):
    """Split by time, windows across the two parts are neither, and their number is said."""
    words = ("--split", "time", "--test", small_lake.clean("web1"))
    counts = json.loads(evaluate(capsys, *words, "--json"))["windows"]
    whole = sum(map(len, read_batches(small_lake.clean("web1"))))
    assert counts["left_out"] > 0
    assert counts["learned"] + counts["judged"] + counts["left_out"] == whole
    said = f"{counts['left_out']:,} windows across the learned and the judged time left out"
    assert said in evaluate(capsys, *words)


def test_two_recorders_of_one_time_are_one_host_day(small_lake, tmp_path, capsys):
    """What two recordings of a host share counts once: alerts a day are no fewer for it."""
    later = small_lake.later("web1")
    with RecordingWriter(tmp_path / "beside", read_metadata(later)) as writer:
        for batch in read_batches(later):  # a recorder whose ticks come a little later
            writer.append(replace(batch, t_end_ns=batch.t_end_ns + 1_000_000))
    words = ("--split", "time", "--json", "--test", later)
    alone = json.loads(evaluate(capsys, *words))["alerts"]
    both = json.loads(evaluate(capsys, *words, "--test", tmp_path / "beside"))["alerts"]
    assert both["host_days"] == pytest.approx(alone["host_days"], rel=0.1)


def test_programs_that_were_never_met_are_unknown(small_lake, capsys):
    """Split by program, oddcall says that it knows none of them, and alerts on nothing."""
    found = json.loads(
        evaluate(
            capsys,
            "--split",
            "program",
            "--test",
            small_lake.root,
            "--labels",
            small_lake.labels,
            "--json",
        )
    )
    assert found["windows"]["without_baseline"] == found["windows"]["judged"]
    assert found["alerts"]["false"] == found["alerts"]["true"] == 0
    assert found["recall"]["count"] == 0
    assert found["detectors"] == {}


class Page(HTMLParser):
    """What a page loads, and the text of its headings and cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [v or "" for k, v in attrs if k in {"src", "href", "xlink:href"}]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_people_get_a_table_and_a_page(small_lake, tmp_path, capsys):
    """The table fits 80 columns; the page names every attack and loads nothing from elsewhere."""
    out = evaluate(
        capsys,
        "--train",
        small_lake.clean("web2"),
        "--test",
        small_lake.later("web2"),
        "--labels",
        small_lake.labels,
        "--html",
        tmp_path / "report.html",
    )
    said = out[out.index("by the recordings given") : out.index("wrote ")]
    lines = said.splitlines()
    assert max(map(len, lines)) <= 80
    assert "attacks       4 of 4 found" in out
    assert re.search(r"^scan +\d+ +\S+ +yes", out, re.MULTILINE)
    text = (tmp_path / "report.html").read_text()
    page = Page(text)
    assert not page.loads
    assert "script" not in page.tags
    assert "url(" not in text
    assert {"shell", "scan", "rewrite", "Promises", "Over time"} <= set(page.words)
    assert page.tags.count("svg") >= 6


def test_without_labels_it_measures_promises(small_lake, bundle, capsys):
    """Everything is taken as clean: what was done shows as false alerts."""
    out = evaluate(capsys, "--model", bundle, "--test", small_lake.later("web1"))
    assert "p-values on clean windows" in out
    assert not re.search(r"^attack", out, re.MULTILINE)
    assert "false alerts  0" not in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--test", "{later}"], 2, "none of them"),
        (["--test", "{later}", "--split", "time", "--model", "{bundle}"], 2, "--model and --split"),
        (["--test", "{clean}", "--train", "{clean}"], 2, "the same one"),
        (["--test", "{clean}", "--model", "{bundle}"], 2, "of the time that was learned from"),
        (["--test", "{later}", "--split", "host"], 2, "at least two"),
        (["--test", "{later}", "--split", "time", "--labels", "/nowhere"], 2, "/nowhere"),
        (["--test", "/nowhere", "--split", "time"], 5, "/nowhere"),
    ],
)
def test_what_would_leak_or_cannot_be_is_refused(
    words: list[str], code: int, said: str, small_lake, bundle, capsys
):
    """A wrong command line ends with the promised exit code and one sentence."""
    places = {
        "later": small_lake.later("web1"),
        "clean": small_lake.clean("web1"),
        "bundle": bundle,
    }
    assert run(["evaluate", "recordings", *(word.format(**places) for word in words)]) == code
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told
