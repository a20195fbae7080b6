"""Promises of traces in tables: columns, labels, and rows of a call or of a trace."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from oddcall.models.errors import RecordingError
from oddcall.training.traces.apart import traces_of
from oddcall.training.traces.reading import read_split
from oddcall.training.traces.traces import Vocabulary

from .written import everything, put, read, words


def test_labels_of_a_table_say_what_is_an_attack(tmp_path: Path) -> None:
    """A row a trace: normal ones are learned from and a third of them judged, attacks judged."""
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(["Sequence", "Label"])
    for i in range(30):
        rows.writerow([f"3 {i} 4", "normal"])
        rows.writerow([f"5 {i}", "DoS"])
    split = read_split(put(tmp_path / "all.csv", table.getvalue()), None, None)
    assert [len(part) for part in (split.train, split.normal, split.attack)] == [20, 10, 30]
    assert split.held_out
    assert split.train.read_as == ("row",)
    assert {words(split.attack, i)[0] for i in range(30)} == {"5"}


def test_traces_in_rows_are_seen_wherever_they_begin(tmp_path: Path) -> None:
    """A table sorted by length has rows of one call first; each is a trace all the same."""
    text = "sequence,label\n" + "read,normal\n" * 3_000 + "open read write close,normal\n"
    found = read(put(tmp_path / "a.csv", text))
    assert (found.read_as, len(found)) == (("row",), 3_001)
    assert words(found, 3_000) == ["open", "read", "write", "close"]


@pytest.mark.parametrize(
    ("label", "attack"),
    [
        *((clean, False) for clean in ("0", "0.0", "Normal", "benign", "False", "N", "good", 0)),
        *((none, None) for none in ("", "NaN", "None", "null", "-", "<NA>", None, float("nan"))),
        *((odd, True) for odd in ("1", "1.0", "true", "DoS", True, 1)),
    ],
)
def test_a_label_that_is_missing_says_nothing(label: object, attack: bool | None) -> None:
    """What stands for no label is none; any other is of a normal trace or of an attack."""
    text = json.dumps([{"calls": "read close", "label": label}])
    taken = traces_of(io.BytesIO(text.encode()), "x", "auto", Vocabulary())
    assert [one.attack for one in taken.found] == [attack]


def test_the_place_decides_where_a_label_is_missing(tmp_path: Path) -> None:
    """A trace without a label is an attack below --attack, and learned from below --train."""
    table = put(tmp_path / "a.csv", "trace,label\nread close,\nread write,nan\nread read,0\n")
    train, attack = put(tmp_path / "train", "read"), put(tmp_path / "attack", "ptrace")
    assert len(read_split(train, table, attack, "file").normal) == 3
    split = read_split(train, None, table, "file")
    assert [len(split.normal), len(split.attack)] == [1, 2]
    assert len(read_split(table, train, attack, "file").train) == 3


@pytest.mark.parametrize(
    ("labels", "attack"), [(",,", None), (",0,", False), ("0,,1", True), ("1,0,", True)]
)
def test_a_process_is_what_its_labelled_rows_say(labels: str, attack: bool | None) -> None:
    """Of the rows of a process one of an attack decides, and those without a label say nothing."""
    text = "pid,syscall,label\n" + "".join(f"7,read,{one}\n" for one in labels.split(","))
    how, found, *_ = traces_of(io.BytesIO(text.encode()), "x", "auto", Vocabulary())
    assert (how, [one.attack for one in found]) == ("process", [attack])


def test_host_logs_of_ngids_need_no_header(tmp_path: Path) -> None:
    """Rows of NGIDS-DS, a call each: a process is a trace, an attack once a row of it is."""
    row = "14/03/2016,11:58:59,{},/usr/bin/x,{},74431854,{},{},{}\n"
    text = "".join(
        row.format(pid, call, *(("Worms", "x", 1) if odd else ("normal", "normal", 0)))
        for pid, call, odd in ((1, 3, 0), (2, 4, 0), (1, 6, 0), (2, 5, 1), (3, 3, 0))
    )
    put(tmp_path / "logs" / "1.csv", text)
    split = read_split(
        put(tmp_path / "clean.csv", row.format(9, 3, "normal", "normal", 0)),
        tmp_path / "logs",
        None,
    )
    assert everything(split.normal) == [["3", "6"], ["3"]]
    assert everything(split.attack) == [["4", "5"]]
    assert everything(split.train) == [["3"]]


def test_a_table_without_names_says_how_to_name_them(tmp_path: Path) -> None:
    """What looks like a table but does not say where the calls are is told to, by the line."""
    put(tmp_path / "x.csv", "when,what\n12:00:01,/bin/sh\n")
    with pytest.raises(RecordingError, match="first line name the columns"):
        read(tmp_path)
    put(tmp_path / "x.csv", json.dumps({"when": 1, "what": "x"}))
    with pytest.raises(RecordingError, match="table of when, what"):
        read(tmp_path)


def test_a_trace_in_a_cell_may_be_long(tmp_path: Path) -> None:
    """A cell is as long as its trace; a table with nothing but names is an empty file."""
    put(tmp_path / "a.csv", "trace,label\n" + "3 4 " * 50_000 + ",0\n")
    put(tmp_path / "b.csv", "trace,label\n")
    before = csv.field_size_limit()
    found = read(tmp_path)
    assert (found.lengths.tolist(), found.empty) == ([100_000], 1)
    assert csv.field_size_limit() == before, "the limit of other readers is theirs"
