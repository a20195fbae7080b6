"""Promises about what systemd is told."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oddcall.service.board.board import Board
from oddcall.service.notify import Notifier


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A socket as the service manager opens it, and how it names it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
        name = str(tmp_path / "notify") if request.param == "file" else f"@oddcall-{os.getpid()}"
        opened.bind(name if request.param == "file" else "\0" + name[1:])
        opened.setblocking(False)
        yield name, opened


def heard(opened: socket.socket) -> list[str]:
    lines: list[str] = []
    while True:
        try:
            lines += opened.recv(4096).decode().splitlines()
        except BlockingIOError:
            return lines


def test_ready_alive_and_stopping(manager: Any, watched: Board) -> None:
    """Ready at the first tick at the latest; a sign of life with each; stopping at the end."""
    name, opened = manager
    clock = iter(range(0, 1000, 20))
    environ = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "60000000"}
    notifier = Notifier(environ, lambda: float(next(clock)))
    ticks = notifier.pass_on([watched.tick] * 3, watched)
    assert heard(opened) == []
    next(ticks)
    first = heard(opened)
    assert first[:2] == ["READY=1", "WATCHDOG=1"]
    assert first[2].startswith("STATUS=watching: ")
    next(ticks)
    assert [line.split("=")[0] for line in heard(opened)] == ["WATCHDOG", "STATUS"]
    list(ticks)
    assert heard(opened)[-2:] == ["STOPPING=1", "STATUS=stopping"]


def test_waiting_for_a_tick_is_life(manager: Any, watched: Board) -> None:
    """However long the interval is: ready and alive before the first tick, and between two."""
    name, opened = manager
    clock = iter((0, 1, 14, 15, 16, 31))
    environ = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "60000000"}
    notifier = Notifier(environ, lambda: float(next(clock)))
    told = []
    for _ in range(6):
        notifier.waiting()
        told.append(heard(opened))
    assert told == [["READY=1", "WATCHDOG=1"], [], [], ["WATCHDOG=1"], [], ["WATCHDOG=1"]]


def test_signs_of_life_are_few(manager: Any, watched: Board) -> None:
    """Four in the time that one is due, only where wanted."""
    name, opened = manager
    environ = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "8000000"}
    for extra, expected in (({}, 5), ({"WATCHDOG_PID": "1"}, 0)):
        clock = iter(range(10))
        notifier = Notifier({**environ, **extra}, lambda clock=clock: float(next(clock)))
        list(notifier.pass_on([watched.tick] * 10, watched))
        assert heard(opened).count("WATCHDOG=1") == expected


def test_without_a_manager_nothing_happens(tmp_path: Path, watched: Board) -> None:
    """Nobody to tell, or nobody who listens, stops nothing."""
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        ticks = Notifier(environ).pass_on([watched.tick] * 2, watched)
        assert len(list(ticks)) == 2
