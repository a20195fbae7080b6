"""Promises about ``oddcall top``: what it shows of a real watch, at 80 columns and 24 lines."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable

from oddcall.models.errors import SettingError
from oddcall.service.board.board import Board
from oddcall.service.cli import run
from oddcall.service.config.loading import load
from oddcall.service.state import StateDir
from oddcall.service.top.app import Top
from oddcall.service.top.client import Client, GoneError, find
from oddcall.service.web.address import read
from oddcall.service.web.serving import serving

from ..web.conftest import watching  # noqa: F401  the same watch serves its page and this


def lines(app: Top) -> list[str]:
    """What the terminal shows, line by line."""
    strips = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip) for strip in strips]


async def until(pilot: Pilot[None], holds: Callable[[], object]) -> None:
    """Wait for what must come to be, however long a busy machine takes."""
    for _ in range(2000):
        if holds():
            return
        await pilot.pause(0.05)
    pytest.fail("it never came to be")


def shown(watch: Any, steps: Callable[[Pilot[None]], Awaitable[None]]) -> list[str]:
    """Run it in a terminal of 80 by 24, do something, and read the screen."""

    async def through() -> list[str]:
        app = Top(Client(find(watch.state), lambda: read(watch.state)))
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app.shown)
            await steps(pilot)
            await pilot.pause(0.2)
            return lines(app)

    return asyncio.run(through())


async def nothing(_pilot: Pilot[None]) -> None:
    """Just look."""


def test_a_host_at_a_glance(watching: Any) -> None:  # noqa: F811
    """Phase, budget, coverage, cost and the least likely program fit on one screen, with keys."""
    screen = shown(watching, nothing)
    text = "\n".join(screen)
    assert (len(screen), max(map(len, screen))) == (24, 80)
    assert "web1: watching" in screen[0]
    assert "today, the budget is" in screen[1]
    assert "nothing lost, 70 of 8,192 processes" in screen[2]
    assert "errors/s" in text
    assert "python3.11" in screen[5], "the program that was scanned from comes first"
    assert re.search(r"ready +\d\.\de-\d\d", screen[5])
    assert all(word in screen[-1] for word in ("programs", "processes", "sort", "quit"))
    assert "Enter opens one" in screen[3]


def test_processes_sorting_and_finding(watching: Any) -> None:  # noqa: F811
    """Keys list processes, sort by another column, and find by a word; Esc shows all again."""

    async def busiest(pilot: Pilot[None]) -> None:
        await pilot.press("o", "s")

    screen = shown(watching, busiest)
    assert "processes lately, the busiest first" in "\n".join(screen)
    assert "pid" in screen[4]

    async def found(pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"redis", "enter")

    screen = shown(watching, found)
    assert "redis-server" in screen[5]
    assert "with “redis”" in "\n".join(screen)

    async def back(pilot: Pilot[None]) -> None:
        await found(pilot)
        await pilot.press("escape")

    assert "with “" not in "\n".join(shown(watching, back))


def test_a_program_beside_its_normal(watching: Any) -> None:  # noqa: F811
    """Enter opens a program: its state and why, calls with their typical range, its alerts."""

    async def opened(pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen.query("#normal"))
        normal = pilot.app.screen.query_one("#normal", DataTable)
        await until(pilot, lambda: normal.row_count)

    screen = shown(watching, opened)
    text = "\n".join(screen)
    assert "python3.11" in screen[0]
    assert "Its baseline rests on" in text
    assert re.search(r"·*▒+[│▒●]", text)
    assert "never" in text
    assert "connect" in text
    assert "back" in screen[-1]


def test_a_watch_that_ends_is_said(watching: Any) -> None:  # noqa: F811
    """What was seen stays on the screen, with a line that nothing answers."""

    async def gone(pilot: Pilot[None]) -> None:
        app = pilot.app
        assert isinstance(app, Top)
        silent = Client(find(watching.state), lambda: None)
        silent._address = type(silent._address)("http://127.0.0.1:9/", "", os.getpid())
        app._client = silent
        banner = app.query_one("#gone")
        await until(pilot, lambda: banner.display)

    text = "\n".join(shown(watching, gone))
    assert "the watch does not answer" in text
    assert "redis-server" in text


def test_a_watch_started_anew_is_found_again(watching: Any) -> None:  # noqa: F811
    """After a restart on another port it asks there."""
    right = find(watching.state)
    client = Client(type(right)("http://127.0.0.1:9/", "", 1), lambda: right)
    with pytest.raises(GoneError):
        client.state()
    assert client.state()["phase"] == "watching"
    assert client.program("none") is None


def test_without_a_watch_it_says_what_to_type(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one sentence; nothing is drawn."""
    assert run(["top", "--state-dir", str(tmp_path)]) == 2
    assert "sudo oddcall watch" in capsys.readouterr().err
    with pytest.raises(SettingError, match="no watch runs with the state directory"):
        find(tmp_path)
    (tmp_path / "web.json").write_text(json.dumps({"url": "http://x/", "key": "", "pid": 2**22}))
    with pytest.raises(SettingError, match="no watch runs with the state directory"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"enabled": "false"}, "got --no-web"),
        ({"port": "taken"}, "address already in use"),
    ],
)
def test_a_watch_without_a_page_says_why(
    tmp_path: Path, screen: Any, settings: dict[str, str], why: str
) -> None:
    """Where a watch runs whose page is off, or its port taken, top says which, and what next."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environ = {
            f"ODDCALL_WEB_{name.upper()}": port if value == "taken" else value
            for name, value in settings.items()
        }
        section = load({"state_dir": str(tmp_path)}, environ=environ).settings.web
        board = Board({"name": "web1"}, capacity=8)
        with serving(section, StateDir(tmp_path), board, screen.say):
            assert read(tmp_path) is None
            with pytest.raises(SettingError, match=rf"serves no page.*{why}.*--web-port 0"):
                find(tmp_path)
    with pytest.raises(SettingError, match="no watch runs with the state directory"):
        find(tmp_path)


def test_machines_and_browsers_are_served(
    watching: Any,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``--json`` gives the state once, ``--address`` the page's address; no terminal, no view."""
    words = ["top", "--state-dir", str(watching.state)]
    assert run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["phase"] == "watching"
    assert run([*words, "--address"]) == 0
    assert capsys.readouterr().out == f"{watching.address.link}\n"
    assert run(words) == 2
    assert "--json" in capsys.readouterr().err
