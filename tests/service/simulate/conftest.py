"""A demo server, started once as people start it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from oddcall.service.simulate import interpreter, serve_command


@dataclass
class Demo:
    """A running demo server."""

    url: str
    pid: int
    folder: Path


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
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
        yield Demo(line.split()[0], server.pid, folder)
        server.send_signal(signal.SIGTERM)
        assert server.wait(120) == 0, "SIGTERM is a clean end"
        assert server.stderr.read() == "", "nothing went wrong in any request of any test"
    assert not (folder / "server.json").exists(), "a server that ended cannot be found"
