"""Promises of labels: three forms are read alike, mistakes are named, nothing else is needed."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oddcall.models.errors import RecordingError, SettingError
from oddcall.models.window import Program
from oddcall.training.ground_truth import Spans, attack_of
from oddcall.training.labels import Label, read_labels, write_labels

SCAN = Label("port-scan", 1_764_104_400_500_000_000, 1_764_104_402_000_000_000, 4711)
WINDOW = Spans(*(np.array([n]) for n in (10**9, 2 * 10**9, 7, 1, 0)), (Program("/bin/x"),))
LABELS = st.builds(
    Label,
    name=st.text(min_size=1, max_size=12),
    start_ns=st.integers(0, 2**31).map(lambda s: s * 1_000_003_000),
    end_ns=st.integers(2**31, 2**32).map(lambda s: s * 1_000_007_000),
    pid=st.none() | st.integers(1, 2**22),
    program=st.text(max_size=12),
    technique=st.text(max_size=5),
    visible=st.booleans(),
    host=st.text(max_size=5),
)


@settings(max_examples=20)
@given(st.lists(LABELS, max_size=5))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, labels: list[Label]):
    """Labels survive the way to a file and back, times to the microsecond, earliest first."""
    file = tmp_path_factory.mktemp("labels") / "l.jsonl"
    write_labels(file, labels)
    found = read_labels(file)
    assert found == sorted(labels, key=lambda label: label.start_ns)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "port-scan", "pid": 4711, "start": 1764104400.5, "end": 1764104402, "x": [1]}',
        '[{"attack": "port-scan", "pid": "4711", "start": 1764104400.5, "end": 1764104402}]',
        "name,pid,start,end\nport-scan,4711,2025-11-25T21:00:00.500+00:00,2025-11-25T22:00:02+01:00\n",
        "\ufeffname, start, end, pid, program\r\nport-scan, 1764104400.5, 1764104402, 4711,\r\n",
    ],
)
def test_three_forms_say_the_same(tmp_path: Path, text: str):
    """JSON lines, a JSON list and comma-separated values give the same label."""
    (tmp_path / "l").write_text(text)
    assert read_labels(tmp_path / "l") == [SCAN]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"name": "x", "start": 1}', "line 1 .*none named end"),
        ('{"name": "x", "start": 1, "end": 2}\n{"name": ', "line 2 .*not JSON"),
        ('{"name": "x", "start": 2, "end": 1}', "an end before the start"),
        ('{"name": "x", "start": "2025-11-25T21:00:00", "end": 1}', "no offset"),
        ('{"name": "x", "start": true, "end": 1}', "truth value"),
        ('{"name": "x", "start": "soon", "end": 1}', "soon"),
        ('{"name": "x", "start": NaN, "end": 1}', "NaN"),
        ('{"name": "x", "start": 1764104400500, "end": 1764104402000}', "are milliseconds"),
        ('{"name": "x", "start": 1764104400, "end": 1764104402000000}', "are microseconds"),
        ("name,start,end\nx,1764104400500000000,1764104402000000000\n", "are nanoseconds"),
        ('{"name": "x", "start": -70000000000, "end": 1}', "before 1970"),
        ('{"name": "x", "start": "1e999999", "end": "1e999999"}', "line 1 .*are nanoseconds"),
        ('{"name": "x", "start": "-1e999999", "end": 1}', "before 1970"),
        ('{"name": "x", "start": 1, "end": Infinity}', "Infinity for a time"),
        ('{"name": "x", "start": 1, "end": 2, "pid": 1e30}', "line 1 .*a pid of 1e"),
        ('{"name": "x", "start": 1, "end": 2, "pid": 1e999}', "line 1"),
        ('{"name": "x", "start": 1, "end": 2, "pid": 4194305}', "a pid of 4194305"),
        ('{"name": "x", "start": 1, "end": 2, "pid": 0}', "a pid of 0"),
        (f"name,start,end\nx,1,2\n{'y' * 140_000},1,2\n", "line 3 of .*field limit"),
        ("[1, 2]", "entry 1"),
        ("what,when\nx,1\n", "line 2 .*none named start"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str):
    """What is no label is refused with its place and what is wrong with it."""
    (tmp_path / "l").write_text(text)
    with pytest.raises(RecordingError, match=said):
        read_labels(tmp_path / "l")


@settings(max_examples=50)
@given(st.binary(max_size=60))
def test_anything_else_is_refused_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
):
    """Whatever a file holds, it is read or refused with an error of ours."""
    file = tmp_path_factory.mktemp("labels") / "l"
    file.write_bytes(content)
    with contextlib.suppress(RecordingError):
        assert isinstance(read_labels(file), list)


NUMBERS = st.floats() | st.integers() | st.from_regex(r"-?[0-9]{1,3}e-?[0-9]{1,7}", fullmatch=True)


@given(st.sampled_from(["start", "end", "pid"]), NUMBERS)
def test_any_number_is_taken_or_refused(
    tmp_path_factory: pytest.TempPathFactory, key: str, number: float | str
):
    """However large or small a number, as one or as text, the label with it is read or refused."""
    file = tmp_path_factory.mktemp("labels") / "l"
    file.write_text(json.dumps({"name": "x", "start": 1, "end": 9e10, "pid": 7, key: number}))
    with contextlib.suppress(RecordingError):
        (label,) = read_labels(file)
        assert attack_of(WINDOW, [label]).shape == (1,)
        write_labels(file, [label])
        assert read_labels(file)[0].pid == label.pid


def test_a_file_that_is_not_there(tmp_path: Path):
    """A missing file is a mistake of the command line."""
    with pytest.raises(SettingError, match="no such file"):
        read_labels(tmp_path / "none")


def test_an_outcome_of_a_simulation_is_a_label(tmp_path: Path):
    """What `oddcall simulate run --json` prints can be appended as it is."""
    from oddcall.service.simulate.outcome import Outcome

    done = Outcome(
        name="port-scan",
        pid=4711,
        program="/usr/bin/x",
        folder="/tmp",
        start=1764104400.5,
        end=1764104402.0,
        detail={"ports": 3},
        technique="T1046",
        visible=False,
    )
    (tmp_path / "l").write_text(json.dumps(done.as_dict()) + "\n")
    (label,) = read_labels(tmp_path / "l")
    assert (label.name, label.pid, label.program) == ("port-scan", 4711, "/usr/bin/x")
    assert (label.technique, label.visible) == ("T1046", False)
    assert label.start_ns == SCAN.start_ns
