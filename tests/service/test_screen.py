"""Promises about what is shown while a command runs."""

from __future__ import annotations

import io
import os
import re
import resource
from pathlib import Path
from typing import Any

import pytest

from oddcall.service import screen
from oddcall.service.screen import Live, Plain, Status, open_screen


class Clock:
    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    return Terminal()


def test_a_plain_screen_says_all_and_shows_some() -> None:
    """Said lines come at once; of statuses one comes now and then, with how far it is."""
    stream, clock = io.StringIO(), Clock()
    plain = Plain(stream, every_s=10, now=clock)
    for _ in range(25):
        plain.show(Status(f"at {clock.s:g}", 0.25))
        clock.s += 1
    plain.say("two\nlines")
    assert stream.getvalue().splitlines() == [
        "at 100 (25%)",
        "at 110 (25%)",
        "at 120 (25%)",
        "two",
        "lines",
    ]


def test_what_ends_at_once_shows_no_status() -> None:
    """A line cannot be taken back: before an error that comes at once none of progress stands."""
    stream, clock = io.StringIO(), Clock()
    plain = Plain(stream, every_s=10, now=clock, first_s=2)
    for _ in range(3):
        assert stream.getvalue() == ""
        plain.show(Status(f"at {clock.s:g}", 0.0))
        clock.s += 1
    assert stream.getvalue() == "at 102 (0%)\n"


def test_a_status_may_ask_for_calm() -> None:
    """A log that is kept for months gets a line every few minutes."""
    stream, clock = io.StringIO(), Clock()
    plain = Plain(stream, every_s=10, now=clock)
    for _ in range(900):
        plain.show(Status("watching", pace_s=300))
        clock.s += 1
    assert stream.getvalue().count("watching") == 3


def test_a_live_screen_draws_within_the_terminal(terminal: Terminal) -> None:
    """The table is cut to the terminal's height, and says how much it leaves out."""
    live = open_screen(terminal)
    assert isinstance(live, Live)
    rows = [(f"program-{i}", str(i)) for i in range(50)]
    live.show(Status("learning, 5s more", 0.5, ("program", "windows"), rows))
    live.say("said meanwhile " * 8)
    live.close()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    lines = text.replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= 80
    assert any("and 35 more" in line for line in lines)
    assert any("program-14 " in line for line in lines)
    assert not any("program-15 " in line for line in lines)
    assert any(line.startswith("━" * 40) for line in lines)
    assert "said meanwhile" in text


def test_a_live_screen_redraws_a_few_times_a_second(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand statuses in a moment cost one drawing."""
    live = Live(terminal)
    drawn: list[Any] = []
    monkeypatch.setattr(screen, "_picture", lambda status, _height: drawn.append(status) or "")
    for i in range(1000):
        live.show(Status(str(i)))
    live.close()
    assert 1 <= len(drawn) < 20


def test_a_pipe_gets_plain_lines() -> None:
    """What is not a terminal gets no control characters."""
    stream = io.StringIO()
    plain = open_screen(stream)
    plain.say("hello")
    plain.show(Status("there", 0.5, ("a",), [("b",)]))
    plain.close()
    assert stream.getvalue() == "hello\nthere (50%)\n"


@pytest.mark.parametrize(
    ("buffering", "missed"), [(-1, "2,000"), (0, "1,998")], ids=["buffered", "unbuffered"]
)
def test_a_full_disk_costs_lines_and_is_told(tmp_path: Path, buffering: int, missed: str) -> None:
    """Where a log cannot grow nothing ends, and once it can again the missed are counted.

    What is cut short without a buffer is no error to Python, and not counted.
    """
    path = tmp_path / "log"
    with io.TextIOWrapper(path.open("wb", buffering=buffering), write_through=True) as stream:
        plain = Plain(stream)
        plain.say("first")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 4, hard))
        try:
            for i in range(1000):
                plain.say(f"missed {i}\nand its second line")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        plain.say("last")
        plain.say("very last")
    lines = path.read_text().splitlines()
    told = [line for line in lines if "could not be shown" in line]
    assert told == [f"{missed} lines could not be shown when due (file too large)"]
    assert lines[0] == "first"
    assert lines[1].startswith("miss")
    assert lines[-3:] == [*told, "last", "very last"]


def test_a_terminal_that_is_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture on a terminal whose other end was closed is dropped, line by line."""
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = os.openpty()
    stream = os.fdopen(theirs, "w")
    live = open_screen(stream)
    assert isinstance(live, Live)
    live.say("hello")
    os.close(ours)
    for _ in range(100):
        live.say("nobody sees this")
    live.show(Status("nor this"))
    assert not live._console._buffer
    live.close()
    with pytest.raises(OSError, match="Input/output error"):
        stream.close()


def test_a_reader_that_left_a_pipe_ends_the_work() -> None:
    """What is written for `| head` is of no use once that has what it wants."""
    read, write = os.pipe()
    stream = os.fdopen(write, "w")
    os.close(read)
    with pytest.raises(BrokenPipeError):
        Plain(stream).say("hello")
    with pytest.raises(BrokenPipeError):
        stream.close()
