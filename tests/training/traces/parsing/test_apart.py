"""Promises of taking files apart: processes by all that tells them apart, and within bounds."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.errors import RecordingError
from oddcall.service.evaluation.traces_caveats import how_read, warnings
from oddcall.training.traces.parsing import apart, gathered, reading, tokens
from oddcall.training.traces.parsing.apart import Taken, traces_of
from oddcall.training.traces.parsing.reading import read_split, read_traces
from oddcall.training.traces.parsing.texts import opened
from oddcall.training.traces.traces import Vocabulary

from ..written import everything, put, read

#: As strace -f prints it where it was given no file.
TO_TERMINAL = """\
execve("/bin/sh", ["sh"], 0x7ffd /* 9 vars */) = 0
vfork(strace: Process 12 attached
 <unfinished ...>
[pid    12] openat(AT_FDCWD, "f(", O_RDONLY) = 3
[pid    11] <... vfork resumed>) = 12
[pid    11] wait4(-1,  <unfinished ...>
[pid    12] +++ exited with 0 +++
<... wait4 resumed>[{WIFEXITED(s)}], 0, NULL) = 12
close(3) = 0
clone(child_stack=NULL) = 13
strace: Process 13 attached
[pid    11] read(3, "", 8) = 0
[pid    11] +++ exited with 0 +++
write(1, "strace: Process 14 attached", 27) = 27
+++ exited with 0 +++
"""


def taken(text: str, layout: str = "auto") -> tuple[Taken, dict[str, list[str]]]:
    vocabulary = Vocabulary()
    one = traces_of(io.BytesIO(text.encode()), "x", layout, vocabulary)
    return one, {f.name: [vocabulary.tokens[c] for c in f.calls] for f in one.found}


def test_lines_that_name_no_process_are_of_the_one_that_is_left() -> None:
    """What strace -f prints to a terminal names a process only while there are several."""
    _, found = taken(TO_TERMINAL, "process")
    assert found == {
        "": ["execve", "vfork", "wait4", "close", "clone", "read"],
        "12": ["openat"],
        "13": ["write"],
    }


@pytest.mark.parametrize("column", ["host", "hostName", "Host Name", "container", "container_id"])
def test_a_number_on_two_hosts_is_two_processes(tmp_path: Path, column: str) -> None:
    """Hosts and containers belong to what tells processes apart, and that is said."""
    rows = [(7, "a", "read", 0), (7, "b", "ptrace", 1), (7, "a", "close", 0), (8, "b", "read", 0)]
    lines = [f"pid,{column},syscall,label", *(",".join(map(str, row)) for row in rows)]
    split = read_split(put(tmp_path / "a.csv", "\n".join(lines)), None, None)
    assert everything(split.attack) == [["ptrace"]]
    assert sorted(everything(split.train) + everything(split.normal)) == [
        ["read"],
        ["read", "close"],
    ]
    assert split.attack.labels == ("a.csv:b/7",)
    assert f"processes: told apart by {column} and pid" in list(how_read(split))


def test_a_thread_is_no_process(tmp_path: Path) -> None:
    """Of a group of threads and a thread the group is the process; a host alone is none."""
    text = "tid,tgid,syscall\n1,1,read\n2,1,close\n3,3,mmap\n"
    found = read(put(tmp_path / "a.csv", text))
    assert (found.labels, found.keys) == (("a.csv:1", "a.csv:3"), (("tgid",),))
    alone = read(put(tmp_path / "b.csv", "host,syscall\na,read\nb,close\n"))
    assert (everything(alone), alone.keys) == ([["read", "close"]], ())


FORMS = {
    "rows": ("auto", "sequence\n" + "read close\n" * 4_000),
    "rows of a process": ("auto", "pid,syscall\n" + "7,read\n8,close\n" * 4_000),
    "objects": ("auto", '{"pid": 7, "syscall": "read"}\n{"pid": 8, "syscall": "read"}\n' * 4_000),
    "lines": ("line", "read close\n" * 4_000),
    "lines of a process": ("process", "7 read\n8 close\n" * 4_000),
    "strace": ("process", "[pid 7] read(3) = 0\n[pid 8] close(3) = 0\n" * 4_000),
    "strace, one": ("auto", "[pid 7] read(3) = 0\n[pid 8] close(3) = 0\n" * 4_000),
    "a file": ("file", "read close\n" * 4_000),
    "a file of one line": ("file", "read,close," * 4_000),
}


@pytest.mark.parametrize("form", FORMS)
def test_no_more_is_read_than_is_kept(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading ends where there is no more room, and where traces are lost by it that is known."""
    for module in (apart, gathered, tokens):
        monkeypatch.setattr(module, "MOST_CALLS", 60)
    monkeypatch.setattr(apart, "MOST_CALLS_OF_SET", 100)
    monkeypatch.setattr(apart, "BEGINNING", 1_000)
    layout, text = FORMS[form]
    stream = io.BytesIO(text.encode())
    one = traces_of(stream, "x", layout, Vocabulary())
    assert stream.tell() < len(text) / 10
    alone = len(one.found) == 1
    assert sum(len(found.calls) for found in one.found) == (60 if alone else 100)
    assert one.partly is not alone
    few = "\n".join(text[:2_000].splitlines()[:9])
    assert not traces_of(io.BytesIO(few.encode()), "x", layout, Vocabulary()).partly


def test_a_file_that_was_read_in_part_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that there is no room for are said to be missing, as files are."""
    monkeypatch.setattr(apart, "MOST_CALLS_OF_SET", 30)
    rows = [f"read close,{label}" for label in (0, 1) * 40]
    split = read_split(put(tmp_path / "a.csv", "\n".join(["trace,label", *rows])), None, None)
    assert len(split.train) + len(split.normal) + len(split.attack) == 15
    assert split.train.partly == 1
    (said,) = [text for text in warnings(split, ("stide",)) if "of 1 file" in text]
    assert said.endswith("only the first 32,000,000 calls were read")


def test_a_file_that_was_left_out_was_not_read_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two large files that do not both fit, one is read in part and one is not read."""
    for module in (apart, reading):
        monkeypatch.setattr(module, "MOST_CALLS_OF_SET", 30)
    for name in ("a.csv", "b.csv"):
        put(tmp_path / name, "trace\n" + "read close\n" * 40)
    found = read(tmp_path)
    assert (len(found), found.partly, found.unread) == (15, 1, 1)


def test_how_much_of_a_large_file_is_read_is_told(tmp_path: Path) -> None:
    """One file of some million bytes does not leave a reader without a sign, packed or not."""
    text = ("trace\n" + ("read close " * 100 + "\n") * 4_000).encode()
    noise = np.random.default_rng(0).bytes(3_000_000).hex()
    for raw in (text, gzip.compress(b"trace\n" + b"read close\n" * 9 + b"#" + noise.encode())):
        told: list[float] = []
        with opened(put(tmp_path / "a", raw), "a", told.append) as stream:
            for _ in stream:
                pass
        assert len(set(told)) >= 3
        assert told[-1] > 0.5
        assert max(told) <= 1.0
    parts: list[float] = []
    read_traces(put(tmp_path / "a", text), Vocabulary(), lambda _, part: parts.append(part))
    assert len(set(parts)) >= 3
    assert max(parts) <= 1.0


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(1, 40))
def test_words_are_whole_wherever_a_piece_ends(calls: list[int], size: int) -> None:
    """A word that two pieces of a file share is one word."""
    names = [("read", "openat", "close", "mmap")[call] for call in calls]
    for between in (" ", "\n", ", ", "|"):
        pieces = io.BytesIO(between.join(names).encode())
        assert apart._words(lambda pieces=pieces: pieces.read(size)) == [n.encode() for n in names]


@given(
    st.lists(st.tuples(st.integers(40, 43), st.integers(0, 9)), min_size=1, max_size=40),
    st.integers(1, 60),
    st.sampled_from([" ", "\t", ", ", " ,  ", "|"]),
    st.sampled_from(["\n", "\r\n", "\r", " \n\n"]),
    st.integers(0, 40),
)
def test_processes_are_the_same_however_many_lines_are_taken_at_once(
    pairs: list[tuple[int, int]], size: int, between: str, end: str, bad: int
) -> None:
    """A call is of the process on its line; lines of other words are named wherever they are."""
    pairs += pairs  # Processes that never come again are refused.
    lines = [f"{process}{between}{call}" for process, call in pairs]
    expected: dict[str, list[int]] = {}
    for process, call in pairs:
        expected.setdefault(str(process), []).append(call)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(apart, "BEGINNING", size)
        vocabulary = Vocabulary()
        stream = io.BytesIO(end.join(lines).encode())
        found = traces_of(stream, "x", "process", vocabulary).found
        calls = {name: [int(vocabulary.tokens[i]) for i in each] for name, each, _ in found}
        assert calls == expected
        # As many words in all as if every line had two.
        lines[bad % len(lines) : bad % len(lines)] = ["40 3 77", "78"]
        with pytest.raises(RecordingError, match="got '40 3 77'"):
            traces_of(io.BytesIO(end.join(lines).encode()), "x", "process", Vocabulary())


def test_processes_of_one_call_each_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    """An owner who says what a trace is knows; where it is only seen a file of them is strange."""
    text = "".join(f"{4_000 + i} {'read' if i % 3 else 'close'}\n" for i in range(12))
    attack = put(tmp_path / "attack", "7 mmap\n")
    split = read_split(put(tmp_path / "train", text), None, attack, "process")
    assert len(split.train) + len(split.normal) == 12
    with pytest.raises(RecordingError, match="never comes again"):
        taken(text, "process")


@pytest.mark.parametrize("line", ["x" * 6_000_000, "7 " + "x" * 6_000_000, "7 " * 3_000_000])
def test_a_line_without_end_among_processes_is_refused(line: str) -> None:
    """It is not held whole, and is said to be too long."""
    stream = io.BytesIO(("7 read\n7 close\n" + line).encode())
    with pytest.raises(RecordingError, match="got a line of more than 1,000,000 bytes"):
        traces_of(stream, "x", "process", Vocabulary())
    assert stream.tell() <= 3_000_000


@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_objects_are_read_on_one_line_and_on_many(wide: list[bool]) -> None:
    """Each object is found, be it a line, several lines, or a part of one; a cut one is refused."""
    text = ""
    for i, indent in enumerate(wide):
        one = {"pid": i, "syscall": "read", "t": [{"x": "}"}]}
        text += json.dumps(one, indent=2 if indent else None) + ("\n" if i % 2 else " ")
    assert list(taken(text)[1]) == [str(i) for i in range(len(wide))]
    with pytest.raises(RecordingError, match="not whole"):
        taken(text.rstrip()[:-1])


def test_packed_files_are_read_line_by_line_too(tmp_path: Path) -> None:
    """What is unpacked is the same trace for trace; one that is cut is refused."""
    text = "pid,syscall\n" + "7,read\n8,close\n" * 900
    plain, packed = put(tmp_path / "a", text), put(tmp_path / "b", gzip.compress(text.encode()))
    assert everything(read(plain)) == everything(read(packed))
    with pytest.raises(RecordingError, match="b cannot be unpacked"):
        read(put(packed, packed.read_bytes()[:-20]))
