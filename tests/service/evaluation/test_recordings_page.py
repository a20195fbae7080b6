"""Promises of the page of ``evaluate recordings``, and of what it has in common with the table."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from oddcall.models.bundle.bundle import load_bundle
from oddcall.service.cli import run
from oddcall.service.config.settings import AlertSection
from oddcall.service.evaluation.recordings import evaluate as judge
from oddcall.service.evaluation.recordings_page import write
from oddcall.service.evaluation.recordings_text import as_dict, table, what_was_judged
from oddcall.training.fit import FitSettings
from oddcall.training.labels import read_labels
from oddcall.training.lake import lake
from oddcall.training.recording_figures import separated
from oddcall.training.splits import Fold

from .conftest import evaluate


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


def test_of_several_hosts_each_attack_names_its_own(unknown, tmp_path):
    """JSON, table and page say whose attack it is, and no strip holds two hosts' windows."""
    found = as_dict(unknown, "by one program", {})
    assert {(a["name"], a["host"]) for a in found["attacks"]} == {
        (name, host)
        for name in ("shell", "shell-child", "scan", "rewrite")
        for host in ("web1", "web2")
    }
    assert all(attack["start"] < attack["end"] for attack in found["attacks"])
    lines = list(table(unknown, "by one program", {}))
    assert max(map(len, lines)) <= 80
    assert sum(line.split()[:2] == ["scan", "web2"] for line in lines) == 1
    write(tmp_path / "report.html", unknown, "by one program", {})
    words = Page((tmp_path / "report.html").read_text()).words
    strips = [word for word in words if word.startswith("python3.11 on ")]
    assert sorted(strips) == [f"python3.11 on {name}" for name in ("web1", "web2")]


def test_a_program_without_a_baseline_has_words_and_no_chart(unknown, tmp_path):
    """Where nothing was held against a baseline no empty plot is drawn: the page says why."""
    write(tmp_path / "report.html", unknown, "by one program", {})
    page = (tmp_path / "report.html").read_text()
    shown = re.findall(r"<figure>.*?</figure>", page)
    assert len(shown) >= 2
    for figure in shown:
        assert "<svg" not in figure
        assert "Not judged: it was not met in what was learned from, or too seldom." in figure


def test_strips_of_programs_of_one_path_are_told_apart(unknown, tmp_path):
    """Two units that run one interpreter have a caption each, and both say which path it is."""
    programs = tuple(
        replace(program, exe="/usr/bin/python3.11", ino=1, unit=f"{program.name}.service")
        for program in unknown.judged.programs
    )
    judged = replace(unknown.judged, programs=programs)
    write(tmp_path / "report.html", replace(unknown, judged=judged), "by one program", {})
    page = (tmp_path / "report.html").read_text()
    captions = re.findall(r"<figcaption><b>(.*?)</b> (.*?)</figcaption>", page)
    names = [name for name, _ in captions]
    assert len(set(names)) == len(names) > 2
    assert all(re.fullmatch(r"python3.11 \([\w.]+\.service\) on web[12]", name) for name in names)
    assert all(about.startswith("/usr/bin/python3.11. ") for _, about in captions)


def test_what_was_not_judged_of_a_program_is_said_beside_its_chart(small_lake, bundle, tmp_path):
    """Some windows without a baseline, others of one that may not alert: each with its number."""
    path = tmp_path / "report.html"
    words = ("--model", bundle, "--test", small_lake.later("web1"), "--labels", small_lake.labels)
    assert run(["evaluate", "recordings", *map(str, words), "--html", str(path)]) == 0
    figures = re.findall(r"<figure>.*?</figure>", path.read_text())
    assert not [figure for figure in figures if "Not judged" in figure]
    sources = lake([small_lake.later("web1")])
    fold = Fold("by the model given", lambda _, b: np.zeros(len(b), bool),
                lambda _, b: np.ones(len(b), bool))  # fmt: skip
    model = load_bundle(bundle)
    found = judge(sources, read_labels(small_lake.labels), [fold], model, FitSettings(),
                  AlertSection(), lambda *_: None)  # fmt: skip
    judged = found.judged
    first = np.arange(len(judged)) < len(judged) // 2
    found.judged = replace(judged, known=~first, ready=np.zeros(len(judged), bool))
    write(path, found, "by the model given", {})
    (figure, *_) = re.findall(r"<figure>.*?</figure>", path.read_text())
    assert "<svg" in figure
    assert re.search(r"Not judged [\d,]+ of [\d,]+ windows: it was not met", figure)
    assert (
        "windows: neither a settled baseline nor enough programs like it vouch, so it may not"
        in figure
    )


def test_the_page_says_what_the_terminal_says_of_what_was_judged(unknown, tmp_path):
    """How many windows are without a baseline, of which part: page and table have the sentence."""
    write(tmp_path / "report.html", replace(unknown, left_out=7), "by one program", {})
    page = (tmp_path / "report.html").read_text()
    said = list(what_was_judged(replace(unknown, left_out=7)))
    assert [line for line in said if f"{line}." not in page] == []
    assert any("7 windows in, across or just after the learned time left out" in s for s in said)
    assert any("without a baseline, not judged" in s for s in said)
    assert f"Learned from {unknown.learned:,} windows" in page


def test_a_small_rate_is_no_zero_on_the_page(small_lake, bundle, tmp_path):
    """Where some clean windows alert, the detectors' table does not say 0.000 of them."""
    sources = lake([small_lake.later("web1")])
    fold = Fold("by the model given", lambda _, b: np.zeros(len(b), bool),
                lambda _, b: np.ones(len(b), bool))  # fmt: skip
    found = judge(sources, read_labels(small_lake.labels), [fold], load_bundle(bundle),
                  FitSettings(), AlertSection(), lambda *_: None)  # fmt: skip
    results = separated(found.judged, resamples=10)
    (name, best) = next(iter(results.items()))
    write(tmp_path / "r.html", found, "split", {**results, name: replace(best, fpr=0.000213)})
    (head, row, *_) = re.findall(r"<tr.*?</tr>", (tmp_path / "r.html").read_text())
    assert "false, own threshold" in head
    assert "<td>0.00021</td>" in row
    assert "0.000</td>" not in row


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
