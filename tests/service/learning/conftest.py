"""A host that was learned, and what it does later: shared by tests of learning while watching."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from oddcall.models.model import Model
from oddcall.models.window import Program, WindowBatch
from oddcall.service.config.settings import LearningSection
from oddcall.service.learning.newcomers import Newcomers
from oddcall.service.learning.train import train
from oddcall.service.state import StateDir
from oddcall.training.fit import FitSettings
from oddcall.training.recording import RecordingWriter

from ..conftest import METADATA

NGINX = Program("/usr/sbin/nginx", 1, 10, "nginx.service")
SHELL = Program("/bin/dash", 1, 11)
UPGRADED = replace(NGINX, ino=4242)
RARE = Program("/opt/rare", 1, 78)
SECTION = LearningSection(duration=20.0, min_windows=20, again=30.0)
#: Later than every window here.
NOW_NS = 4_000_000_000 * 10**9


@pytest.fixture(scope="package")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("learned")


@pytest.fixture
def state(learned: Path, tmp_path: Path, ordinary: list[WindowBatch]) -> StateDir:
    """A state directory with a baseline and the recording that it was learned from."""
    made = StateDir(learned / "state")
    if not made.baseline.exists():
        made.make()
        with RecordingWriter(made.learning, METADATA) as writer:
            for batch in ordinary:
                writer.append(batch)
        train([made.learning], made.baseline, FitSettings(min_windows=20), lambda *_: None)
    shutil.copytree(made.path, tmp_path / "state")
    return StateDir(tmp_path / "state")


class Here:
    """Trains at once and in this process: the same training, without starting one."""

    running = False

    def __init__(
        self,
        recordings: list[Path],
        output: Path,
        _budget: str,
        min_windows: int,
        _feedback: Path | None,
    ) -> None:
        settings = FitSettings(min_windows=min_windows)
        train(recordings, output, settings, lambda *_: None)

    def finish(self) -> None:
        """It has."""

    def stop(self) -> None:
        """It has."""


def upgraded(ordinary: list[WindowBatch], start: int = 0) -> list[WindowBatch]:
    """The same host an hour later, with another binary of nginx and a program never met."""
    table = {NGINX: UPGRADED, SHELL: Program("/opt/new", 1, 77)}
    return moved(ordinary[start:], table)


def moved(
    ordinary: list[WindowBatch], table: dict[Program, Program], hours: int = 1
) -> list[WindowBatch]:
    """Hours later, of other programs."""
    later = hours * 3600 * 10**9
    return [
        replace(
            batch,
            programs=tuple(table[p] for p in batch.programs),
            t_start_ns=batch.t_start_ns + later,
            t_end_ns=batch.t_end_ns + later,
        )
        for batch in ordinary
    ]


def fed(newcomers: Newcomers, model: Model, batches: list[WindowBatch]) -> Model | None:
    """Feed batches until a model comes back; then wait for the training that runs."""
    for batch in batches:
        newcomers.see(batch, model.judge(batch))
        if found := newcomers.learned(model):
            return found
    until = time.monotonic() + 120
    while newcomers._child and time.monotonic() < until:
        if found := newcomers.learned(model):
            return found
        time.sleep(0.2)
    return None
