"""Promises of ``evaluate recordings --split program``: what barely met programs are worth."""

from __future__ import annotations

import json
import re
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oddcall.models.window import Program, WindowBatch
from oddcall.service.cli import run
from oddcall.service.evaluation.recordings_caveats import caveats
from oddcall.training.figures import measure
from oddcall.training.labels import Label, write_labels
from oddcall.training.recording import METADATA, RecordingWriter
from oddcall.training.synthetic import BEGAN_S, Chain, window

#: Seconds, and the two in which the first tool is attacked.
LENGTH, LOUD, USUAL = 160, 120, 140
#: What tools do: begin, and read, list, write, map, rename and the like in their own proportions.
BEGIN = (12, 9, -21, 257, 5, 9, 3, 257, 0, 5, 9, 3, 158, 10, 10)
PATHS = ((257, 5, 0, 3), (262,), (1,), (9, 11), (217,), (82,), (12,), (-257,), (33, 3), (74, 3))


def tools(folder: Path, count: int) -> Path:
    """Record so many alike tools; the first is attacked twice."""
    random = np.random.default_rng(1)
    chains = [
        Chain(
            Program(f"/usr/bin/tool{i}", 0x801, 100 + i, "work.service"),
            (BEGIN, *PATHS),
            (1, *random.gamma(1.0, size=len(PATHS)) + 0.05),
        )
        for i in range(count)
    ]
    odd = {
        # memfd_create, ptrace, bpf and setns: none of them has ever made one.
        LOUD: [319] * 5 + [101, -101] * 30 + [321] * 40 + [308] * 10,
        # Files renamed, as some of the others do all day.
        USUAL: [262, 82] * 150,
    }
    told = dict.fromkeys(METADATA, "made") | {"host_id": "a", "arch": "x86_64", "interval_s": "1"}
    with RecordingWriter(folder, told) as writer:
        for second in range(LENGTH):
            rows = []
            for i, chain in enumerate(chains):
                calls = chain.walk(int(random.uniform(300, 900)), random)
                if i == 0:
                    calls = np.concatenate([calls, np.array(odd.get(second, []), np.int64)])
                rows.append(window(chain, calls, second=second, pid=100 + i))
            writer.append(WindowBatch.concat(rows))
    return folder


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "labels.jsonl"
    begins = {"loud": (BEGAN_S + LOUD) * 10**9, "usual": (BEGAN_S + USUAL) * 10**9}
    write_labels(path, [Label(n, at, at + 10**9 - 1, pid=100) for n, at in begins.items()])
    return path


def evaluate(*words: object) -> str:
    """Give what is said on standard output."""
    with redirect_stdout(StringIO()) as said:
        assert run(["evaluate", "recordings", "--split", "program", *map(str, words)]) == 0
    return said.getvalue()


@dataclass(frozen=True)
class Answers:
    """What is said of the twelve tools: to a machine, to people, and on a page."""

    words: tuple[object, ...]
    machine: str
    people: str
    page: str

    @property
    def found(self) -> dict[str, Any]:
        return json.loads(self.machine)


@pytest.fixture(scope="module")
def answers(labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Five models are learned for each: once for all the tests."""
    folder = tmp_path_factory.mktemp("answers")
    words = ("--test", tools(folder / "twelve", 12), "--labels", labels)
    people = evaluate(*words, "--html", folder / "page.html")
    return Answers(words, evaluate(*words, "--json"), people, (folder / "page.html").read_text())


def test_what_nobody_ever_did_is_found_and_what_its_like_do_is_not(answers):
    """By programs like it powers that none of them took alert; the work of others does not.

    All of it is the same when it is done again.
    """
    assert evaluate(*answers.words, "--json") == answers.machine
    found = answers.found
    attacks = {attack["name"]: attack for attack in found["attacks"]}
    assert attacks["loud"]["found"]
    assert attacks["loud"]["p_value"] < 1e-12
    assert attacks["usual"]["judged"]
    assert not attacks["usual"]["found"]
    assert attacks["usual"]["p_value"] > 1e-3
    assert (found["recall"]["count"], found["recall"]["of"]) == (1, 2)
    assert (found["alerts"]["false"], found["alerts"]["true"]) == (0, 1)
    met = found["barely_met"]
    assert (met["few"], met["programs"], met["by_like"]) == (10, 12, 12)
    assert (met["unvouched"], met["unknown"]) == (0, 0)
    assert met["alerts_from"] < met["least_p"]
    assert len(found["models"]) == len(set(found["models"])) == 5
    counts = found["windows"]
    # Of every program 10 are learned and those of the pause left out; the others judge it.
    assert counts["judged"] + counts["left_out"] == 12 * (LENGTH - 10)
    assert counts["clean"] == counts["judged"] - counts["left_behind"] - counts["attack"]
    # Four models learn all of a program but what was attacked, and one its first 10 windows: as
    # what is judged is counted, a window is one, in however many models.
    odd = counts["attack"] + counts["left_behind"]
    assert odd > 2
    assert counts["learned"] == 12 * LENGTH - odd


def test_so_few_windows_of_attacks_are_said_to_tell_little(answers):
    """In every form of the answer; windows learned from count once in all models together."""
    found = answers.found
    few = found["windows"]["attack"]
    said = f"Only {few} windows of attacks: AUC, AP and what is found of so few tell little of"
    assert few < 20
    assert found["caveats"][0].startswith(said)
    learned = (
        f"earned from {found['windows']['learned']:,} windows (each counted once, in 5 models)"
    )
    enough = measure(np.zeros(9), np.ones(20), 0.5)
    assert [*caveats({"any": enough}, [], None)] == []
    for whole in (" ".join(answers.people.split()), answers.page):
        assert said in whole
        assert learned in whole


def test_people_are_told_who_was_judged_and_how(answers):
    """Table and page say how many programs were judged by those like them, and after how much."""
    out, text = answers.people, answers.page
    lines = out[out.index("split by program") : out.index("wrote ")].splitlines()
    assert max(map(len, lines)) <= 80
    for said in (
        "5 models: each judged programs of which it learned the first 10 windows only",
        "12 programs: 12 judged by programs like them",
    ):
        assert said in lines
        assert said in text
    least = r"^0\.\d+ is the least p of a clean window, alerts are from \d\.\de-0\d$"
    assert re.search(least, out, re.MULTILINE)
    assert "<b>12 of 12</b>" in text
    # Where no clean window got so small a p-value, drawing them again gives no range.
    assert re.search(r"^  range +- +- +- +-$", out, re.MULTILINE)
    assert "<span>0 to 0</span>" not in text
    assert re.search(r"<span>of [\d,]+ clean windows</span>", text)


def test_whom_too_few_vouch_for_is_shown_and_not_judged(labels, tmp_path):
    """Of nine programs only the one that is alone in its fold has eight others: it is judged."""
    nine = tools(tmp_path / "nine", 9)
    words = ("--test", nine, "--labels", labels, "--html", tmp_path / "page.html")
    out = evaluate(*words)
    assert "9 programs: 1 judged by programs like them, 8 not judged (fewer than 8" in out
    assert "attacks       2 not judged: without a settled baseline" in out
    assert "nor enough programs like it vouch, so it may" in (tmp_path / "page.html").read_text()


def test_too_few_programs_are_refused_by_words(tmp_path, capsys):
    """Where nobody could be judged no model is trained to say so of every window."""
    eight = tools(tmp_path / "eight", 8)
    assert run(["evaluate", "recordings", "--split", "program", "--test", str(eight)]) == 8
    told = capsys.readouterr().err
    assert "there are too few programs to judge one by those like it" in told
    assert "Name more recordings, or use --split time." in told
    assert "Traceback" not in told
