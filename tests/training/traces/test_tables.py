"""Promises of traces in tables: columns, labels, and rows of a call or of a trace."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from oddcall.models.errors import RecordingError
from oddcall.training.traces.reading import read_split

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
    found = read(tmp_path)
    assert (found.lengths.tolist(), found.empty) == ([100_000], 1)
