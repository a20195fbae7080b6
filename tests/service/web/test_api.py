"""Promises about the API of a running watch."""

from __future__ import annotations

import http.client
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from oddcall.service.board.board import SPANS
from oddcall.service.feedback import Feedback
from oddcall.service.state import StateDir
from oddcall.service.web.address import read
from oddcall.training.synthetic import attacks


def scan(watching: Any) -> Any:
    """The episode of the port scan."""
    return next(e for e in watching.ask("api/state")[1]["episodes"] if "connect" in e["sentence"])


def test_the_state_is_whole(watching: Any) -> None:
    """One request tells the host, the phase, the budget, coverage, cost, programs and alerts."""
    status, state = watching.ask("api/state")
    assert status == 200
    assert state["host"]["name"] == "web1"
    assert (state["phase"], state["alive"]) == ("watching", True)
    assert state["coverage"]["capacity"] == 8192
    assert state["budget"]["used_today"] >= 1
    assert state["episodes"][0]["p_value"] <= state["budget"]["threshold"]
    assert {p["state"] for p in state["programs"]} >= {"ready"}


@pytest.mark.parametrize("span", SPANS)
def test_a_timeline_is_columns_of_one_length(watching: Any, span: str) -> None:
    """Every span has the same columns, and the alert is in it."""
    _, line = watching.ask(f"api/timeline?span={span}")
    assert {len(v) for k, v in line.items() if isinstance(v, list) and k != "spans"} == {
        len(line["time_s"])
    }
    assert min(p for p in line["p"] if p is not None) <= line["threshold"]


def test_an_alert_is_told_with_every_line(watching: Any) -> None:
    """By the id of the episode or of one line: the native objects, oldest first."""
    episode = scan(watching)
    _, told = watching.ask(f"api/alerts/{episode['id']}")
    assert told["history"][0]["state"] == "open"
    assert told["history"][0]["explanation"]["top"]
    assert watching.ask(f"api/alerts/{told['history'][-1]['id']}")[1]["id"] == episode["id"]
    assert episode["id"] in {e["id"] for e in watching.ask("api/alerts")[1]["episodes"]}


def test_a_program_s_page_has_its_normal(watching: Any) -> None:
    """Its baseline, its windows over time, its processes and its alerts."""
    episode = scan(watching)
    programs = watching.ask("api/state")[1]["programs"]
    key = next(p["id"] for p in programs if p["exe"] == episode["exe"])
    _, page = watching.ask(f"api/programs/{key}")
    assert page["baseline"]["calls"][0]["typical"]["q95"] > 0
    assert episode["id"] in [e["id"] for e in page["episodes"]]
    assert sum(page["timelines"][0]["windows"]) > 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("api/alerts/none", 404),
        ("api/alerts?before=none", 400),
        ("api/alerts?before=-1", 400),
        ("api/programs/none", 404),
        ("api/timeline?span=forever", 400),
        ("api/nothing", 404),
        ("static/../app.py", 404),
        ("static/none.js", 404),
    ],
)
def test_what_is_not_there_is_said(watching: Any, path: str, status: int) -> None:
    """A sentence says what is missing; nothing outside the page's own files is given."""
    got, told = watching.ask(path)
    assert got == status
    assert told["error"]


def test_feedback_is_heard_and_taken_back(watching: Any) -> None:
    """Tolerating an alert holds at once, is shown with it, and undo takes it back exactly."""
    episode = scan(watching)
    body = {"verb": "tolerate", "alert": episode["id"], "note": "a test", "expires_s": 3600}
    status, told = watching.ask("api/feedback", body)
    assert (status, told["given"]["verb"], told["given"]["who"]) == (200, "tolerate", "the page")
    assert told["given"]["said_before"] is False
    again = watching.ask("api/feedback", {**body, "note": "b", "expires_s": 60})[1]["given"]
    assert (again["said_before"], again["note"]) == (True, "a test"), "the note was not kept"
    (answer,) = watching.ask(f"api/alerts/{episode['id']}")[1]["answers"]
    assert (answer["note"], bool(answer["expires"])) == ("a test", True)
    watching.until(lambda: watching.ask("api/state")[1]["answers"].get(episode["id"]))
    watching.until(lambda: any("1 behaviour tolerated" in line for line in watching.screen.lines))
    assert watching.ask("api/feedback", {"verb": "undo", "alert": episode["id"]})[0] == 200
    assert watching.ask(f"api/alerts/{episode['id']}")[1]["answers"] == []
    assert Feedback(StateDir(watching.state).feedback).given()[0].undone_ns
    assert [given["verb"] for given in watching.ask("api/feedback")[1]["given"]] == ["tolerate"]


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"[1]",
        b"[" * 10_000,
        {"verb": "praise", "alert": "last"},
        {"verb": "ack", "alert": "zz"},
        {"verb": "ack", "alert": "last", "note": 5},
        {"verb": "tolerate", "alert": "last", "expires_s": -1},
        {"verb": "tolerate", "alert": "last", "expires_s": "soon"},
        {"verb": "undo", "alert": "00000000"},
    ],
)
def test_feedback_that_makes_no_sense_changes_nothing(watching: Any, body: Any) -> None:
    """It is refused with what was expected."""
    before = watching.ask("api/feedback")[1]
    status, told = watching.ask("api/feedback", body)
    assert (status, bool(told["error"])) == (400, True)
    assert watching.ask("api/feedback")[1] == before


def test_the_stream_tells_every_tick(watching: Any) -> None:
    """A reader gets the state at once, and again when something new came."""
    host = watching.address.url.split("/")[2]
    connection = http.client.HTTPConnection(host, timeout=120)
    connection.request("GET", "/api/stream")
    answer = connection.getresponse()
    assert answer.headers.get_content_type() == "text/event-stream"

    def event() -> Any:
        lines = [answer.readline().decode() for _ in range(3)]
        assert (lines[0], lines[2]) == ("event: state\n", "\n")
        return json.loads(lines[1].removeprefix("data: "))

    first = event()
    watching.source.more.put(attacks(2, 0)["rewrite"][0])
    while len(event()["episodes"]) == len(first["episodes"]):
        pass
    answer.close()
    connection.close()


def test_the_address_is_for_the_owner(watching: Any) -> None:
    """Where the page is, and its key, lie in the state directory for its owner alone."""
    for name in ("web.json", "web.key"):
        assert stat.S_IMODE((watching.state / name).stat().st_mode) == 0o600
    found = read(watching.state)
    assert found is not None
    assert found.pid == os.getpid()
    assert found.key not in repr(found)
    assert watching.screen.lines[0] == f"the page is on {found.link}"


def test_an_address_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    """A file of something else, however deep it nests, names no running watch."""
    for text in ("no json", "7", "{}", "[" * 100_000):
        (tmp_path / "web.json").write_text(text)
        assert read(tmp_path) is None


def test_orchestrators_learn_how_it_stands(watching: Any) -> None:
    """Liveness and readiness are 200 while ticks come; they say it in a word."""
    assert watching.ask("healthz") == (200, "ok\n")
    assert watching.ask("readyz") == (200, "watching\n")
    assert "oddcall_windows_total" in watching.ask("metrics")[1]
