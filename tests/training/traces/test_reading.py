"""Promises of reading traces of one's own: what is a trace in which files, and what is refused."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oddcall.models.errors import EvidenceError, RecordingError, SettingError
from oddcall.training.traces import reading, tokens
from oddcall.training.traces.layouts import layout_of, lines_of, plain, traces_of
from oddcall.training.traces.reading import hold_out, read_split, read_traces
from oddcall.training.traces.tokens import call_token, numbered, unknown_names
from oddcall.training.traces.traces import TraceSet, Vocabulary


def words(traces: TraceSet, i: int) -> list[str]:
    """A trace as it was written."""
    tokens = traces.vocabulary.tokens
    return [tokens[call] for call in traces.trace(i)]


def everything(traces: TraceSet) -> list[list[str]]:
    return [words(traces, i) for i in range(len(traces))]


def read(root: Path) -> TraceSet:
    return read_traces(root, Vocabulary())


def put(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_reads_recursively_in_order_of_paths(tmp_path: Path) -> None:
    """Every file below the directory is one trace, in the order of the paths."""
    put(tmp_path / "b" / "deep" / "2.txt", "5 6\n7")
    put(tmp_path / "a.txt", "3 4\t3 ")
    found = read(tmp_path)
    assert found.labels == ("a.txt", "b/deep/2.txt")
    assert [words(found, i) for i in range(2)] == [["3", "4", "3"], ["5", "6", "7"]]


def test_gzip_is_read_whatever_its_name(tmp_path: Path) -> None:
    """A gzip file is unpacked, and equals its plain text."""
    put(tmp_path / "a", "1 2 3")
    put(tmp_path / "b.anything", gzip.compress(b"1 2 3"))
    found = read(tmp_path)
    assert words(found, 0) == words(found, 1)
    assert found.same().tolist() == [0, 0]


def test_names_are_written_one_way(tmp_path: Path) -> None:
    """Names may be in capitals or carry the kernel's own prefix; zeros may lead a number."""
    put(tmp_path / "a", "sys_openat READ __x64_sys_close")
    assert words(read(tmp_path), 0) == ["openat", "read", "close"]
    put(tmp_path / "b", "SYS_openat __NR_read sys_close")
    assert words(read(tmp_path), 1)[:2] == ["openat", "read"]
    assert [call_token(w) for w in (b"007", b"0x1f", b"59.0")] == ["7", "31", "59"]
    assert call_token(b"1073741824") == "1073741824", "x32's own read"


def test_what_is_no_trace_is_passed_over(tmp_path: Path) -> None:
    """Hidden files, README, LICENSE and empty files are no traces."""
    for name in (".DS_Store", "README.txt", "LICENSE", "notes.md", "empty.txt"):
        put(tmp_path / name, "" if name == "empty.txt" else "Words about the data.")
    put(tmp_path / "real.txt", "1 2")
    assert read(tmp_path).labels == ("real.txt",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"1 2\x003", "a binary file"),
        (b"1 2 $PATH", "$PATH"),
        (b"It was a dark and stormy night", "words that no kernel has"),
        (b"\x1f\x8bnot gzip at all", "cannot be unpacked"),
        (gzip.compress(b"1 2 3" * 100)[:-12], "cannot be unpacked"),
        ("1 2 \u00e9".encode(), "xe9"),
    ],
)
def test_foreign_files_are_named(tmp_path: Path, text: bytes, said: str) -> None:
    """A file that is no trace is refused by name, saying what was found in it."""
    put(tmp_path / "good", "1 2 3")
    put(tmp_path / "odd", text)
    with pytest.raises(RecordingError, match="odd") as caught:
        read(tmp_path)
    assert said in str(caught.value)


def test_missing_and_empty_directories_differ(tmp_path: Path) -> None:
    """A folder that is not there and one without traces are told apart."""
    with pytest.raises(SettingError, match="nothing of that name"):
        read(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvidenceError, match="no trace"):
        read(tmp_path / "empty")


def test_an_unknown_name_among_known_ones_is_kept(tmp_path: Path) -> None:
    """A call that no table has stays a call of its own, and is reported."""
    put(tmp_path / "a", "openat read frobnicate close")
    found = read(tmp_path)
    assert words(found, 0)[2] == "frobnicate"
    assert unknown_names(found.vocabulary) == ["frobnicate"]


def test_numbers_are_not_compared_with_names(tmp_path: Path) -> None:
    """One place by number and one by name is an error, not a perfect detection."""
    train, attack = put(tmp_path / "a" / "1", "1 2 3"), put(tmp_path / "b" / "1", "openat read")
    with pytest.raises(RecordingError, match=r"mixed.*numbers in .*a/1, names in .*b/1"):
        read_split(train.parent, None, attack.parent)
    put(tmp_path / "a" / "1", "openat 3 close -1 read 7")
    with pytest.raises(RecordingError, match=r"mixed.*both in .*a/1"):
        read_split(train.parent, None, attack.parent)
    put(tmp_path / "a" / "1", "openat close read 461 " + "read " * 30)
    assert len(read_split(train.parent, None, attack.parent, "file").attack) == 1


def test_a_long_trace_is_cut_and_a_huge_set_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded: ends of traces and files of a set are left out, and both are said."""
    for module in (reading, tokens):
        monkeypatch.setattr(module, "MOST_CALLS", 10)
    monkeypatch.setattr(reading, "MOST_CALLS_OF_SET", 25)
    put(tmp_path / "a", "1 " * 50)
    found = read(tmp_path)
    assert (found.lengths.tolist(), found.cut, found.unread) == ([10], 1, 0)
    for name in "bcdefgh":
        put(tmp_path / name, "2 " * 50)
    some = read(tmp_path)
    assert (len(some), some.unread, some.cut) == (2, 6, 2)
    assert list(some.labels) == sorted(some.labels)
    assert read(tmp_path).labels == some.labels


def test_numbers_and_names_in_one_set_are_refused(tmp_path: Path) -> None:
    """Files of one directory must be written alike; the message names one of each kind."""
    put(tmp_path / "a", "1 2 3")
    put(tmp_path / "b", "openat read close")
    with pytest.raises(RecordingError, match=r"mixed.*numbers in .*a.*, names in .*b"):
        read(tmp_path)


@given(st.lists(st.lists(st.integers(0, 600), min_size=1, max_size=30), min_size=1, max_size=12))
def test_numbers_survive_reading(lists: list[list[int]]) -> None:
    """What was written is what is read, call by call."""
    vocabulary = Vocabulary()
    parsed = [
        numbered(" ".join(map(str, calls)).encode().split(), "x", vocabulary) for calls in lists
    ]
    found = TraceSet.of(parsed, vocabulary)
    assert [[int(w) for w in words(found, i)] for i in range(len(found))] == lists


STRACE = """\
execve("/bin/x", ["x"], 0x7ffd /* 9 vars */) = 0
read(3, "read(4, ", 8) = 8
--- SIGCHLD {si_signo=SIGCHLD} ---
close(3)                                = 0
+++ exited with 0 +++
"""
FOLLOWED = """\
strace: Process 12 attached
[pid    11] 10:00:00.000001 read(3,  <unfinished ...>
[pid    12] 10:00:00.000002 openat(AT_FDCWD, "f(", O_RDONLY) = 3
[pid    11] 10:00:00.000003 <... read resumed>"", 8) = 0
[pid    12] 10:00:00.000004 +++ exited with 0 +++
[pid    11] 10:00:00.000005 close(3) = 0
"""
WAYS: dict[str, Callable[[list[str]], str | bytes]] = {
    "commas": ",".join,
    "commas and spaces": ", ".join,
    "bars, as of DongTing": "|".join,
    "semicolons": ";".join,
    "a line each": "\r\n".join,
    "JSON": json.dumps,
    "a list of Python": str,
    "a mark of UTF-8": lambda calls: codecs.BOM_UTF8 + " ".join(calls).encode(),
    "UTF-16": lambda calls: " ".join(calls).encode("utf-16"),
    "a column": lambda calls: "syscall\n" + "\n".join(calls),
    "columns": lambda calls: "time;syscall\n" + "".join(f"1.5;{c}\n" for c in calls),
    "objects": lambda calls: "".join(json.dumps({"t": 1, "syscall": c}) + "\n" for c in calls),
    "strace": lambda calls: "".join(f'{c}(3, "a, b") = -1 ENOENT\n' for c in calls),
    "strace -r": lambda calls: "".join(f"     0.000012 {c}() = ?\n" for c in calls),
}


@pytest.mark.parametrize("way", WAYS)
def test_however_it_is_written_a_trace_is_the_same(tmp_path: Path, way: str) -> None:
    """Separators, marks, lists, columns and what strace prints around calls do not matter."""
    calls = ["openat", "read", "close", "read"]
    put(tmp_path / "a", WAYS[way](calls))
    assert everything(read(tmp_path)) == [calls]
    assert read(tmp_path).read_as == ("file",)


def test_strace_is_read_by_its_calls(tmp_path: Path) -> None:
    """Calls count where they begin; signals, ends and resumed ones are none; threads are sorted."""
    put(tmp_path / "a", STRACE)
    put(tmp_path / "b", FOLLOWED)
    assert everything(read(tmp_path)) == [["execve", "read", "close"], ["read", "close", "openat"]]
    apart = read_split(tmp_path / "b", None, tmp_path / "a", "process")
    assert apart.train.labels + apart.normal.labels in {("b:11", "b:12"), ("b:12", "b:11")}


def test_interleaved_processes_are_taken_apart(tmp_path: Path) -> None:
    """Lines of a process and a call are one trace a process, by number and by name."""
    put(tmp_path / "unm" / "a.int", "311 5\n312 4\n311 6\n312 5\n311 5\n")
    found = read(tmp_path / "unm")
    assert (found.labels, found.read_as) == (("a.int:311", "a.int:312"), ("process",))
    assert everything(found) == [["5", "6", "5"], ["4", "5"]]
    put(tmp_path / "named", "7 openat\n8 read\n7 close\n8 read\n")
    assert everything(read(tmp_path / "named")) == [["openat", "close"], ["read", "read"]]


def test_two_numbers_a_line_are_not_guessed(tmp_path: Path) -> None:
    """Where they may be two calls it is asked for, and either answer is taken."""
    file = put(tmp_path / "a", "3 4\n4 3\n3 3\n4 4\n3 5\n5 3\n")
    with pytest.raises(SettingError, match=r"--layout process.*--layout file"):
        read(file)
    for odd in ("1 openat\n2 read\n3 close\n", "1700000000 read\n" * 9, "5 3\n5 -2\n5 3\n5 4\n"):
        with pytest.raises(SettingError, match="not certain"):
            read(put(tmp_path / "odd", odd))
    other = put(tmp_path / "b", "3 4\n4 3\n3 3\n4 4\n")
    assert len(read_split(file, None, other, "file").attack) == 1
    assert read_split(file, None, other, "process").attack.labels == ("b:3", "b:4")


@given(st.lists(st.integers(0, 300), min_size=8, max_size=200), st.integers(2, 12))
def test_a_trace_in_lines_is_never_taken_for_processes(calls: list[int], width: int) -> None:
    """Calls broken into lines of one length are one trace, whatever the length but two."""
    text = [str(call).encode() for call in calls]
    lines = [text[i : i + width] for i in range(0, len(text), width)]
    if width == 2:
        kinds = {"file"}
        try:
            kinds = {layout_of([lines], 30)[0]}
        except SettingError:
            return
        first = {line[0] for line in lines}
        assert kinds == {"file"} or len(first) <= len(lines) / 2
    else:
        assert layout_of([lines], 1)[0] == "file"


def test_a_line_is_a_trace_where_few_files_have_uneven_lines(tmp_path: Path) -> None:
    """One file or some of a trace a line are told from traces that were broken into lines."""
    uneven = [["openat"] * n + ["close"] for n in (3, 20, 1, 9, 40, 2)]
    put(tmp_path / "lines" / "all.txt", "\n".join(map(" ".join, uneven)))
    found = read(tmp_path / "lines")
    assert (everything(found), found.read_as) == (uneven, ("line",))
    assert found.labels[0] == "all.txt:1"
    nested = put(tmp_path / "nested" / "all.json", json.dumps(uneven))
    assert everything(read(nested)) == uneven
    for i in range(20):
        put(tmp_path / "many" / f"{i}", "\n".join(map(" ".join, uneven)))
    assert (len(read(tmp_path / "many")), read(tmp_path / "many").read_as) == (20, ("joined",))
    for i in range(6):
        put(tmp_path / "broken" / f"{i}", "openat read close\n" * 9 + "close")
    assert read(tmp_path / "broken").lengths.tolist() == [28] * 6


def test_few_files_of_even_lines_are_asked_about(tmp_path: Path) -> None:
    """A file of windows of one length would be one trace, too few to learn from: it is said how."""
    file = put(tmp_path / "windows", "openat read close read\n" * 40)
    attack = put(tmp_path / "b", "ptrace")
    with pytest.raises(EvidenceError, match="--layout line"):
        read_split(file, None, attack)
    assert len(read_split(file, None, attack, "line").attack) == 1


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


def folders(root: Path) -> dict[str, Path]:
    for part, call in (("train", "read"), ("normal", "read"), ("attack", "ptrace")):
        for i in range(9):
            put(root / part / f"{i}", f"{call} close " * (i + 1))
    return {part: root / part for part in ("train", "normal", "attack")}


def test_nothing_is_both_learned_from_and_judged(tmp_path: Path) -> None:
    """A file in two places is refused: the same folder, one above it, and a link to it."""
    at = folders(tmp_path)
    (tmp_path / "link").symlink_to(at["train"])
    for train, normal, attack, pair in (
        (at["train"], at["train"], at["attack"], "--train and --normal"),
        (at["train"], tmp_path / "link", at["attack"], "--train and --normal"),
        (tmp_path, at["normal"], at["attack"], "--train and --attack"),
        (at["train"], at["attack"], at["attack"], "--normal and --attack"),
    ):
        with pytest.raises(SettingError, match=pair):
            read_split(train, normal, attack)
    with pytest.raises(SettingError, match="no attack"):
        read_split(at["train"], at["normal"], None)


BITS = [
    "12",
    "read",
    " ",
    "\n",
    "\r",
    ",",
    "|",
    "[",
    "]",
    "{",
    "}",
    '"',
    ":",
    "(",
    "pid",
    "syscall",
    "x",
    "1 2\n1 3\n",
    "7" * 5_000,
    "x" * 100,
]


@given(st.lists(st.sampled_from(BITS), max_size=40).map("".join).map(str.encode) | st.binary())
@example(b"".join(b"7" * 5_000 + b" read\n" for _ in range(10)))
def test_any_text_is_read_or_refused(text: bytes) -> None:
    """Whatever is in a file, it is traces, or it is said that it is none."""
    for layout in ("auto", "file", "line", "process"):
        with suppress(RecordingError):
            with suppress(SettingError):
                layout_of([lines_of(plain(text, "x"))], 1)
            _, found = traces_of(plain(text, "x"), "x", layout, Vocabulary())
            assert all(len(one.calls) for one in found)


def test_one_long_word_does_not_take_the_memory() -> None:
    """A word longer than any call is refused before all others are made as wide."""
    text = b"read " * 1_000 + b"A" * 100_000
    tracemalloc.start()
    try:
        with pytest.raises(RecordingError, match=r"x is not a trace.* got 'A{24}'"):
            traces_of(text, "x", "file", Vocabulary())
        assert tracemalloc.get_traced_memory()[1] < 50 * len(text)
    finally:
        tracemalloc.stop()


def test_a_trace_in_a_cell_may_be_long(tmp_path: Path) -> None:
    """A cell is as long as its trace; a table with nothing but names is an empty file."""
    put(tmp_path / "a.csv", "trace,label\n" + "3 4 " * 50_000 + ",0\n")
    put(tmp_path / "b.csv", "trace,label\n")
    found = read(tmp_path)
    assert (found.lengths.tolist(), found.empty) == ([100_000], 1)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=60))
def test_copies_of_a_trace_are_held_out_together(calls: list[int]) -> None:
    """No trace that is judged was learned from, and at most a third is judged."""
    made = TraceSet.of([np.full(2, call) for call in calls], Vocabulary())
    drawn = hold_out(made)
    assert drawn.sum() <= len(calls) / 3
    assert not set(np.array(calls)[drawn]) & set(np.array(calls)[~drawn])
    assert np.array_equal(drawn, hold_out(made))


def test_without_normal_traces_a_third_is_held_out(tmp_path: Path) -> None:
    """What is held out is judged and not learned from; what was empty is counted."""
    at = folders(tmp_path)
    put(at["train"] / "nothing", " \n")
    split = read_split(at["train"], None, at["attack"])
    assert split.held_out
    assert (len(split.train), len(split.normal), split.train.empty) == (6, 3, 1)
    assert not set(split.train.labels) & set(split.normal.labels)
    assert not read_split(at["train"], at["normal"], at["attack"]).held_out
