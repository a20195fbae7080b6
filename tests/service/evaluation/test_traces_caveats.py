"""What bounds figures of traces, and how the traces were read: said in all three forms alike."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from oddcall.models.errors import EvidenceError, SettingError
from oddcall.service.cli import cli
from oddcall.service.evaluation.traces_caveats import how_read, kept, warnings
from oddcall.service.evaluation.traces_page import write
from oddcall.service.evaluation.traces_text import as_dict, table
from oddcall.training.figures import measure
from oddcall.training.traces.evaluation import DEFAULT
from oddcall.training.traces.reading import read_split
from oddcall.training.traces.traces import Labelled, Split, TraceSet, Vocabulary

LABELS = ["Benign", "normal", "0", "normal", "benign", "normal", "risky", "attack", "DoS 2", "nan"]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_what_each_label_was_taken_for_is_said(tmp_path: Path) -> None:
    """By word and how often, in the terminal, in JSON and on the page; none is passed over."""
    rows = [f"read close{' read' * i},{label}" for i, label in enumerate(LABELS)]
    (tmp_path / "t.csv").write_text("\n".join(["trace,label", *rows]))
    words = ["evaluate", "traces", "--detector", "stide", "--train", str(tmp_path / "t.csv")]
    answer = CliRunner().invoke(cli, [*words, "--html", str(tmp_path / "x.html")])
    assert answer.exit_code == 0, answer.output
    said = (
        'labels: normal 6 (normal 3, benign 2, "0" 1), attack 3 (risky 1, attack 1, "dos 2" 1), '
        "no label 1 (nan 1)"
    )
    assert said in flat(answer.stdout)
    assert max(len(line) for line in answer.stdout.splitlines() if "wrote" not in line) <= 80
    assert escape(said[1:]) in (tmp_path / "x.html").read_text()
    found = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)
    assert said in found["read"]
    (split,) = found["traces"]
    assert sum(one["traces"] for one in split["labels"]) == len(LABELS)
    assert {one["label"]: one["taken_for"] for one in split["labels"]} == {
        **dict.fromkeys(("normal", "benign", "0"), "normal"),
        **dict.fromkeys(("risky", "attack", "dos 2"), "attack"),
        "nan": None,
    }


def test_labels_that_name_kinds_make_a_table_of_them(tmp_path: Path) -> None:
    """The labels of attacks are their kinds, and the first line says how many calls were read."""
    rows = [
        f"read close{' read' * i},{label}"
        for i, label in enumerate(["idle"] * 9 + ["worm", "scan"] * 2)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["calls,type", *rows]))
    words = ["evaluate", "traces", "--detector", "stide", "--train", str(tmp_path / "t.csv")]
    answer = CliRunner().invoke(cli, [*words, "--normal-label", "IDLE"])
    assert answer.exit_code == 0, answer.output
    calls = sum(range(2, 15))
    assert f"traces: 6 learned from, 3 normal, 4 attacks; {calls} calls\n" in answer.stdout
    lines = answer.stdout.split("by kind of attack")[1].splitlines()
    assert {line.split()[0] for line in lines[2:4]} == {"scan", "worm"}


def test_a_file_of_beth_is_told_what_to_type(tmp_path: Path) -> None:
    """The set is of a folder; a file of it may be judged by its own labels."""
    file = tmp_path / "labelled_training_data.csv"
    file.write_text("processId,eventName,evil\n1,read,0\n")
    words = ["evaluate", "traces", "--set", "beth", "--data", str(file)]
    with pytest.raises(SettingError, match=f"--data {tmp_path}, .*--train {file}"):
        CliRunner().invoke(cli, words, catch_exceptions=False)


def test_a_process_is_counted_under_the_label_that_decided(tmp_path: Path) -> None:
    """Of a table with a call a row each process counts once, by its gravest label."""
    processes = [("good", "-"), ("", "worm"), ("good", "worm"), ("-", ""), ("good", "good")]
    rows = [f"{pid},read,{label}" for pid, both in enumerate(processes) for label in both]
    (tmp_path / "t.csv").write_text("\n".join(["pid,syscall,label", *rows]))
    split = read_split(tmp_path / "t.csv", None, None)
    assert set(split.labelled) == {
        Labelled("good", False, 2),
        Labelled("worm", True, 2),
        Labelled("-", None, 1),
    }
    assert 'labels: normal 2 (good 2), attack 2 (worm 2), no label 1 ("-" 1)' in how_read(split)


def test_nothing_is_said_of_labels_where_there_is_none(tmp_path: Path) -> None:
    """Traces in files of their own have no label, and no line is of them."""
    for name in ("a", "b"):
        (tmp_path / name).write_text("read close")
    split = read_split(tmp_path / "a", None, tmp_path / "b", "line")
    assert split.labelled == ()
    assert not [line for line in how_read(split) if line.startswith("labels")]


def test_one_is_no_plural(tmp_path: Path) -> None:
    """One attack, one file and one trace are said so, in the head of the table and in caveats."""
    for name, count in (("normal", 8), ("attack", 1)):
        (tmp_path / name).mkdir()
        for i in range(count):
            (tmp_path / name / f"{i}").write_text(f"read {'close ' * (i + 1)}")
    words = ["evaluate", "traces", "--detector", "stide", "--train", str(tmp_path / "normal")]
    answer = CliRunner().invoke(cli, [*words, "--attack", str(tmp_path / "attack")])
    assert answer.exit_code == 0, answer.output
    assert re.search(r"\d normal, 1 attack; ", answer.stdout)
    split = read_split(tmp_path / "normal", None, tmp_path / "attack")
    cut = replace(split.train, unread=1, cut=1)
    said = " ".join(warnings(replace(split, train=cut), ["stide"]))
    assert "and 1 file was not: " in said
    assert "of 1 trace to learn from only" in said
    (tmp_path / "attack" / "0").write_text("")
    with pytest.raises(EvidenceError, match="got one file, empty"):
        read_split(tmp_path / "normal", None, tmp_path / "attack")


@pytest.mark.parametrize("different", [6, 30])
def test_the_page_and_json_say_whatever_the_terminal_says(different: int, tmp_path: Path) -> None:
    """Samples, long traces, empty files, strange names, broken promises: nothing is dropped."""
    vocabulary = Vocabulary()
    known, strange = vocabulary.id("read"), vocabulary.id("<odd> & new")
    traces = TraceSet.of([np.array([known] * (i + 1) + [strange]) for i in range(different)],
                         vocabulary)  # fmt: skip
    traces = replace(traces, unread=12, cut=3, empty=2, read_as=("joined", "row"))
    split = Split("traces", traces, replace(traces, read_as=("row",)), traces, held_out=True)
    result = measure(np.arange(20.0), np.arange(20.0) + 1, 5.0)
    results, kinds = {DEFAULT: result}, {DEFAULT: {}}
    said = [*how_read(split), *warnings(split, ()), *kept(result, DEFAULT, traces)]
    assert len(said) == 5 + (2 if different < 10 else 1) + 6 + 1
    write(tmp_path / "x.html", [split], results, kinds, DEFAULT)
    page = (tmp_path / "x.html").read_text()
    assert [line for line in said if escape(line[1:]) not in page] == []
    found = as_dict([split], results, kinds, DEFAULT)
    assert found["read"] + found["caveats"] == said
    printed = " ".join("\n".join(table([split], results, kinds, DEFAULT)).split())
    assert [line for line in said if line not in printed and line not in warnings(split, ())] == []
