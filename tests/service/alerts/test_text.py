"""Promises about alerts as people read them."""

from __future__ import annotations

import copy
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.models.window import Program
from oddcall.service.alerts.text import clean, program_of, render

ALERT: dict[str, Any] = {
    "schema_version": 1,
    "id": "7102ecfb-aaf4-591c-a705-d4085130b751",
    "episode_id": "7102ecfb-aaf4-591c-a705-d4085130b751",
    "state": "open",
    "time": "2023-11-14T22:13:22.000000Z",
    "severity": "high",
    "host": {"name": "web1", "id": "5d", "boot_id": "0b", "kernel": "6.1.0", "arch": "x86_64"},
    "program": {"exe": "/usr/sbin/nginx", "comm": "nginx", "container": None, "unit": "nginx"},
    "process": {
        "pid": 100,
        "start_time": 5,
        "ppid": 50,
        "parent": "systemd",
        "uid": 33,
        "cmdline": "nginx: worker process",
    },
    "window": {
        "start": "2023-11-14T22:13:20.000000Z",
        "end": "2023-11-14T22:13:22.000000Z",
        "events": 6632,
    },
    "coverage": {
        "observed_s": 2.0,
        "late_s": 0.0,
        "lost": 0,
        "lost_keys": 0,
        "identity_complete": True,
    },
    "score": {
        "p_value": 8.3e-8,
        "score": 16.0,
        "threshold": 7.8e-7,
        "budget_per_day": 1.0,
        "extrapolated": True,
        "detectors": {},
    },
    "baseline": {"level": "program", "windows": 1204, "trained_span": None, "model_id": "07e6"},
    "explanation": {
        "sentence": "nginx made 1,068 connect calls (all failing) in 2.0 s; it never did before.",
        "top": [
            {
                "feature": "connect (share of calls)",
                "observed": 0.161,
                "typical": {"q05": 0.0, "q50": 0.0, "q95": 0.0},
                "contribution": 0.5,
            },
            {
                "feature": "calls a second",
                "observed": 3316.0,
                "typical": {"q05": 20.0, "q50": 60.0, "q95": 410.0},
                "contribution": 0.1,
            },
        ],
        "onset": "2023-11-14T22:13:20.000000Z",
        "nearest_windows": [],
    },
    "attack_hints": [{"technique": "T1046", "why": "many connections that fail"}],
    "suppressed_since_last": 0,
    "returns": 0,
}


def altered(**changes: Any) -> dict[str, Any]:
    alert = copy.deepcopy(ALERT)
    for path, value in changes.items():
        *parts, last = path.split("__")
        place = alert
        for part in parts:
            place = place[part]
        place[last] = value
    return alert


@pytest.mark.usefixtures("utc")
def test_an_alert_reads_like_this() -> None:
    """The sentence first, then who, what against typical, the evidence, and a hint."""
    assert render(ALERT).splitlines() == [
        "22:13:22  HIGH  nginx (nginx)",
        "  nginx made 1,068 connect calls (all failing) in 2.0 s; it never did before.",
        "",
        "  process    /usr/sbin/nginx",
        "             nginx: worker process",
        "             pid 100, user 33, started by systemd (50)",
        "             unit nginx",
        "",
        "  unusual                    observed   typical, 5 to 95 %",
        "             connect             16 %                 none",
        "             calls a second     3,316            20 to 410",
        "",
        "  evidence   6,632 calls in 2.0 s, against its own baseline (1,204 windows)",
        "             p = 8.3e-08, alerts from 7.8e-07, extrapolated",
        "             nothing was lost",
        "  hint       T1046: many connections that fail",
        "  alert      7102ecfb-aaf4-591c-a705-d4085130b751",
    ]


@pytest.mark.parametrize("state", ["open", "update", "close"])
@pytest.mark.parametrize(
    ("beside", "name"),
    [
        ([], "python3.11 (web.service)"),
        ([Program("/usr/bin/python3.11", unit="web.service", container="c" * 64)],
         "python3.11 (web.service)"),
        ([Program("/usr/bin/perl", unit="web.service", container="d" * 64)],
         "python3.11 (web.service)"),
        ([Program("/opt/bin/python3.11", unit="other.service")], "python3.11 (web.service)"),
        ([Program("/usr/bin/python3.11", unit="web.service", container="d" * 64)],
         "python3.11 (web.service, container cccccccccccc)"),
        ([Program("/opt/bin/python3.11", unit="web.service", container="c" * 64)],
         "/usr/…/python3.11 (web.service)"),
        ([Program("/opt/bin/python3.11", unit="web.service", container="d" * 64)],
         "python3.11 (web.service, container cccccccccccc)"),
    ],
)  # fmt: skip
def test_a_heading_tells_programs_of_one_name_apart(
    state: str, beside: list[Program], name: str
) -> None:
    """By the unit, by the container where units are alike, and by the path where both are."""
    alert = altered(
        state=state,
        program__exe="/usr/bin/python3.11",
        program__unit="web.service",
        program__container="c" * 64,
    )
    head = " ".join(render(alert, width=100, beside=beside).splitlines()[0:2])
    assert f" {name}" in head
    assert program_of(alert) == Program("/usr/bin/python3.11", unit="web.service",
                                        container="c" * 64)  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("state", ["open", "update", "close"])
def test_no_line_is_wider_than_the_terminal(width: int, state: str) -> None:
    """Whatever is in it, each line fits; colour changes nothing but colour."""
    alert = altered(
        state=state,
        process__cmdline="word " * 80 + "x" * 300,
        program__exe="/very/" + "long/" * 40 + "name",
        program__container="c" * 64,
        suppressed_since_last=7,
        coverage__lost=12345,
    )
    alert["explanation"]["top"][0]["feature"] = "a then b " * 20 + "(share of transitions)"
    plain = render(alert, width=width)
    assert max(map(len, plain.splitlines())) <= width
    assert click.unstyle(render(alert, width=width, colour=True)) == plain


def test_a_container_is_called_as_people_call_it() -> None:
    """By name, image and pod where they are known; by its id, and why, where they are not."""
    unknown = dict.fromkeys(("name", "image", "pod", "namespace", "why"))
    named = {**unknown, "name": "web", "image": "nginx:1", "pod": "web-0", "namespace": "shop"}
    alert = altered(program__container="c" * 64)
    assert f"container {'c' * 12}" in render(alert)
    assert "container web of nginx:1, pod shop/web-0" in render({**alert, "workload": named})
    why = {**unknown, "why": "no runtime here"}
    said = " ".join(render({**alert, "workload": why}).split())
    assert f"container {'c' * 12} (name not known: no runtime here)" in said


@pytest.mark.usefixtures("utc")
def test_an_update_says_what_is_new_in_it() -> None:
    """In its heading and beside what is odd; one of the same kind says nothing of it."""
    new = altered(state="update", news=["bpf", "T1014"], severity_before="low", returns=1)
    text = render(new)
    assert "HIGH  nginx (nginx), something new, again, for 2.0 s now\n" in text
    assert "new        bpf, T1014, which no earlier line of this alert names; graver: low" in text
    assert "new" not in render(altered(state="update", news=[], severity_before=None))
    assert "new" not in render(altered(state="update")), "a line of an earlier version"


def test_an_update_and_a_close_say_how_long() -> None:
    """An update says since when, a close from when to when it was, and which alert is over."""
    assert "for 2.0 s now" in render(altered(state="update"))
    closed = altered(state="close")
    ended = ["alert 7102ecfb ended: nginx (nginx), from 22:13:20 to 22:13:22 (2.0 s)", ""]
    assert render(closed).split("\n") == ended
    assert "alert 7102ecfb ended again: nginx (nginx), " in render({**closed, "returns": 2})


def test_what_was_lost_or_folded_is_said() -> None:
    """Poor coverage and folded windows are part of the evidence."""
    text = render(altered(coverage__lost=3, suppressed_since_last=2), width=100)
    assert "3 updates of this host were lost meanwhile; 2 more windows like it before" in text
    text = render(altered(coverage__lost=1, suppressed_since_last=1), width=100)
    assert "1 update of this host was lost meanwhile; 1 more window like it before" in text


@pytest.mark.parametrize(
    ("updates", "processes", "said"),
    [
        (1, 1, "1 update and 1 process of this host were lost meanwhile"),
        (3, 2, "3 updates and 2 processes of this host were lost meanwhile"),
        (0, 1, "1 process of this host was lost meanwhile"),
        (0, 2, "2 processes of this host were lost meanwhile"),
        (0, 0, "nothing was lost"),
    ],
)
def test_lost_processes_are_no_updates(updates: int, processes: int, said: str) -> None:
    """What had no slot is counted for what it is, and only what was lost is told."""
    text = render(altered(coverage__lost=updates, coverage__lost_keys=processes), width=100)
    assert f" {said}\n" in text


def test_a_grade_that_the_baseline_holds_back_is_told() -> None:
    """Whoever wonders why it is no graver reads it beside the evidence."""
    why = "medium, not critical: its baseline is of 99 windows only"
    assert f"\n             {why}\n" in render(altered(baseline__severity_limit=why))


def test_a_process_that_is_gone_is_named_all_the_same() -> None:
    """Without arguments, parent, path or unit there is still a process."""
    gone = altered(process__cmdline=None, process__parent=None, program__exe="", program__unit=None)
    text = render(gone)
    assert "nginx\n" in text
    assert "pid 100, user 33, started by 50" in text


@given(st.text())
def test_names_cannot_act_on_the_terminal(text: str) -> None:
    """Escape sequences and line breaks in what attackers choose are shown, not obeyed."""
    alert = altered(process__cmdline=f"\x1b[2J{text}", program__exe=f"/bin/\x9b{text}")
    alert["process"]["parent"] = f"{text}\r\n"
    assert all(c.isprintable() or c == "\n" for c in render(alert))
    assert clean(text).isprintable()
