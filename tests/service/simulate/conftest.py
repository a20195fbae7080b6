"""A demo server, started once as people start it, and behaviours done in this very process."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from oddcall.service.simulate import interpreter, serve_command
from oddcall.service.simulate.behaviour import Bounds, Facts, roomed
from oddcall.service.simulate.catalogue import named


@dataclass
class Demo:
    """A running demo server."""

    url: str
    pid: int
    folder: Path


def done(name: str, folder: Path, seconds: float = 300.0) -> Facts:
    """Do a behaviour in a room of its own below a folder, and tell what came of it."""
    behaviour = named(name)
    with roomed(folder, behaviour.prepare) as room:
        return behaviour.act(Bounds.lasting(seconds, room))


@contextmanager
def _serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server in a folder of its own; it, and the address that it says."""
    with subprocess.Popen(
        serve_command(0, folder),
        env=interpreter.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        line = server.stdout.readline()
        assert line, server.stderr.read()
        yield server, line.split()[0]


@pytest.fixture
def serving() -> Callable[[Path], AbstractContextManager[tuple[subprocess.Popen[str], str]]]:
    """Start one more server, which whoever asks ends by a signal."""
    return _serving


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    with _serving(folder) as (server, url):
        yield Demo(url, server.pid, folder)
        server.send_signal(signal.SIGTERM)
        assert server.stderr is not None
        assert server.wait(120) == 0, "SIGTERM is a clean end"
        assert server.stderr.read() == "", "nothing went wrong in any request of any test"
    assert not (folder / "server.json").exists(), "a server that ended cannot be found"
