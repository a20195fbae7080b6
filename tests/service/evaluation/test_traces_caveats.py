"""What bounds figures of traces, and how the traces were read: said in all three forms alike."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from oddcall.models.calls import names
from oddcall.models.errors import EvidenceError, SettingError
from oddcall.service.cli import cli
from oddcall.service.evaluation.traces_caveats import caveats, how_read, warnings
from oddcall.service.evaluation.traces_page import write
from oddcall.service.evaluation.traces_text import as_dict, table
from oddcall.training.figures import Result, measure, told
from oddcall.training.traces.attack_kinds import by_kind
from oddcall.training.traces.evaluation import DEFAULT
from oddcall.training.traces.parsing.reading import read_split
from oddcall.training.traces.traces import Labelled, Split, TraceSet, Vocabulary

LABELS = ["Benign", "normal", "0", "normal", "benign", "normal", "risky", "attack", "DoS 2", "nan"]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_number_among_names_is_told_with_its_place(tmp_path: Path) -> None:
    """It is one more call, as a tracer may not know a name; a slip of the pen looks the same."""
    for name, text in (("a", "openat read close"), ("b", "openat 461 close"), ("c", "read 3 read")):
        for part in ("learned", "odd"):
            (tmp_path / part).mkdir(exist_ok=True)
            (tmp_path / part / name).write_text(f"{text} {'read ' * 30}")
    (tmp_path / "odd" / "c").write_text("read write read " * 12)
    split = read_split(tmp_path / "learned", None, tmp_path / "odd", "file")
    said = [line for line in warnings(split, [DEFAULT]) if "among names" in line]
    assert said == [
        (
            "--train: 2 calls are numbers among names, taken as no call that has a name; "
            "the first in b: its call 2 is 461"
        ),
        (
            "--attack: 1 call is a number among names, taken as no call that has a name; "
            "in b: its call 2 is 461"
        ),
    ]
    (tmp_path / "learned" / "b").unlink()
    (tmp_path / "learned" / "c").unlink()
    (tmp_path / "odd" / "b").unlink()
    split = read_split(tmp_path / "learned", None, tmp_path / "odd", "file")
    assert not [line for line in warnings(split, [DEFAULT]) if "among names" in line]


def test_what_each_label_was_taken_for_is_said(tmp_path: Path) -> None:
    """By word and how often, in the terminal, in JSON and on the page; none is passed over."""
    rows = [f"read close{' read' * i},{label}" for i, label in enumerate(LABELS)]
    (tmp_path / "t.csv").write_text("\n".join(["trace,label", *rows]))
    words = ["evaluate", "traces", "--detector", "stide", "--train", str(tmp_path / "t.csv")]
    answer = CliRunner().invoke(cli, [*words, "--html", str(tmp_path / "x.html")])
    assert answer.exit_code == 0, answer.output
    said = (
        'labels: normal 6 (normal 3, benign 2, "0" 1), attack 3 (risky 1, attack 1, "dos 2" 1), '
        "no label 1 (nan 1)"
    )
    assert said in flat(answer.stdout)
    assert max(len(line) for line in answer.stdout.splitlines() if "wrote" not in line) <= 80
    assert escape(said[1:]) in (tmp_path / "x.html").read_text()
    found = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)
    assert said in found["read"]
    (split,) = found["traces"]
    assert sum(one["traces"] for one in split["labels"]) == len(LABELS)
    assert {one["label"]: one["taken_for"] for one in split["labels"]} == {
        **dict.fromkeys(("normal", "benign", "0"), "normal"),
        **dict.fromkeys(("risky", "attack", "dos 2"), "attack"),
        "nan": None,
    }


def test_labels_that_name_kinds_make_a_table_of_them(tmp_path: Path) -> None:
    """The labels of attacks are their kinds, and the first line says how many calls were read."""
    rows = [
        f"read close{' read' * i},{label}"
        for i, label in enumerate(["idle"] * 9 + ["worm", "scan"] * 2)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["calls,type", *rows]))
    words = ["evaluate", "traces", "--detector", "stide", "--train", str(tmp_path / "t.csv")]
    answer = CliRunner().invoke(cli, [*words, "--normal-label", "IDLE"])
    assert answer.exit_code == 0, answer.output
    calls = sum(range(2, 15))
    assert f"traces: 6 learned from, 3 normal, 4 attacks; {calls} calls\n" in answer.stdout
    lines = answer.stdout.split("by kind of attack")[1].splitlines()
    assert {line.split()[0] for line in lines[2:4]} == {"scan", "worm"}


def test_a_list_of_calls_that_was_left_out_is_named(tmp_path: Path) -> None:
    """In the terminal and in JSON, with why it is no trace."""
    (tmp_path / "clean").mkdir()
    for i in range(9):
        (tmp_path / "clean" / f"{i}").write_text("read close " * (i + 1))
    listed = "".join(f"{i} {call}\n" for i, call in enumerate(names("x86_64")))
    (tmp_path / "clean" / "map.txt").write_text(listed)
    (tmp_path / "attack").write_text("ptrace")
    words = ["evaluate", "traces", "--detector", "stide", "--train", str(tmp_path / "clean")]
    words += ["--attack", str(tmp_path / "attack")]
    said = "left out: map.txt: names of the calls that there are, and no trace"
    answer = CliRunner().invoke(cli, words)
    assert f"\n{said}\n" in answer.stdout, answer.output
    found = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)
    assert said in found["read"]
    assert found["traces"][0]["train"]["lists"] == ["map.txt"]


def test_a_file_of_beth_is_told_what_to_type(tmp_path: Path) -> None:
    """The set is of a folder; a file of it may be judged by its own labels."""
    file = tmp_path / "labelled_training_data.csv"
    file.write_text("processId,eventName,evil\n1,read,0\n")
    words = ["evaluate", "traces", "--set", "beth", "--data", str(file)]
    with pytest.raises(SettingError, match=f"--data {tmp_path}, .*--train {file}"):
        CliRunner().invoke(cli, words, catch_exceptions=False)


def test_a_process_is_counted_under_the_label_that_decided(tmp_path: Path) -> None:
    """Of a table with a call a row each process counts once, by its gravest label."""
    processes = [("good", "-"), ("", "worm"), ("good", "worm"), ("-", ""), ("good", "good")]
    rows = [f"{pid},read,{label}" for pid, both in enumerate(processes) for label in both]
    (tmp_path / "t.csv").write_text("\n".join(["pid,syscall,label", *rows]))
    split = read_split(tmp_path / "t.csv", None, None)
    assert set(split.labelled) == {
        Labelled("good", False, 2),
        Labelled("worm", True, 2),
        Labelled("-", None, 1),
    }
    assert 'labels: normal 2 (good 2), attack 2 (worm 2), no label 1 ("-" 1)' in how_read(split)


def test_nothing_is_said_of_labels_where_there_is_none(tmp_path: Path) -> None:
    """Traces in files of their own have no label, and no line is of them."""
    for name in ("a", "b"):
        (tmp_path / name).write_text("read close")
    split = read_split(tmp_path / "a", None, tmp_path / "b", "line")
    assert split.labelled == ()
    assert not [line for line in how_read(split) if line.startswith("labels")]


def test_one_is_no_plural(tmp_path: Path) -> None:
    """One attack, one file and one trace are said so, in the head of the table and in caveats."""
    for name, count in (("normal", 8), ("attack", 1)):
        (tmp_path / name).mkdir()
        for i in range(count):
            (tmp_path / name / f"{i}").write_text(f"read {'close ' * (i + 1)}")
    words = ["evaluate", "traces", "--detector", "stide", "--train", str(tmp_path / "normal")]
    answer = CliRunner().invoke(cli, [*words, "--attack", str(tmp_path / "attack")])
    assert answer.exit_code == 0, answer.output
    assert re.search(r"\d normal, 1 attack; ", answer.stdout)
    split = read_split(tmp_path / "normal", None, tmp_path / "attack")
    cut = replace(split.train, unread=1, cut=1)
    said = " ".join(warnings(replace(split, train=cut), ["stide"]))
    assert "and 1 file was not: " in said
    assert "of 1 trace to learn from only" in said
    (tmp_path / "attack" / "0").write_text("")
    with pytest.raises(EvidenceError, match="got one file, empty"):
        read_split(tmp_path / "normal", None, tmp_path / "attack")


@pytest.mark.parametrize("different", [6, 30])
def test_the_page_and_json_say_whatever_the_terminal_says(different: int, tmp_path: Path) -> None:
    """Samples, long traces, empty files, strange names, broken promises: nothing is dropped."""
    vocabulary = Vocabulary()
    known, strange = vocabulary.id("read"), vocabulary.id("<odd> & new")
    traces = TraceSet.of([np.array([known] * (i + 1) + [strange]) for i in range(different)],
                         vocabulary)  # fmt: skip
    traces = replace(traces, unread=12, cut=3, empty=2, read_as=("joined", "row"))
    split = Split("traces", traces, replace(traces, read_as=("row",)), traces, held_out=True)
    scores = np.arange(float(different))
    result = told(measure(scores, scores + 1, different / 2), different)
    results, kinds = {DEFAULT: result}, {DEFAULT: {}}
    said = [*how_read(split), *warnings(split, ()), *caveats(split, result, DEFAULT)]
    assert len(said) == 5 + (2 if different < 10 else 1) + 6 + (5 if different < 20 else 4)
    write(tmp_path / "x.html", [split], results, kinds, DEFAULT)
    page = (tmp_path / "x.html").read_text()
    assert [line for line in said if escape(line[1:]) not in page] == []
    found = as_dict([split], results, kinds, DEFAULT)
    assert found["read"] + found["caveats"] == said
    printed = " ".join("\n".join(table([split], results, kinds, DEFAULT)).split())
    assert [line for line in said if line not in printed and line not in warnings(split, ())] == []


def traces_of(numbers: Sequence[int], vocabulary: Vocabulary) -> TraceSet:
    """One trace for each number; the same number makes the same trace."""
    calls = [vocabulary.id(call) for call in ("read", "close")]
    return TraceSet.of([np.array([calls[0]] * number + calls) for number in numbers], vocabulary)


def judged(
    learned: Sequence[int], normal: Sequence[int], attack: Sequence[int], threshold: float = 1e9
) -> tuple[Split, Result]:
    """A split of such traces, each scored by its number, as it would be evaluated."""
    vocabulary = Vocabulary()
    parts = [traces_of(numbers, vocabulary) for numbers in (learned, normal, attack)]
    scores = [np.array(numbers, np.float64) for numbers in (normal, attack)]
    found = measure(*scores, threshold, resamples=20)
    return Split("traces", *parts), told(found, len(set(normal)))


CANNOT = "normal traces cannot tell"
NO_TEST = "copies of traces that were learned from: what was learned is no test."


@pytest.mark.parametrize(
    ("normal", "untold", "said"),
    [
        (range(200, 300), 0, None),
        (range(200, 299), 1, f"99 {CANNOT} 1 %: one false positive is 1.01 % of them."),
        (range(200, 213), 2, f"13 {CANNOT} 1 % or 5 %: one false positive is 7.69 % of them."),
        (
            [*range(200, 209)] * 20,
            3,
            f"9 different {CANNOT} 1 %, 5 % or 10 %: one false positive is 11.1 % of them.",
        ),
    ],
)
def test_a_rate_of_less_than_one_trace_is_not_told(
    normal: Sequence[int], untold: int, said: str | None, tmp_path: Path
) -> None:
    """What so few normal traces cannot tell is null, a dash in all tables, and a caveat."""
    split, result = judged(range(1, 100), normal, range(300, 330))
    told_of = [line for line in caveats(split, result, DEFAULT) if CANNOT in line]
    assert told_of == ([said] if said else [])
    kinds = {DEFAULT: by_kind(result, ["shell", "scan"] * 15)}
    found = as_dict([split], {DEFAULT: result}, kinds, DEFAULT)
    shares = [None] * untold + [1.0] * (3 - untold)
    for figures in (found["detectors"][DEFAULT], *found["attacks"][DEFAULT].values()):
        assert figures["dr_at_fpr"] == dict(zip(("0.01", "0.05", "0.10"), shares, strict=True))
    lines = list(table([split], {DEFAULT: result}, kinds, DEFAULT))
    dashes = ["-"] * untold + ["1.00"] * (3 - untold)
    for name, first in ((f"{DEFAULT}*", 4), ("shell", 3), ("scan", 3)):
        (row,) = [line for line in lines if line.startswith(f"{name} ")]
        assert row.split()[first : first + 3] == dashes
    write(tmp_path / "x.html", [split], {DEFAULT: result}, kinds, DEFAULT)
    page = (tmp_path / "x.html").read_text()
    assert page.count("too few to tell") == untold
    assert page.count("<td>-</td>") == 1 + 3 * untold


def test_a_range_without_width_is_none() -> None:
    """Where every resample gives the same figure, that is no range of it."""
    split, result = judged(range(1, 100), range(200, 300), range(300, 330))
    found = as_dict([split], {DEFAULT: result}, {DEFAULT: {}}, DEFAULT)
    assert set(found["intervals"][DEFAULT].values()) == {None}
    assert "1.000-1.000" not in "\n".join(table([split], {DEFAULT: result}, {}, DEFAULT))
    split, result = judged(range(1, 100), range(200, 300), range(250, 330))
    found = as_dict([split], {DEFAULT: result}, {DEFAULT: {}}, DEFAULT)
    low, high = found["intervals"][DEFAULT]["auc"]
    assert 0 < low < high < 1


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (range(300, 320), None),
        (range(300, 310), "Only 10 attacks to find: if all are found, up to 26 % of others"),
        ([300], "Only 1 attack to find: if it is found, up to 95 % of others"),
        ([300, 301] * 30, "Only 2 different attacks to find: if all are found, up to 78 %"),
    ],
)
def test_few_attacks_are_said_to_tell_little(attack: Sequence[int], said: str | None) -> None:
    """Below twenty that differ, the part of such attacks that may be missed still is named."""
    lines = list(caveats(*judged(range(99), range(99, 199), attack), DEFAULT))
    assert [line.startswith(said or "?") for line in lines] == ([True] if said else [])


@pytest.mark.parametrize(
    ("learned", "normal", "above", "told_of"),
    [
        (27, 13, 1, False),
        (27, 13, 4, True),
        (400, 13, 1, False),
        (400, 13, 4, True),
        (400, 400, 28, False),
        (400, 400, 60, True),
    ],
)
def test_programs_are_blamed_only_beyond_chance(
    learned: int, normal: int, above: int, told_of: bool
) -> None:
    """One false positive of 13 is 7.7 % and no sign of other programs; what chance cannot is."""
    first = 500
    numbers = range(first, first + normal)
    parts = judged(range(learned), numbers, range(1_000, 1_030), first + normal - above - 0.5)
    assert parts[1].fpr == pytest.approx(above / normal)
    said = list(caveats(*parts, DEFAULT))
    assert any("of other programs" in line for line in said) == told_of
    by_chance = any(f": {above} of {normal} that differ, and chance makes" in line for line in said)
    assert by_chance == (not told_of and above / normal > 0.075)


@pytest.mark.parametrize(("foreign", "said"), [(3, True), (1, False)])
def test_attacks_of_other_calls_are_told_of(foreign: int, *, said: bool) -> None:
    """Numbers of another architecture are found by that alone: it is said."""
    split, result = judged(range(99), range(99, 199), range(300, 330))
    vocabulary = split.train.vocabulary
    calls = [vocabulary.id(f"{900 + i}") for i in range(foreign)]
    attack = [np.array([int(split.train.calls[0])] * 2 + calls) for _ in range(30)]
    split = replace(split, attack=TraceSet.of(attack, vocabulary))
    lines = [line for line in caveats(split, result, DEFAULT) if "in no clean trace" in line]
    assert [line.startswith("Of the calls in attacks 60 %") for line in lines] == [True] * said


@pytest.mark.parametrize(
    ("clean", "odd", "told_of"),
    [
        (["0 3 {}", "0 9 4 {}"], ["1 3 {}", "2 9 4 {}"], "The first call of every normal trace is"),
        (["3 {} 0", "9 4 {} 0"], ["3 {} 5", "9 4 {} 6"], "The last call of every normal trace is"),
        (["11 3 {}", "11 9 4 {}"], ["11 3 {}", "12 9 4 {}"], ""),
        (["0 3 {}", "3 9 4 {}"], ["1 3 {}", "2 9 4 {}"], ""),
    ],
)
def test_a_first_or_last_call_that_tells_attacks_is_told(
    tmp_path: Path, clean: list[str], odd: list[str], told_of: str
) -> None:
    """It may be a label; where one attack, or one normal trace, is otherwise, it tells nothing."""
    for name, texts in (("clean", clean), ("odd", odd)):
        (tmp_path / name).mkdir()
        for i in range(8):
            (tmp_path / name / f"{i}").write_text(texts[i % 2].format(40 + i))
    split = read_split(tmp_path / "clean", None, tmp_path / "odd")
    result = measure(np.arange(len(split.normal)), np.arange(8) + 0.5, 1.0)
    said = [line for line in caveats(split, result, DEFAULT) if "every normal trace is" in line]
    assert [line.partition(" 0, and")[0] for line in said] == [told_of] * bool(told_of)


def test_copies_of_one_false_positive_are_one() -> None:
    """A trace that is above the threshold, and came forty times, is no more than one by chance."""
    parts = judged(range(27), [*range(500, 512), *[512] * 40], range(600, 630), 511.5)
    said = [line for line in caveats(*parts, DEFAULT) if "own threshold" in line]
    (one,) = said
    assert one.endswith("5 %: 1 of 13 that differ, and chance makes as many in 32 of 100 cases.")


@pytest.mark.parametrize(
    ("normal", "attack", "said"),
    [
        (range(100, 200), range(300, 330), []),
        (
            [*range(3), *range(100, 200)],
            [0, *range(300, 330)],
            [
                "Of 103 normal traces 3 are copies of traces that were learned from.",
                "Of 31 attacks 1 is a copy of traces that were learned from.",
            ],
        ),
        (
            range(100),
            range(25),
            [
                f"Of 100 normal traces all are {NO_TEST}",
                f"Of 25 attacks all are {NO_TEST}",
            ],
        ),
    ],
)
def test_copies_of_what_was_learned_are_counted(
    normal: Sequence[int], attack: Sequence[int], said: list[str]
) -> None:
    """How much of what is judged was learned from, and that it is no test where all of it was."""
    assert list(caveats(*judged(range(100), normal, attack), DEFAULT)) == said


def test_a_copied_folder_is_no_test(tmp_path: Path) -> None:
    """A copy of --train given as --normal is told of on the terminal, in JSON and on the page."""
    for i in range(30):
        for place in ("train", "copy"):
            (tmp_path / place).mkdir(exist_ok=True)
            (tmp_path / place / f"{i}").write_text("3 4 " * (i + 1))
    (tmp_path / "attack").write_text("59 59")
    places = {"train": "train", "normal": "copy", "attack": "attack"}
    words = [word for flag, at in places.items() for word in (f"--{flag}", str(tmp_path / at))]
    words = ["evaluate", "traces", "--detector", "stide", "--layout", "file", *words]
    answer = CliRunner().invoke(cli, [*words, "--html", str(tmp_path / "x.html")])
    said = f"Of 30 normal traces all are {NO_TEST}"
    assert said in flat(answer.stdout)
    assert said in (tmp_path / "x.html").read_text()
    assert said in json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)["caveats"]
