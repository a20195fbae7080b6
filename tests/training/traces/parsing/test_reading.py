"""Promises of reading places of one's own: which files, how many, and what is held out."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.errors import EvidenceError, RecordingError, SettingError
from oddcall.training.traces.parsing import apart, gathered, reading, tokens
from oddcall.training.traces.parsing.places import hold_out
from oddcall.training.traces.parsing.reading import read_split
from oddcall.training.traces.traces import TraceSet, Vocabulary

from ..written import put, read, words


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


def test_what_is_no_trace_is_passed_over(tmp_path: Path) -> None:
    """Hidden files, README, LICENSE and empty files are no traces."""
    for name in (".DS_Store", "README.txt", "LICENSE", "notes.md", "empty.txt"):
        put(tmp_path / name, "" if name == "empty.txt" else "Words about the data.")
    put(tmp_path / "real.txt", "1 2")
    assert read(tmp_path).labels == ("real.txt",)


def test_all_that_are_no_traces_are_named_at_once(tmp_path: Path) -> None:
    """One run names every stranger, and says that labels in a file of their own are not read."""
    for i in range(9):
        put(tmp_path / f"{i}.txt", "read close " * (i + 1))
    put(tmp_path / "labels.csv", "filename,label\n0.txt,normal\n1.txt,attack\n")
    with pytest.raises(RecordingError, match=r"filename, label, none of calls\. Labels in a file"):
        read(tmp_path)
    put(tmp_path / "notes.pdf.txt", "It was a dark and stormy night")
    put(tmp_path / "x.zip", b"PK\0\0")
    with pytest.raises(RecordingError, match=r"labels\.csv is not .*; nor are (.*), 3 files"):
        read(tmp_path)
    for i in range(30):
        put(tmp_path / f"{'z' if i else 'a'}{i}.bin", b"\0")
    with pytest.raises(RecordingError, match=r", \.\.\., 20 files or more.* Labels in a file"):
        read(tmp_path)


def test_missing_and_empty_directories_differ(tmp_path: Path) -> None:
    """A folder that is not there and one without traces are told apart."""
    with pytest.raises(SettingError, match="nothing of that name"):
        read(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvidenceError, match="no trace"):
        read(tmp_path / "empty")


# Root may read any file of a disk; these it may not open, and not read from the beginning.
@pytest.mark.parametrize("never", ["/proc/sys/vm/compact_memory", "/proc/self/mem"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, never: str) -> None:
    """A file that may not be opened or read is named, with what to do about it."""
    put(tmp_path / "a", "1 2 3")
    (tmp_path / "b").symlink_to(never)
    with pytest.raises(RecordingError, match=r"/b cannot be read; got .*\. Run as its owner"):
        read(tmp_path)


def test_a_long_trace_is_cut_and_a_huge_set_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded: ends of traces and files of a set are left out, and both are said."""
    for module in (apart, gathered, reading, tokens):
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


@given(st.lists(st.integers(1, 9), min_size=1, max_size=60))
def test_copies_of_a_trace_are_held_out_together(calls: list[int]) -> None:
    """No trace that is judged was learned from; at most a third is, also of those that differ."""
    made = TraceSet.of([np.full(2, call) for call in calls], Vocabulary())
    drawn = hold_out(made)
    assert drawn.sum() <= len(calls) / 3
    assert len(set(np.array(calls)[drawn])) <= max(len(set(calls)) / 3, 1)
    assert len(set(np.array(calls)[~drawn])) >= min(len(set(calls)), 5)
    assert drawn.any() == (len(set(calls)) > 5)
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
