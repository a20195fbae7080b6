"""What the documentation tells people to type works as it says, and its reference is current."""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from oddcall.service.cli import cli

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
#: Pages whose commands are run, in this order and in one folder: later ones use what earlier
#: ones made.
PAGES = ("tutorial", "how-to/train", "how-to/budget", "how-to/false-alarm", "how-to/seccomp")
#: Pages whose commands anybody may type, each in a folder of its own.
NO_KERNEL = ("how-to/behaviours", "how-to/siem", "how-to/systemd", "how-to/traces")
#: Waiting that a person does and a test need not.
SHORTER = {
    "--learn 2m": "--learn 12s",
    "--duration 10m": "--duration 8s",
    "--duration 1m": "--duration 1s",
}
#: What goes on until it is ended, and the words by which it is seen to be up.
STAYS = {
    "oddcall watch": "watching with",
    "oddcall simulate serve": "http",
    "oddcall simulate load": "",
}
#: So that so short a lesson is enough of one.
QUICK = {
    "ODDCALL_LEARNING_MIN_WINDOWS": "10",
    "ODDCALL_LEARNING_PATIENCE": "1",
    # A program that is not settled by then is learned again soon.
    "ODDCALL_LEARNING_AGAIN": "10s",
    "ODDCALL_SENSOR_INTERVAL": "250ms",
    "ODDCALL_WEB_PORT": "0",
    # Compiled before, so that a test need not wait for a compiler.
    "ODDCALL_SENSOR_LOADER": "core",
}
FENCE = re.compile(r"^```(\S*) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    return sorted(DOCS.rglob("*.md"))


def blocks(page: Path, language: str) -> Iterator[tuple[str, str]]:
    """Remark and text of every block of a language."""
    for found in FENCE.finditer(page.read_text()):
        if found[1] == language:
            yield found[2], found[3]


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """What is typed in a console block, and the lines it says then."""
    typed, said = "", []
    lines = iter(text.splitlines())
    for line in lines:
        if line[:2] in {"$ ", "# "}:
            if typed:
                yield typed, said
            typed, said = line[2:], []
            if here := re.search(r"<<'(\w+)'", typed):
                for more in lines:
                    typed += f"\n{more}"
                    if more == here[1]:
                        break
        else:
            said.append(line)
    if typed:
        yield typed, said


class Terminal:
    """Types what a page says, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._stay: list[subprocess.Popen[bytes]] = []
        self._misuse = ""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        config = folder / "none.toml"
        config.write_text("")
        state = {"ODDCALL_STATE_DIR": str(folder / "state"), "ODDCALL_CONFIG": str(config)}
        self._environ = {**os.environ, **QUICK, **state, "PATH": path, "COLUMNS": "100"}

    def type(self, line: str, said: list[str], *, fails: bool = False) -> None:
        for long, short in {**SHORTER, "8080": str(self._port)}.items():
            line = line.replace(long, short)
        # A page names a program that its reader has; here it is the demo server that is served.
        line = line.replace("seccomp nginx", f"seccomp '{self._folder}/*-demo-server'")
        if re.match(r"oddcall simulate (serve|run)", line):
            # Apart from whatever demo server the host has.
            line = f"{line.removesuffix('&').strip()} --workdir {self._folder / 'simulate'}"
        stays = next((words for words in STAYS if line.startswith(words)), None)
        if stays:
            self._begin(line.removesuffix("&"), STAYS[stays])
            return
        if line.startswith("oddcall simulate run"):
            self._misuse = line
        done = self._run(line)
        until = time.monotonic() + 120
        # An alert takes a moment, and a server that is not settled gives none yet: before there
        # is one, there is nothing to answer.
        while done.returncode and "feedback" in line and time.monotonic() < until:
            time.sleep(1)
            done = self._run(line)
            if done.returncode:
                self._run(self._misuse)
        # Doctor may have found something that this host lacks: it says so by its code.
        well = done.returncode == 0 or (line == "oddcall doctor" and done.returncode == 4)
        assert well is not fails, f"{line}\n{done.stdout}"
        missing = [part for part in said if not _said(part, done.stdout)]
        assert not missing, f"{line}\nnever said: {missing}\n{done.stdout}"

    def _run(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            cwd=self._folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )

    def _begin(self, line: str, until: str) -> None:
        log = self._folder / f"log-{len(self._stay)}"
        with log.open("wb") as output:
            words = shlex.split(line)
            self._stay.append(
                subprocess.Popen(
                    [str(Path(sys.executable).with_name(words[0])), *words[1:]],
                    cwd=self._folder,
                    env=self._environ,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )
        for _ in range(900):
            if until in log.read_text():
                return
            assert self._stay[-1].poll() is None, log.read_text()
            time.sleep(0.1)
        pytest.fail(f"{line} never said {until!r}: {log.read_text()}")

    def close(self) -> None:
        for process in reversed(self._stay):
            process.terminate()
        for process in self._stay:
            process.wait(30)


def _said(part: str, output: str) -> bool:
    pattern = "[[]".join(p.replace("*", "[*]").replace("?", "[?]") for p in part.split("["))
    pattern = pattern.replace("…", "*")
    return any(fnmatch.fnmatchcase(line, pattern) for line in [*output.splitlines(), ""])


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    opened.close()


@pytest.mark.kernel
def test_a_newcomers_way_works(terminal: Terminal) -> None:
    """From doctor over an alert and its answer to a model, a budget and a seccomp profile: every
    command of the tutorial and of the pages after it works, and says what the page says."""
    ran = 0
    for page in PAGES:
        for remark, text in blocks(DOCS / f"{page}.md", "console"):
            assert remark == "kernel", page
            for line, said in commands(text):
                terminal.type(line, said)
                ran += 1
    assert ran > 12


@pytest.mark.parametrize("page", NO_KERNEL)
def test_pages_that_need_no_kernel_work(terminal: Terminal, page: str) -> None:
    """What needs no privilege works for anybody; what is said to fail fails, in those words."""
    for remark, text in blocks(DOCS / f"{page}.md", "console"):
        for line, said in commands(text):
            terminal.type(line, said, fails=remark == "fails")


def test_no_console_block_is_left_out() -> None:
    """Every page with something to type in it is one that is run."""
    with_blocks = {
        page.relative_to(DOCS).with_suffix("").as_posix()
        for page in pages()
        if any(blocks(page, "console"))
    }
    assert with_blocks == {*PAGES, *NO_KERNEL}


def test_every_command_that_is_shown_exists() -> None:
    """Verbs and flags in all other blocks, in tables and in the text are ones there are."""
    wrong = []
    for page in [*pages(), ROOT / "README.md"]:
        if "reference" in page.parts:
            continue
        text = page.read_text()
        shown = re.findall(r"`(oddcall [^`\n]*)`", text)
        for _, block in blocks(page, "sh"):
            shown += [part for part in block.splitlines() if "oddcall" in part]
        wrong += [f"{page.name}: {line}: {why}" for line in shown if (why := _mistake(line))]
    assert not wrong


def _mistake(line: str) -> str:
    """Why a command line cannot be used as far as its words go; empty where it can."""
    words = shlex.split(line.partition("#")[0].partition("|")[0].rstrip("&. \\"))
    if "--" in words:
        words = words[words.index("--") + 1 :]  # what is run elsewhere
    if "oddcall" not in words or not {"oddcall", "sudo"} & {words[0]}:
        return ""
    words = [word.rstrip(",`") for word in words[words.index("oddcall") + 1 :]]
    command: click.Command = cli
    context = click.Context(cli, info_name="oddcall")
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            return f"no command {words[0]}"
        command, words = found, words[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    known |= {option for parameter in command.params for option in parameter.secondary_opts}
    known |= {"--help", "-h", "--version"}
    flags = {word.partition("=")[0] for word in words if word.startswith("-")}
    return ", ".join(f"no flag {flag}" for flag in sorted(flags - known))


def test_every_link_leads_somewhere() -> None:
    """Links are to files and headings that are there, and the index reaches every page."""
    broken, reached = [], set()
    for page in [*pages(), ROOT / "README.md"]:
        for target in re.findall(r"\]\(([^)\s]+)", page.read_text()):
            if "://" not in target:
                path, _, heading = target.partition("#")
                place = (page.parent / path).resolve() if path else page
                reached.add(place)
                there = place.exists() and (not heading or heading in headings(place))
                broken += [] if there else [f"{page.name}: {target}"]
    assert not broken
    assert {page for page in pages() if page.name != "README.md"} <= reached
    assert DOCS / "README.md" in reached


def headings(page: Path) -> set[str]:
    """What a link to each heading of a page is called, as GitHub names it."""
    found = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in found}


def test_figures_of_the_short_page_are_those_of_the_record() -> None:
    """What docs/detection.md says was measured stands in docs/measured/ as well, digit by digit."""
    figure = re.compile(r"(?<![\w.])\d*\.\d+(?![\w.])|\b\d{1,3}(?:,\d{3})+\b")
    record = {
        said.lstrip("0") for page in DOCS.glob("measured/*.md") for said in figures(page, figure)
    }
    short = {said.lstrip("0") for said in figures(DOCS / "detection.md", figure)}
    assert len(short) > 100
    assert not sorted(short - record)


def figures(page: Path, figure: re.Pattern[str]) -> list[str]:
    """Numbers of a page, without what its links hold."""
    return figure.findall(re.sub(r"\]\([^)]*\)", "", page.read_text()))


def test_the_reference_is_current() -> None:
    """The pages made from the program say what it says now."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/reference.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}Type: python scripts/reference.py"
