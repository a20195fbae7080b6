"""Promises of LID-DS of both years: what counts as a call, its split, and what is left out."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oddcall.models.errors import EvidenceError, RecordingError, SettingError
from oddcall.service.evaluation.traces_caveats import how_read
from oddcall.training.traces.datasets.lid_ds import _recording, lid_ds
from oddcall.training.traces.parsing import reading
from oddcall.training.traces.parsing.reading import read_split
from oddcall.training.traces.traces import Vocabulary

from ..written import everything, put, read

PARTS = ("training", "validation", "test/normal", "test/normal_and_attack")
FORMS = {
    2019: "1 12:00:00.001 0 33 {name} {thread} {way} {call} fd=5 \n",
    2021: "1631203721577779003 33 2000 {name} {thread} {call} {way} fd=5 \n",
}


def line(year: int, call: str, way: str = ">", name: str = "apache2", thread: int = 7) -> str:
    return FORMS[year].format(call=call, way=way, name=name, thread=thread)


def recording(folder: Path, name: str, lines: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}.zip", "w") as archive:
        archive.writestr(f"{name}.sc", "".join(lines))
        archive.writestr(f"{name}.json", json.dumps({"exploit": False, "container": []}))
    return folder / f"{name}.zip"


def runs(root: Path, normal: int = 253, attack: int = 1) -> None:
    """A scenario of 2019: normal run i calls ``read`` i times, an exploit ``ptrace``."""
    rows = ["image_name, scenario_name, is_executing_exploit, warmup_time, recording_time, x"]
    for i in range(normal + attack):
        rows.append(f"img, run{i}, {i >= normal}, 10, 30, 15")
        calls = ["ptrace"] if i >= normal else ["read"] * (i + 1)
        text = "".join(line(2019, call) + line(2019, call, "<") for call in calls)
        put(root / f"run{i}.txt", text)
    put(root / "runs.csv", "\n".join(rows) + "\n")


def calls_of(year: int, lines: list[str]) -> list[str]:
    vocabulary = Vocabulary()
    found = _recording((one.encode() for one in lines), year, "x", vocabulary)
    return [vocabulary.tokens[call] for call in found]


@pytest.mark.parametrize("year", FORMS)
def test_begun_calls_are_taken_thread_by_thread(year: int) -> None:
    """Only calls that begin count, and threads that ran side by side follow each other."""
    lines = [
        line(year, "openat"),
        line(year, "read", thread=8),
        line(year, "openat", "<"),
        line(year, "close"),
        "\n",
    ]
    assert calls_of(year, lines) == ["openat", "close", "read"]


@pytest.mark.parametrize("year", FORMS)
def test_what_is_no_call_does_not_count(year: int) -> None:
    """Context switches, signals, ends and notes of sysdig's own are events, and no calls."""
    odd = ["switch", "procexit", "signaldeliver", "container", "page_fault", "drop"]
    lines = [line(year, call) for name in odd for call in (name, "read")]
    assert calls_of(year, lines) == ["read"] * len(odd)
    assert calls_of(year, [line(year, "<unknown>")]) == ["<unknown>"], "a call without a name"


@given(st.sampled_from(sorted(FORMS)), st.text("abA 1:/=()-", max_size=15))
@example(2021, "Web Content")
@example(2019, "Web Content")
@example(2021, "7 8 9")
def test_a_name_with_spaces_moves_nothing(year: int, name: str) -> None:
    """Whatever a process is called, its call is found."""
    assert calls_of(year, [line(year, "openat", name=name)]) == ["openat"]


@pytest.mark.parametrize("year", FORMS)
def test_a_line_that_is_no_call_is_refused(year: int) -> None:
    """A direction of another kind, a number for a call, and lines of the other year."""
    other = FORMS[2019 if year == 2021 else 2021]
    for odd in (
        line(year, "read", "?"),
        line(year, "read", ""),
        line(year, "15862"),
        other.format(call="read", way=">", name="apache2", thread=7),
        other.format(call="read", way=">", name="Web Content", thread=7),
    ):
        with pytest.raises(RecordingError, match="no system call"):
            calls_of(year, [line(year, "read"), odd])
    whole = line(year, "read").split(" fd=")[0].split(" ")
    for fields in range(1, len(whole)):
        with pytest.raises(RecordingError, match="no system call"):
            calls_of(year, [" ".join(whole[:fields]) + "\n"])
    assert calls_of(year, [" ".join(whole)]) == ["read"]


def test_2021_is_learned_from_and_judged_by_folder(tmp_path: Path) -> None:
    """Each folder is a part, and that of the validation is left alone."""
    for part, call in zip(PARTS, ("read", "mmap", "close", "ptrace"), strict=True):
        recording(tmp_path / part, "brave_bell_1", [line(2021, call)])
    split = lid_ds(tmp_path)
    assert [everything(s) for s in (split.train, split.normal, split.attack)] == [
        [["read"]],
        [["close"]],
        [["ptrace"]],
    ]


def test_2019_follows_runs_csv_and_the_split_of_its_loader(tmp_path: Path) -> None:
    """Of the normal runs 200 are learned from, 50 left alone, and those from the 251st judged."""
    runs(tmp_path)
    split = lid_ds(tmp_path)
    assert split.train.lengths.tolist() == list(range(1, 201))
    assert split.normal.lengths.tolist() == [251, 252, 253]
    assert everything(split.attack) == [["ptrace"]]


def test_too_few_runs_are_counted(tmp_path: Path) -> None:
    """Where the split asks for more recordings than there are, both numbers are said."""
    runs(tmp_path, normal=150, attack=2)
    with pytest.raises(EvidenceError, match=r"more than 250.*got 150 normal and 2 with an exploit"):
        lid_ds(tmp_path)


def test_memory_is_bounded_in_both_years(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large scenario a sample of the recordings is read, and what was not is counted."""
    monkeypatch.setattr(reading, "MOST_CALLS_OF_SET", 300)
    runs(tmp_path / "2019")
    for part in PARTS:
        for i in range(4):
            recording(tmp_path / "2021" / part, f"bell_{i}", [line(2021, "read")] * 120)
    for year in ("2019", "2021"):
        train = lid_ds(tmp_path / year).train
        assert len(train.calls) <= 300
        assert len(train) + train.unread == (200 if year == "2019" else 4)
        assert train.unread


def test_damaged_recordings_are_left_out_and_told_of(tmp_path: Path) -> None:
    """Cut, missing and foreign recordings do not end the evaluation: it is said which and why."""
    runs(tmp_path / "2019")
    (tmp_path / "2019" / "run3.txt").unlink()
    put(tmp_path / "2019" / "run4.txt", line(2019, "read") + "2 12:00:0")
    split = lid_ds(tmp_path / "2019")
    assert len(split.train) == 198
    assert [("run3.txt" in why, "run4.txt" in why) for why in split.train.damaged] == [
        (True, False),
        (False, True),
    ]
    (said,) = [text for text in how_read(split) if text.startswith("damaged")]
    assert "2 recordings left out; the first: " in said
    assert "run3.txt cannot be read (no such file or directory)" in said
    for part in PARTS:
        recording(tmp_path / "2021" / part, "whole", [line(2021, "read")])
        cut = recording(tmp_path / "2021" / part, "cut", [line(2021, "read")])
        put(cut, cut.read_bytes()[:90])
    split = lid_ds(tmp_path / "2021")
    assert [len(s) for s in (split.train, split.normal, split.attack)] == [1, 1, 1]
    assert all(len(s.damaged) == 1 for s in (split.train, split.normal, split.attack))


def test_where_nothing_is_left_the_recording_is_named(tmp_path: Path) -> None:
    """An archive without its parts, and a line that is no call, are refused when they are all."""
    put(tmp_path / "training" / "x.zip", b"PK nonsense")
    for part in PARTS[2:]:
        recording(tmp_path / part, "x", [line(2021, "read")])
    with pytest.raises(RecordingError, match=r"x\.zip is no recording"):
        lid_ds(tmp_path)
    recording(tmp_path / "training", "x", ["no call here\n"])
    with pytest.raises(RecordingError, match="no system call"):
        lid_ds(tmp_path)


def test_what_is_no_scenario_is_refused(tmp_path: Path) -> None:
    """Another folder, none, and one without recordings are each said to be so."""
    (tmp_path / "training").mkdir()
    with pytest.raises(SettingError, match="no scenario"):
        lid_ds(tmp_path / "training")
    with pytest.raises(SettingError, match="no folder of that name"):
        lid_ds(tmp_path / "none")
    put(tmp_path / "training" / "x" / "x.pcap", "")
    with pytest.raises(SettingError, match=r"the files NAME\.sc that these hold; got neither"):
        lid_ds(tmp_path)


def test_recordings_that_were_unpacked_are_read_as_packed_ones(tmp_path: Path) -> None:
    """NAME.sc alone, or in a folder with its other parts; one that lies there packed too is one."""
    for part in PARTS:
        folder = tmp_path / part
        recording(folder, "b", [line(2021, "read")])
        put(folder / "a.sc", line(2021, "mmap") + line(2021, "mmap", "<"))
        put(folder / "c" / "c.sc", line(2021, "close"))
        put(folder / "c" / "c.json", "{}")
        put(folder / "b" / "b.sc", line(2021, "read"))
    split = lid_ds(tmp_path)
    for part in (split.train, split.normal, split.attack):
        assert everything(part) == [["mmap"], ["read"], ["close"]]


def test_a_recording_that_was_unpacked_twice_counts_once(tmp_path: Path) -> None:
    """By its name, wherever it lies; a hidden file or a folder of such a name is no recording."""
    for part in PARTS:
        put(tmp_path / part / "b.sc" / "b.sc", line(2021, "read"))
        for folder in (tmp_path / part, tmp_path / part / "a"):
            put(folder / "a.sc", line(2021, "mmap"))
            put(folder / "._b.sc", b"\0\5\x16\7\0")
            put(folder / "._c.zip", b"\0\5\x16\7\0")
    split = lid_ds(tmp_path)
    for found in (split.train, split.normal, split.attack):
        assert (everything(found), found.damaged) == ([["mmap"], ["read"]], ())


def test_a_damaged_recording_that_was_unpacked_is_left_out(tmp_path: Path) -> None:
    """It is told of as one that is packed."""
    for part in PARTS:
        put(tmp_path / part / "a.sc", line(2021, "mmap"))
        put(tmp_path / part / "b.sc", line(2021, "mmap") + "1631203721577779003 33 20")
    split = lid_ds(tmp_path)
    assert [len(part) for part in (split.train, split.normal, split.attack)] == [1, 1, 1]
    assert "b.sc is no system call" in split.train.damaged[0]


@pytest.mark.parametrize("year", FORMS)
def test_recordings_of_it_are_traces_of_ones_own_as_well(tmp_path: Path, year: int) -> None:
    """Wherever they lie: the file is a trace, thread after thread, or each thread is one."""
    threads = [("openat", 7), ("read", 8), ("switch", 8), ("<unknown>", 7), ("close", 8)]
    both = [line(year, call, way, thread=t) for call, t in threads for way in "><"]
    file = put(tmp_path / "a.sc", "".join(both))
    found = read(file)
    assert found.read_as == ("file",)
    assert everything(found) == [["openat", "unknown", "read", "close"]]
    others = (put(tmp_path / name, "".join(both)) for name in ("b.sc", "c.sc"))
    split = read_split(file, *others, "process")
    assert everything(split.attack) == [["openat", "unknown"], ["read", "close"]]
    put(file, "".join(both) + "no event\n")
    with pytest.raises(RecordingError, match=r"a\.sc is no system call"):
        read(file)


def test_what_sysdig_prints_by_default_is_read(tmp_path: Path) -> None:
    """With the thread in brackets, and whatever the process is called."""
    text = "".join(
        f"{i} 15:01:22.104 0 {name} ({thread}) {way} {call} fd=3(<f>/x, y) \n"
        for i, (name, thread, call) in enumerate(
            [("bash", 7, "openat"), ("(sd pam)", 8, "read"), ("bash", 7, "switch"), ("x", 7, "dup")]
        )
        for way in "><"
    )
    file = put(tmp_path / "a.txt", text)
    assert everything(read(file)) == [["openat", "dup", "read"]]
    others = (put(tmp_path / name, text) for name in ("b.txt", "c.txt"))
    assert everything(read_split(file, *others, "process").attack) == [["openat", "dup"], ["read"]]
