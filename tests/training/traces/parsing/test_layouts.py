"""Promises of what is a trace in a file: the whole of it, a process of it, or a line."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oddcall.models.errors import EvidenceError, RecordingError, SettingError
from oddcall.training.traces.parsing.apart import traces_of
from oddcall.training.traces.parsing.layouts import layout_of, lines_of
from oddcall.training.traces.parsing.reading import read_split
from oddcall.training.traces.parsing.texts import plain
from oddcall.training.traces.traces import Vocabulary

from ..written import everything, put, read

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


PAIRS = "162 4\n162 2\n163 66\n162 66\n163 4\n163 138\n162 4\n"


@pytest.mark.parametrize("stray", ["3\n7\n", "5 3 2\n", "3", "real/\nreal/a.gz\n", "Of 1996.\n"])
def test_a_stray_file_does_not_make_calls_of_processes(tmp_path: Path, stray: str) -> None:
    """Where most files are of processes and calls, another is named: numbers of both may be alike.

    Read as calls these processes would be calls that every kernel has.
    """
    for name in "bcd":
        put(tmp_path / f"{name}.int", PAIRS)
    whole = read(tmp_path)
    assert (len(whole), whole.read_as) == (6, ("process",))
    put(tmp_path / "a-stray.txt", stray)
    with pytest.raises(RecordingError, match=r"a-stray\.txt is not a trace"):
        read(tmp_path)


def test_numbers_that_never_come_again_are_no_processes(tmp_path: Path) -> None:
    """An index before each call, among files of processes, is not read as a process a line."""
    put(tmp_path / "a.int", PAIRS)
    put(tmp_path / "index.txt", "".join(f"{i} {i % 7}\n" for i in range(30)))
    put(tmp_path / "b.int", PAIRS * 9)
    with pytest.raises(RecordingError, match=r"index\.txt is not .*never comes again"):
        read(tmp_path)
    put(tmp_path / "index.txt", "".join(f"real/{i}.gz\n" for i in range(30)))
    with pytest.raises(RecordingError, match=r"got 'real/0\.gz'\. Other files have lines of"):
        read(tmp_path)


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
                layout_of([lines_of(plain(io.BytesIO(text), "x").read())], 1)
            taken = traces_of(plain(io.BytesIO(text), "x"), "x", layout, Vocabulary())
            assert all(len(one.calls) for one in taken.found)
