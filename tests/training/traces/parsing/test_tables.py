"""Promises of traces in tables: columns, labels, and rows of a call or of a trace."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from oddcall.models.errors import EvidenceError, RecordingError, SettingError
from oddcall.training.traces.parsing.apart import traces_of
from oddcall.training.traces.parsing.labels import Labels
from oddcall.training.traces.parsing.reading import read_split
from oddcall.training.traces.traces import Vocabulary

from ..written import everything, put, read, words


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


CLEAN = ("0", "0.0", "Normal", "benign", "False", "N", "good", 0, "OK", "safe", "normal.")


@pytest.mark.parametrize(
    ("label", "attack"),
    [
        *((clean, False) for clean in (*CLEAN, "benign.", "baseline", "clean", "Non-Malicious")),
        *((none, None) for none in ("", "NaN", "None", "null", "-", "<NA>", None, float("nan"))),
        *((odd, True) for odd in ("1", "1.0", "true", "DoS", True, 1, "-1", "unsafe", "normal?")),
    ],
)
def test_a_label_that_is_missing_says_nothing(label: object, attack: bool | None) -> None:
    """What stands for no label is none; any other is of a normal trace or of an attack."""
    text = json.dumps([{"calls": "read close", "label": label}])
    _, found, *_ = traces_of(io.BytesIO(text.encode()), "x", "auto", Vocabulary())
    assert [Labels().is_attack(one.label) for one in found] == [attack]


def test_a_label_that_was_named_is_normal_and_no_other() -> None:
    """Named labels are of normal traces, in whatever letters; all others of attacks."""
    named = Labels.of(["1", "Normal traffic"])
    said = [named.is_attack(label) for label in ("1", "normal traffic", "-1", "0", "normal", "nan")]
    assert said == [False, False, True, True, True, None]
    assert Labels.of(["none"]).is_attack("none") is False
    assert named.deciding("1", "0") == "0"


@pytest.mark.parametrize(
    "name",
    [
        "label",
        "Class",
        "attack_cat",
        "attack type",
        "is_malicious",
        "target",
        "type",
        "y",
        "anomaly",
    ],
)
def test_columns_of_labels_have_many_names(tmp_path: Path, name: str) -> None:
    """Each of them says which rows are attacks."""
    rows = "".join(f"3 {i} 4,benign\n5 {i},worm\n" for i in range(9))
    split = read_split(put(tmp_path / "a.csv", f"calls,{name}\n{rows}"), None, None)
    assert (len(split.attack), split.kinds) == (9, ("worm",) * 9)


@pytest.mark.parametrize(
    ("head", "values"), [("type", "01"), ("type", ("enter", "exit")), ("target", "45"), ("y", "12")]
)
def test_a_column_of_something_else_is_of_no_labels(head: str, values: Sequence[str]) -> None:
    """What other tables call ``type`` or ``y`` counts where a word of it is of what is normal."""
    text = f"calls,{head}\n" + "".join(f"read close,{value}\n" for value in values)
    for meaning, many in ((Labels(), {""}), (Labels.of([values[0]]), {*values})):
        taken = traces_of(io.BytesIO(text.encode()), "x", "auto", Vocabulary(), meaning)
        assert {one.label for one in taken.found} == many


@pytest.mark.parametrize(
    "name",
    [
        *("syscall_sequence", "system_calls", "syscall_trace", "trace", "syscall_list"),
        *("syscall_no", "nr", "sysnum", "SyscallName", "syscall number", "System Call"),
    ],
)
def test_columns_of_calls_have_many_names(tmp_path: Path, name: str) -> None:
    """However public sets name it, and whatever stands between the words of a name."""
    put(tmp_path / "a.csv", f"ts,{name}\n1,read close\n2,open\n")
    assert everything(read(tmp_path)) == [["read", "close"], ["open"]]


@pytest.mark.parametrize("names", ["t_{}", "T{}", "step {}", "timestep_{}", '"pos_{}"'])
@pytest.mark.parametrize("begin", [0, 1])
def test_a_column_a_call_makes_a_row_a_trace(tmp_path: Path, names: str, begin: int) -> None:
    """Numbered in order, however many, with what else a row has beside them; cells may be empty."""
    width = 900
    head = ["hash", *(names.format(i + begin) for i in range(width)), "malware"]
    rows = []
    for i in range(30):
        calls = [str((i * j) % 300) for j in range(width)]
        rows.append([f"{i:032x}", *calls, str(i % 3 // 2)])
    rows.append(["x", "4", "5", *["", "NaN", "null"] * 299, "", "0"])
    text = "\n".join(",".join(row) for row in [head, *rows])
    split = read_split(put(tmp_path / "all.csv", text), None, None)
    assert (split.train.read_as, len(split.attack)) == (("row",), 10)
    assert split.attack.lengths.tolist() == [width] * 10
    clean = everything(split.train) + everything(split.normal)
    assert len(clean) == 21
    assert ["4", "5"] in clean
    assert words(split.attack, 0)[:4] == ["0", "2", "4", "6"]


@pytest.mark.parametrize(
    "head", ["t_0,t_1", "t_2,t_3,t_4", "t_0,u_1,v_2", "t_0,t_2,t_4", "n_0,n_1,n_2"]
)
def test_other_numbers_of_columns_are_no_order(tmp_path: Path, head: str) -> None:
    """Fewer than three that follow each other, or named otherwise, may be of anything."""
    rows = "\n".join(f"{i}{',3' * head.count(',')},0" for i in range(20))
    with pytest.raises(RecordingError, match="none of calls"):
        read(put(tmp_path / "a.csv", f"{head},label\n{rows}"))


def test_columns_may_stand_between_blanks(tmp_path: Path) -> None:
    """A first line of names, nothing else, makes a table of lines that white space divides."""
    put(tmp_path / "a.log", " pid  tid call ret\n 12001 12001  read 8\n 12002 12001 open 3 \n")
    assert everything(read(tmp_path)) == [["read"], ["open"]]
    put(tmp_path / "a.log", "system call\n3 4\n5 6\n")
    assert everything(read(tmp_path)) == [["3", "4"], ["5", "6"]]


def test_labels_that_say_nothing_are_named(tmp_path: Path) -> None:
    """Without an attack, or a normal trace, the labels met and the columns found are told."""
    file = put(tmp_path / "a.csv", "id,calls,outcome\n1,3 4 5,0\n2,3 4,1\n")
    with pytest.raises(SettingError, match=r"no attack.*id, calls, outcome.*named label, class"):
        read_split(file, None, None)
    put(file, "calls,label\n3 4 5,fine\n3 4,bad\n3 4,fine\n")
    with pytest.raises(EvidenceError, match=r"'fine' 2, 'bad' 1, all .* --normal-label WORD.*safe"):
        read_split(file, None, None)
    split = read_split(file, None, None, normal_labels=["Fine"])
    assert [(one.label, one.attack) for one in split.labelled] == [("fine", False), ("bad", True)]
    with pytest.raises(SettingError, match=r"no trace has the label 'fein'.*'fine' 2"):
        read_split(file, None, None, normal_labels=["fein"])
    put(file, "calls,label\n3 4 5,0\n")
    with pytest.raises(SettingError, match=r"no attack.*got the labels '0' 1"):
        read_split(file, None, None)


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
    assert (how, [Labels().is_attack(one.label) for one in found]) == ("process", [attack])


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


BOTH = ["read >", "open >", "open <", "read <"]
BOTH_ONCE = ["read", "open"]


@pytest.mark.parametrize(
    ("rows", "calls"),
    [
        (BOTH, ["read", "open"]),
        ([row.replace(">", "enter").replace("<", "Exit") for row in BOTH], ["read", "open"]),
        (["close <", *BOTH, "close >"], ["close", "read", "open", "close"]),
        (["open <", "open <", "read <"], ["open", "open", "read"]),
        (["open >", "open <", "open >", "open <"], ["open", "open"]),
        (["open in", "open out"], ["open", "open"]),
        (["sys_enter_read enter", "sys_exit_read exit"], ["read"]),
        (["syscall_entry_read >", "compat_syscall_exit_open <", "syscall_exit_read <"], BOTH_ONCE),
        (["syscalls:sys_enter_read >", "syscalls:sys_exit_read <"], ["read"]),
    ],
)
def test_a_call_of_two_rows_counts_once(tmp_path: Path, rows: list[str], calls: list[str]) -> None:
    """Where it begins; of one that began before, and of a table of ends alone, where it ends."""
    for name in ("direction", "evt.dir"):
        lines = [f"syscall,{name}", *(row.replace(" ", ",") for row in rows)]
        assert everything(read(put(tmp_path / f"{name}.csv", "\n".join(lines)))) == [calls]


def test_rows_of_two_processes_are_told_apart_where_a_call_ends(tmp_path: Path) -> None:
    """The end of one's call takes nothing from another that makes the same."""
    rows = ["pid,syscall,direction", "1,read,>", "2,read,<", "2,read,>", "1,read,<", "1,open,<"]
    found = read(put(tmp_path / "a.csv", "\n".join(rows)))
    assert everything(found) == [["read", "open"], ["read", "read"]]


@pytest.mark.parametrize("begin", ["", "normal", "attack"])
@pytest.mark.parametrize("end", ["", "normal", "attack"])
@pytest.mark.parametrize("process", ["pid,7", "user,root"])
def test_the_label_of_either_row_of_a_call_counts(process: str, begin: str, end: str) -> None:
    """That of an attack before that of what is normal, and this before none, wherever it stands."""
    column, cell = process.split(",")
    rows = [f"{column},syscall,dir,label", f"{cell},read,>,{begin}", f"{cell},read,<,{end}"]
    vocabulary = Vocabulary()
    text = "\n".join(rows).encode()
    (found,) = traces_of(io.BytesIO(text), "x", "auto", vocabulary).found
    decides = next(label for label in ("attack", "normal", "") if label in (begin, end))
    assert (found.label, len(found.calls)) == (decides, 1)


def test_without_a_direction_each_row_is_a_call(tmp_path: Path) -> None:
    """The same call again is a call again: nothing says that it is the end of the one before."""
    found = read(put(tmp_path / "a.csv", "syscall,ret\nopen,\nopen,3\nread,\nread,5\n"))
    assert everything(found) == [["open", "open", "read", "read"]]


@pytest.mark.parametrize("name", ["trace_id", "TraceID", "session_id", "sequence_id"])
@pytest.mark.parametrize("pid", ["", "pid,"])
def test_traces_of_a_table_are_told_apart_by_what_numbers_them(
    tmp_path: Path, name: str, pid: str
) -> None:
    """Alone or beside a process, whose number comes again in another trace."""
    rows = [f"{trace},{'7,' if pid else ''}{call}" for trace in (1, 2) for call in ("open", "read")]
    file = put(tmp_path / "a.csv", "\n".join([f"{name},{pid}syscall", *rows]))
    assert everything(read(file)) == [["open", "read"], ["open", "read"]]


def test_a_table_that_tells_no_traces_apart_is_said_to_be_one(tmp_path: Path) -> None:
    """With labels of both kinds it would be one attack: labels are not what is wrong."""
    rows = [f"{i % 9},{call},{i % 2}" for i, call in enumerate(["open", "read", "close"] * 20)]
    file = put(tmp_path / "a.csv", "\n".join(["run,syscall,label", *rows]))
    with pytest.raises(EvidenceError, match=r"one in each table.*got 1, .*run.*pid or trace_id"):
        read_split(file, None, None)
