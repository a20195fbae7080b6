"""Promises of how a call is written: by number or by name, and what is refused as neither."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.errors import RecordingError
from oddcall.training.traces.parsing.apart import traces_of
from oddcall.training.traces.parsing.reading import read_split, read_traces
from oddcall.training.traces.parsing.tokens import call_token, numbered, unknown_names
from oddcall.training.traces.traces import TraceSet, Vocabulary

from ..written import put, read, words


def test_names_are_written_one_way(tmp_path: Path) -> None:
    """Names may be in capitals or carry the kernel's own prefix; zeros may lead a number."""
    put(tmp_path / "a", "sys_openat READ __x64_sys_close")
    assert words(read(tmp_path), 0) == ["openat", "read", "close"]
    put(tmp_path / "b", "SYS_openat __NR_read sys_close")
    assert words(read(tmp_path), 1)[:2] == ["openat", "read"]
    assert [call_token(w) for w in (b"007", b"0x1f", b"59.0")] == ["7", "31", "59"]
    assert call_token(b"1073741824") == "1073741824", "x32's own read"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"1 2\x003", "a binary file"),
        (b"PAR1\x15\x00", "Type `oddcall evaluate recordings`"),
        (b"1 2 $PATH", "$PATH"),
        (b"It was a dark and stormy night", "words that no kernel has"),
        (b"\x1f\x8bnot gzip at all", "cannot be unpacked"),
        (gzip.compress(b"1 2 3" * 100, mtime=0)[:-12], "cannot be unpacked"),
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


def test_an_unknown_name_among_known_ones_is_kept(tmp_path: Path) -> None:
    """A call that no table has stays a call of its own, and is reported."""
    put(tmp_path / "a", "openat read frobnicate close")
    found = read(tmp_path)
    assert words(found, 0)[2] == "frobnicate"
    assert unknown_names(found.vocabulary) == ["frobnicate"]


@pytest.mark.parametrize(
    "numbers",
    ["59 8000", "4003 4246 6001", "1073741824 1073742337", "983042 983045", "33554436", "-1 -28"],
)
def test_numbers_of_any_kernel_are_calls(numbers: str) -> None:
    """Those of MIPS, x32, ARM, Windows and macOS, and -1 of a call that was denied."""
    vocabulary = Vocabulary()
    assert len(numbered(f"{numbers} 4294967295".encode().split(), "x", vocabulary))
    assert {*vocabulary.tokens} == {*numbers.split(), "4294967295"}


@given(st.integers(10_000, 900_000) | st.integers(1_500_000_000, 1_900_000_000))
def test_a_number_that_no_kernel_has_is_no_call(number: int) -> None:
    """Processes and times among calls are refused; one odd number among many calls is kept."""
    for text in (f"{number} 59", f"{number} " * 9 + "59 " * 90, f"{number}"):
        with pytest.raises(RecordingError, match=rf"no kernel has: {number}.*name the columns"):
            numbered(text.encode().split(), "x", Vocabulary())
    assert len(numbered(f"{number} {'59 ' * 30}".encode().split(), "x", Vocabulary())) == 31


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


@pytest.mark.parametrize(
    ("learned", "odd", "got"),
    [
        ("3 4 5 6", "openat 3 4 write 5 6", "both in .*odd/0: its call 1 is openat"),
        ("openat read close", "openat 3 4 write 5 6", "both in .*odd/0"),
        ("openat read close", "openat 3 read 3 close 3", "both in .*odd/0: its call 1 is openat"),
        ("3 4 5 6", "3 4 5 6 3 4 5 read", "both in .*odd/0: its call 8 is read"),
        ("3 4 5 6", "openat 461 read write", "numbers in .*learned/0, names in .*odd/0"),
        ("openat read close", "3", "numbers in .*odd/0, names in .*learned/0"),
    ],
)
def test_one_mixed_trace_among_many_is_refused(
    tmp_path: Path, learned: str, odd: str, got: str
) -> None:
    """One trace of both kinds is refused wherever it is, be it a small part of all calls."""
    for i in range(60):
        put(tmp_path / "learned" / f"{i}", f"{learned} " * (i + 1))
    put(tmp_path / "odd" / "0", odd)
    with pytest.raises(RecordingError, match=f"mixed.*got {got}"):
        read_split(tmp_path / "learned", None, tmp_path / "odd")
    with pytest.raises(RecordingError, match=f"mixed.*got {got}"):
        read(tmp_path)


def test_a_name_that_a_tracer_did_not_know_is_a_call(tmp_path: Path) -> None:
    """One number in a short trace by name, or one call in twenty of a long one, is kept."""
    for i in range(30):
        put(tmp_path / "learned" / f"{i}", "openat read close " * (i + 1))
    put(tmp_path / "odd" / "short", "openat 461 close")
    put(tmp_path / "odd" / "long", f"{'openat read ' * 19} 461 461")
    assert len(read_split(tmp_path / "learned", None, tmp_path / "odd").attack) == 2
    put(tmp_path / "odd" / "long", f"{'openat read ' * 18} 461 461")
    with pytest.raises(RecordingError, match=r"both in .*odd/long"):
        read_split(tmp_path / "learned", None, tmp_path / "odd")


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


def test_one_long_word_does_not_take_the_memory() -> None:
    """A word longer than any call is refused before all others are made as wide."""
    text = b"read " * 1_000 + b"A" * 100_000
    tracemalloc.start()
    try:
        with pytest.raises(RecordingError, match=r"x is not a trace.* got 'A{24}'"):
            traces_of(io.BytesIO(text), "x", "file", Vocabulary())
        assert tracemalloc.get_traced_memory()[1] < 50 * len(text)
    finally:
        tracemalloc.stop()


def test_a_file_that_was_given_by_itself_is_named_once(tmp_path: Path) -> None:
    """Promise: what is typed is named, not the file below itself."""
    path = tmp_path / "mixed.txt"
    path.write_text("open\n3\n4\nread\n" * 40)
    with pytest.raises(RecordingError, match="mixed; ") as refused:
        read_traces(path, Vocabulary())
    assert f"both in {path}: its call 1 is open." in str(refused.value)
