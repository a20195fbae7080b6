"""Promises of lists of calls, which lie beside traces and are none."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.calls import names
from oddcall.models.errors import EvidenceError
from oddcall.training.traces.parsing.lists import is_list_of_calls
from oddcall.training.traces.parsing.reading import read_split

from ..written import everything, put, read

CALLS = [name for name in names("x86_64") if name][:150]
LISTS = {
    "number and name": "".join(f"{i} {call}\n" for i, call in enumerate(CALLS)),
    "name and number": "".join(f"{call},{i:#x}\n" for i, call in enumerate(CALLS)),
    "as of the kernel": "# numbers\n"
    + "".join(f"{i}\tcommon\t{call}\t\tsys_{call}\n" for i, call in enumerate(CALLS)),
    "names": "\n".join(CALLS),
    "two of one name": "\n".join(CALLS + CALLS[:9]),
}


@pytest.mark.parametrize("way", LISTS)
def test_a_list_of_calls_is_left_out_and_said(tmp_path: Path, way: str) -> None:
    """Numbers and names of calls are neither processes nor a trace, whatever lies beside them."""
    for i in range(6):
        put(tmp_path / "all" / f"{i}.txt", "".join(f"{p} {c}\n" for p in (4, 7) for c in CALLS[:9]))
    alone = read(tmp_path / "all")
    put(tmp_path / "all" / "a-map.txt", LISTS[way])
    found = read(tmp_path / "all")
    assert (found.labels, found.read_as) == (alone.labels, ("process",))
    assert (found.lists, found.empty) == (("a-map.txt",), 0)


def test_a_place_of_a_list_alone_holds_no_trace(tmp_path: Path) -> None:
    """It is said why there is none, by the name of the list."""
    file = put(tmp_path / "calls.txt", LISTS["names"])
    with pytest.raises(EvidenceError, match=r"no trace in .*calls\.txt, which names the calls"):
        read_split(file, None, put(tmp_path / "attack", "read close"))


def test_calls_in_no_order_are_a_trace(tmp_path: Path) -> None:
    """A process that makes a hundred calls once each makes them in an order of its own."""
    calls = random.Random(3).sample(CALLS, 105)
    found = read(put(tmp_path / "long.txt", "\n".join(calls)))
    assert (everything(found), found.lists) == ([calls], ())
    for order in (sorted(calls), [call.upper() for call in CALLS]):
        assert is_list_of_calls("\n".join(order).encode())
    numbers = random.Random(4).sample(range(900), 105)
    text = "".join(f"{number} {call}\n" for number, call in zip(numbers, calls, strict=True))
    assert not is_list_of_calls(text.encode())


@pytest.mark.parametrize(("way", "layout"), [("names", "file"), ("number and name", "process")])
def test_a_layout_that_is_asked_for_is_believed(tmp_path: Path, way: str, layout: str) -> None:
    """What looks like a list is read as what its owner says it is."""
    lines = LISTS[way].splitlines()
    for i in range(6):
        put(tmp_path / "all" / f"{i}.txt", "\n".join(lines[: 140 + i]))
    attack = put(tmp_path / "attack", "9 read\n9 close" if layout == "process" else "read close")
    split = read_split(tmp_path / "all", None, attack, layout)
    lengths = {len(trace) for trace in everything(split.train)}
    assert lengths == {1} if layout == "process" else min(lengths) >= 140
    assert split.train.lists == ()
    with pytest.raises(EvidenceError, match=r"0\.txt, which names.*add --layout file"):
        read_split(tmp_path / "all", None, attack)


@given(
    st.lists(st.sampled_from(CALLS[:40]), min_size=1, max_size=300),
    st.lists(st.integers(100, 130), min_size=300, max_size=300),
)
def test_what_processes_called_is_no_list(calls: list[str], pids: list[int]) -> None:
    """Calls that come again, alone or behind a process, are traces."""
    assert not is_list_of_calls("\n".join(calls).encode())
    pairs = [f"{pid} {call}" for pid, call in zip(pids, calls, strict=False)]
    once = len(set(pids[: len(calls)])) >= 0.9 * len(calls)
    assert once or not is_list_of_calls("\n".join(pairs).encode())
