"""Promises about the verb that shows all that is known of an alert."""

from __future__ import annotations

import copy
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from oddcall.models import calls
from oddcall.models.explanation.explanation import NOTHING_SHARED, TOP
from oddcall.models.features import FeatureSpec
from oddcall.models.tolerance import Behaviour
from oddcall.models.window import Program
from oddcall.service.alerts.text import explained
from oddcall.service.cli import run
from oddcall.service.history import History
from oddcall.service.state import StateDir

EPISODE = "7102ecfb-aaf4-591c-a705-d4085130b751"
NEAR = {
    "start": "2023-11-13T09:00:00.000000Z",
    "end": "2023-11-13T09:00:01.000000Z",
    "pid": 77,
    "events": 1234,
    "distance": 0.61234,
    "usual_distance": 0.08765,
}
_WORDS = {8: "eight"}
NEVER = {"q05": 0.0, "q50": 0.0, "q95": 0.0}


def line(state: str, id_: str, features: int) -> dict[str, Any]:
    return {
        "id": id_,
        "episode_id": EPISODE,
        "state": state,
        "time": "2023-11-14T22:13:22.000000Z",
        "severity": "high",
        "program": {"exe": "/usr/sbin/nginx", "comm": "nginx", "container": None, "unit": ""},
        "process": {"pid": 100, "ppid": 50, "parent": "init", "uid": 33, "cmdline": None},
        "window": {
            "start": "2023-11-14T22:13:20.000000Z",
            "end": "2023-11-14T22:13:22.000000Z",
            "events": 6632,
        },
        "coverage": {"observed_s": 2.0, "lost": 0, "lost_keys": 0},
        "score": {
            "p_value": 8.3e-8,
            "threshold": 7.8e-7,
            "extrapolated": True,
            "detectors": {"pca_residual": 0.01, "novelty": 2e-7},
        },
        "baseline": {"level": "program", "windows": 1204},
        "explanation": {
            "sentence": "nginx made connect calls; it never did before.",
            "top": [
                {
                    "feature": f"call{i} (share of calls)",
                    "observed": 0.1,
                    "typical": NEVER,
                    "contribution": 1 / features,
                }
                for i in range(features)
            ],
            "onset": "2023-11-14T22:13:20.000000Z",
            "nearest_windows": [NEAR],
        },
        "attack_hints": [],
        "suppressed_since_last": 0,
        "returns": 0,
    }


LINES = [line("open", EPISODE, 9), line("close", "0a0b0c0d-aaf4-591c-a705-d4085130b751", 2)]

OTHER = copy.deepcopy(LINES[0]) | {"id": "7fff", "episode_id": "7fff"}


@pytest.fixture
def state(tmp_path: Path) -> list[str]:
    """Flags that name a state directory whose history holds one episode of two lines."""
    history = History(StateDir(tmp_path).history, print)
    for alert in LINES:
        history.add(alert)
    history.close()
    return ["--state-dir", str(tmp_path)]


def test_nothing_is_shortened() -> None:
    """Every feature, each detector's p-value, the onset and the nearest windows, in 80 columns."""
    said = explained(LINES[0])
    assert all(f"call{i} " in said for i in range(9))
    assert "novelty p = 2.0e-07, pca_residual p = 1.0e-02" in said
    assert "2.0 s before this line" in said
    assert "77     1,234      0.612    0.088" in said
    assert max(map(len, said.splitlines())) <= 80


def test_a_distance_comes_with_its_scale() -> None:
    """Beside it what is usual, below it what nothing shared would be; of a line that has no
    scale, as earlier versions wrote them, none is said."""
    said = explained(LINES[0])
    assert "distance    usual\n" in said
    assert f"{NOTHING_SHARED:g}: nothing shared" in said
    earlier = copy.deepcopy(LINES[0])
    del earlier["explanation"]["nearest_windows"][0]["usual_distance"]
    said = explained(earlier)
    assert "0.612\n" in said
    assert "usual" not in said.split("nearest", 1)[1]


def test_no_more_features_are_promised_than_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """The help gives the most that an alert keeps."""
    assert run(["explain", "--help"]) == 0
    promised = " ".join(capsys.readouterr().out.split())
    assert f"those that weigh most ({_WORDS[TOP]} at most)" in promised


@pytest.mark.parametrize("word", ["last", "7102", "0a0b0c0d"])
def test_an_alert_is_found_by_any_name(
    word: str, state: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """By the id of a line, of the episode, their beginnings, or last: all lines, oldest first."""
    assert run(["explain", word, "--json", *state]) == 0
    assert json.loads(capsys.readouterr().out)["alerts"] == LINES


def test_lines_of_a_file_are_explained_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What replay wrote is shown as what watch kept is; notices in it are passed over."""
    path = tmp_path / "found.jsonl"
    path.write_text("".join(json.dumps(x) + "\n" for x in [{"kind": "notice"}, OTHER, *LINES]))
    assert run(["explain", "7102", "--alerts", str(path)]) == 0
    out = capsys.readouterr().out
    assert out.count("it never did before") == 1
    assert out.endswith("\n1 other line of it; --all shows every one in full\n")
    assert run(["explain", "7102", "--alerts", str(path), "--all"]) == 0
    out = capsys.readouterr().out
    assert out.count("it never did before") == 2
    assert f"{LINES[1]['id']}, close" in out


@pytest.mark.usefixtures("utc")
def test_an_alert_stands_as_the_page_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The oddest window, the gravest severity and the present state, whichever line came first."""
    opened = line("open", EPISODE, 2) | {"severity": "medium"}
    graver = line("update", "1a0b", 3) | {"time": "2023-11-14T22:13:30.000000Z", "returns": 2}
    graver["score"]["p_value"] = 1e-30
    graver["explanation"]["sentence"] = "nginx made ptrace calls."
    last = line("update", "2a0b", 1) | {"time": "2023-11-14T22:14:00.000000Z", "returns": 2}
    closed = graver | {"id": "3a0b", "state": "close", "time": "2023-11-14T22:14:00.000000Z"}

    def told(*lines: dict[str, Any]) -> str:
        path = tmp_path / "found.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        assert run(["explain", EPISODE[:8], "--alerts", str(path)]) == 0
        return capsys.readouterr().out

    assert told(opened).startswith("MEDIUM  nginx, going on\n")
    assert "other line" not in told(opened)
    out = told(opened, graver, last)
    assert out.startswith(
        "HIGH  nginx, going on\n"
        "  began 2023-11-14 22:13:20, came back 2 times, last seen 2023-11-14 22:14:00\n"
        "\n"
        "  nginx made ptrace calls.\n"
    )
    assert out.count("never did before") == 1, "beside its time alone"
    assert "call2 " in out
    assert out.endswith(
        f"  alert      {EPISODE}, going on\n"
        "  sent       2023-11-14 22:13:22  open    medium    p = 8.3e-08\n"
        f"               {LINES[0]['explanation']['sentence']}\n"
        "             2023-11-14 22:13:30  update  high      p = 1.0e-30, shown here\n"
        "             2023-11-14 22:14:00  update  high      p = 8.3e-08\n"
        "\n"
        "2 other lines of it; --all shows every one in full\n"
    )
    out = told(opened, graver, last, closed)
    assert out.startswith("HIGH  nginx, over\n")
    assert "2023-11-14 22:14:00  close   high      p = 1.0e-30\n" in out
    many = [graver | {"id": f"{i}a0b", "score": last["score"]} for i in range(20)]
    out = told(opened, *many)
    assert "  sent       9 lines like these not listed\n" in out, (
        "what opened it, and the first of the others, told another thing each"
    )
    assert out.count("nginx made ptrace calls.") == 1
    assert "20 other lines of it" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_line_cut_short_spoils_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line that a crash cut, even within a letter, is passed over; the others are explained."""
    path = tmp_path / "found.jsonl"
    opened, closed = (json.dumps(line).encode() + b"\n" for line in LINES)
    path.write_bytes(opened + opened[:200] + b"\xc3\n" + closed + closed[:100])
    assert run(["explain", "last", "--alerts", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["alerts"] == LINES


def test_the_last_alert_is_the_one_that_showed_something_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An older alert that closes afterwards is not the last one, in a file as in the history."""
    path = tmp_path / "found.jsonl"
    opened, closed = LINES
    path.write_text("".join(json.dumps(line) + "\n" for line in (opened, OTHER, closed)))
    assert run(["explain", "last", "--alerts", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["alerts"] == [OTHER]
    path.write_text(json.dumps(closed))
    assert run(["explain", "last", "--alerts", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["alerts"] == [closed]


def test_what_tolerate_would_make_normal_is_named_before(
    state: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Calls that no sentence and no row names are named last, however it is shown."""
    vectors = csr_matrix(([1.0], ([0], [0])), shape=(1, FeatureSpec().width), dtype=np.float32)
    ptrace, reboot = calls.number("ptrace"), calls.number("reboot")
    with closing(History(StateDir(tmp_path).history, print)) as history:
        history.add(line("update", "1f02", 1))
        did = Behaviour.of(Program("/usr/sbin/nginx"), np.array([ptrace, reboot]), vectors)
        history.behaved(EPISODE, [did])
    for flags in ([], ["--all"]):
        assert run(["explain", EPISODE[:8], *flags, *state]) == 0
        said = capsys.readouterr().out
        assert "normal if it is tolerated: ptrace, reboot\n" in said
    assert run(["explain", EPISODE[:8], "--json", *state]) == 0
    assert json.loads(capsys.readouterr().out)["tolerates"][-1].endswith("ptrace, reboot")
    assert run(["feedback", "tolerate", EPISODE[:8], *state]) == 0
    assert "ptrace, reboot" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "word", "said"),
    [
        (None, "last", "no alerts can be read from"),
        ("{nonsense", "last", "no alerts can be read from"),
        ("[1]\n3\n", "last", "no alerts can be read from"),
        ("", "last", "there has been no alert yet: "),
        ("", "beef", "no alert of"),
        (f"{json.dumps(LINES[0])}\n{json.dumps(OTHER)}", "7", "more than one alert of"),
        ("\n".join(map(json.dumps, LINES)), "beef", "named 'beef'"),
    ],
)
def test_what_is_not_there_is_said(
    text: str | None,
    word: str,
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One sentence and code 2 for a file that is none, and for an alert that is not in it."""
    path = tmp_path / "found.jsonl"
    if text is not None:
        path.write_text(text)
    assert run(["explain", word, "--alerts", str(path)]) == 2
    assert said in capsys.readouterr().err
