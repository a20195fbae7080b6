"""Promises of lines that hold more than calls: a label or a process is never read as a call."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.errors import OddcallError, RecordingError, SettingError
from oddcall.training.traces.parsing.reading import read_split
from oddcall.training.traces.parsing.unnamed import (
    require_calls_alone,
    require_no_columns,
    require_no_labels,
    require_order,
)

from ..written import put, read

NAMES = ["openat", "read", "write", "close", "mmap", "futex", "poll", "fstat"]
NUMBERS = [str(number) for number in (56, 61, 13, 202, 17, 18, 75, 281, 40, 59)]


def traces(calls: list[str], many: int = 30, least: int = 3, most: int = 40) -> list[list[str]]:
    made = random.Random(7)
    return [made.choices(calls, k=made.randint(least, most)) for _ in range(many)]


def both(root: Path, write: Callable[[list[str], str], str], calls: list[str]) -> tuple[Path, Path]:
    """Two files of a trace a line, of normal traces and of attacks, written with their label."""
    return (
        put(root / "n.csv", "\n".join(write(trace, "0") for trace in traces(calls))),
        put(root / "a.csv", "\n".join(write(trace, "1") for trace in traces(calls[1:]))),
    )


WITH_A_LABEL: dict[str, Callable[[list[str], str], str]] = {
    "behind a comma": lambda trace, label: f"{' '.join(trace)},{label}",
    "before a tab": lambda trace, label: f"{label}\t{' '.join(trace)}",
    "behind a list": lambda trace, label: f"[{', '.join(trace)}], {label}",
    "behind quotes": lambda trace, label: f'"{", ".join(trace)}",{label}',
    "beside an index": lambda trace, label: f"7;{' '.join(trace)};{label}",
    "as a call": lambda trace, label: f"{' '.join(trace)} {label}",
    "as a cell": lambda trace, label: f"{','.join(trace)},{label}",
    "as a word": lambda trace, label: f"{' '.join(trace)} {'clean' if label == '0' else 'trojan'}",
    "as a word, first": lambda trace, label: f"worm{label} {' '.join(trace)}",
}


@pytest.mark.parametrize("layout", ["auto", "line"])
@pytest.mark.parametrize("way", WITH_A_LABEL)
def test_a_label_beside_calls_is_no_call(tmp_path: Path, way: str, layout: str) -> None:
    """Set apart or not, before or behind: traces would be judged by their own answer."""
    clean, attack = both(tmp_path, WITH_A_LABEL[way], NUMBERS)
    with pytest.raises(OddcallError, match="Let the first line name the columns"):
        read_split(clean, None, attack, layout)


@pytest.mark.parametrize("layout", ["auto", "line"])
@pytest.mark.parametrize(
    ("calls", "ends"),
    [
        (NAMES, ("exit_group", "exit")),
        (NUMBERS, ("231", "60")),
        (NUMBERS, ("1", "252")),
        (NUMBERS, ("3", "3")),
    ],
)
def test_traces_that_end_alike_are_read(
    tmp_path: Path, calls: list[str], ends: tuple[str, str], layout: str
) -> None:
    """The last call of a process is no label, be it nowhere else."""
    places = [
        put(tmp_path / name, "\n".join(" ".join([*trace, end]) for trace in traces(calls)))
        for name, end in zip("na", ends, strict=True)
    ]
    split = read_split(places[0], None, places[1], layout)
    assert len(split.train) + len(split.normal) == len(split.attack) == 30


def test_a_label_before_the_calls_of_each_line_is_refused(tmp_path: Path) -> None:
    """0 before each clean trace and 1 before each attack tell them apart, be they calls as well."""
    calls = ["0", "1", *NUMBERS]
    clean, attack = (
        put(tmp_path / name, "\n".join(" ".join([label, *trace]) for trace in traces(calls)))
        for name, label in (("n", "0"), ("a", "1"))
    )
    with pytest.raises(SettingError, match=r"the first word of every line.*got 0, 1"):
        read_split(clean, None, attack)


@pytest.mark.parametrize("begin", [("11", "11"), ("0", "0"), ("3", "5")])
def test_traces_that_begin_alike_are_read(tmp_path: Path, begin: tuple[str, str]) -> None:
    """The first call of a process is no label, be it another in attacks."""
    calls = ["0", "3", "5", "11", *NUMBERS]
    clean, attack = (
        put(tmp_path / name, "\n".join(" ".join([first, *trace]) for trace in traces(calls)))
        for name, first in zip("na", begin, strict=True)
    )
    assert len(read_split(clean, None, attack).attack) == 30


def test_counts_beside_a_label_are_told_as_counts(tmp_path: Path) -> None:
    """A column a call and one of labels behind them: the label is not what is wrong."""
    rows = [f"{i},{i % 3},2,{'attack' if i % 5 == 0 else 'normal'}" for i in range(40)]
    file = put(tmp_path / "all.csv", "\n".join(["openat,read,close,label", *rows]))
    with pytest.raises(RecordingError, match=r"how often each call was made.*openat, read, close"):
        read_split(file, None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sum_1,sum_3,malware\n3,4,0\n", "sum_1, sum_3, malware"),
        ("calls_made,label\nopenat read,0\n", "calls_made, label"),
        ("s0,s1,label\n3,4,0\n", "s0, s1, label"),
        ("when|what\nread close|open\n", "when, what"),
        ("pid name\n12 read\n", "pid, name"),
        ("length,label\n12,0\n", "length, label"),
        ("timestamp;args\n1.5;read\n", "timestamp, args"),
    ],
)
def test_a_first_line_of_names_is_no_trace(text: str, said: str) -> None:
    """Columns of which none is known as that of calls are named, with the names that are known."""
    with pytest.raises(RecordingError, match=rf"columns named {said}, none.*syscall \(or syscalls"):
        require_calls_alone(text.encode(), "x")


@pytest.mark.parametrize("prefix", ["s", "call_", "syscall_", "feature_", ""])
def test_numbered_columns_are_named_by_who_knows_what_they_are(tmp_path: Path, prefix: str) -> None:
    """Calls in order, or how often each was made: what is said to type makes a table that is read.

    Read without asking, counts would be learned as calls.
    """
    rows = [f"{i},3,{i + 4},{i},{i % 2}" for i in range(20)]
    head = ",".join(["hash", *(f"{prefix}{i}" for i in range(3)), "label"])
    file = put(tmp_path / "all.csv", "\n".join([head, *rows]))
    with pytest.raises(RecordingError, match=r"are the calls of a trace.*have no order") as refused:
        read_split(file, None, None)
    typed = re.search(r"sed -E '(.*?)' FILE", refused.value.fix)
    assert typed
    made = subprocess.run(["sed", "-E", typed[1], file], capture_output=True, check=True)
    split = read_split(put(tmp_path / "new.csv", made.stdout), None, None)
    assert (len(split.attack), split.attack.lengths.tolist()) == (10, [3] * 10)


@pytest.mark.parametrize(
    "text",
    [
        "id,accept,bind,close\n1,3,4,5\n2,0,0,9\n",
        "apk_hash;apk_is_mal;apk_open;apk_read;apk_epoll_wait\nx;0;3;4;5\n",
        "n_openat n_read n_close label\n4 5 6 0\n",
        "openat\tread\tclose\n0.0\t5\t6\n",
    ],
)
def test_how_often_each_call_was_made_is_no_trace(text: str) -> None:
    """A table of counts is told as that: it says nothing of an order."""
    with pytest.raises(RecordingError, match=r"how often each call was made.*have no order"):
        require_calls_alone(text.encode(), "x")


@pytest.mark.parametrize(
    "text",
    [
        "openat,read,frobnicate,close\n",
        "frobnicate, read, frobnicate2\nread\n",
        "time read write\nread time\n",
        "read write,\nopen close,\n",
        "3 4\t3\n",
        "3 4, 5\n6 7, 8 9\n",
        "[3, 4, 5]\n[4, 5]\n",
        "[[3, 4], [5]]",
        "311 5\n312 4\n",
        "read|write|close",
        "",
    ],
)
def test_calls_alone_are_calls(text: str) -> None:
    """However they are divided; also a call that has the name of a column, or is not known."""
    require_calls_alone(text.encode(), "x")


ROWS: dict[str, Callable[[int, str], str]] = {
    "pid tid call ret": lambda i, call: f"1200 1200 {call} {i % 3}",
    "tid pid call": lambda i, call: f"{1200 + i % 2} 1200 {call}",
    "a time that rises": lambda i, call: f"{13 * i},2200,{call}",
    "processes in turn": lambda i, call: f"{1200 + i * i % 7} {1200 + i * i % 7} {call}",
    "a time that rises, no process": lambda i, call: f"{13 * i} {call} 0",
}


@pytest.mark.parametrize("calls", [NAMES, NUMBERS])
@pytest.mark.parametrize("way", ROWS)
def test_columns_without_names_are_asked_about(tmp_path: Path, way: str, calls: list[str]) -> None:
    """A process or a time beside each call is not read as calls, and the way out is said."""
    for n, trace in enumerate(traces(calls, 6, 50, 90)):
        rows = (ROWS[way](i, call) for i, call in enumerate(trace))
        put(tmp_path / "n" / f"{n}", "\n".join(rows))
    with pytest.raises(SettingError, match=r"the same or rises, or.*name the columns.*--layout"):
        read(tmp_path / "n")
    attack = put(tmp_path / "a", "3 4")
    if calls is NUMBERS:
        assert len(read_split(tmp_path / "n", None, attack, "file").attack) == 1


def test_a_class_behind_calls_in_cells_is_said_to_be_a_label(tmp_path: Path) -> None:
    """Rows of as many calls and a class, as of AWSCTD, are not sent from one layout to another."""
    rows = [[*trace, "Clean"] for trace in traces(NUMBERS, 60, 30, 30)]
    rows += [[*trace, "Trojan"] for trace in traces(NUMBERS, 60, 30, 30)]
    file = put(tmp_path / "all.csv", "\n".join(map(",".join, rows)))
    for layout in ("auto", "line"):
        with pytest.raises(SettingError, match=r"last word of every line.*Clean, Trojan"):
            read_split(file, None, None, layout)


@pytest.mark.parametrize("calls", [NAMES, NUMBERS])
def test_a_call_before_its_process_is_said(tmp_path: Path, calls: list[str]) -> None:
    """Two columns the wrong way round would be read as processes that call a number."""
    for n, trace in enumerate(traces(calls, 6, 20)):
        put(tmp_path / "n" / f"{n}", "\n".join(f"{call} {1200 + n}" for call in trace))
    with pytest.raises(SettingError, match=r"first is a call .* swap them.*name the columns"):
        read(tmp_path / "n")


CALLS = [b"3", b"4", b"5", b"6", b"90", b"102", b"140", b"265"]


@given(
    st.lists(st.lists(st.sampled_from(CALLS), min_size=2), max_size=30),
    st.integers(3, 20),
)
def test_wrapped_and_uneven_traces_hold_no_columns(lines: list[list[bytes]], width: int) -> None:
    """Calls that also come elsewhere are neither labels nor columns, however they are broken."""
    calls = [call for line in lines for call in [*line, *CALLS]]
    wrapped = [calls[i : i + width] for i in range(0, len(calls), width)]
    if len(set(map(tuple, wrapped))) > len(wrapped) / 2 > 10:
        require_no_columns([wrapped])
    require_order([lines, lines, [CALLS]])
    places = [[*lines, [*CALLS, CALLS[0]]]]
    require_no_labels([places, places])
