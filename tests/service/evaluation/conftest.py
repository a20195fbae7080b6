"""What tests of evaluations share: the command, a model, and judged recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from oddcall.models.window import WindowBatch
from oddcall.service.cli import run
from oddcall.service.config.settings import AlertSection
from oddcall.service.evaluation.recordings import Evaluation
from oddcall.service.evaluation.recordings import evaluate as judge
from oddcall.training.fit import FitSettings
from oddcall.training.labels import read_labels
from oddcall.training.lake import Source, lake
from oddcall.training.splits import Fold, Mask


def evaluate(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert run(["evaluate", "recordings", *map(str, words)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


@pytest.fixture(scope="session")
def bundle(small_lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the first host's clean recording."""
    path = tmp_path_factory.mktemp("bundle") / "web1.oddcall"
    assert run(["train", str(small_lake.clean("web1")), "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def unknown(small_lake) -> Evaluation:
    """Learned of one program, all others judged: nothing that is judged has a baseline."""

    def learns(_source: Source, batch: WindowBatch) -> Mask:
        learned = np.array([program.name == "redis-server" for program in batch.programs], bool)
        return learned[batch.program]

    fold = Fold("what was never met", learns, lambda *given: ~learns(*given))
    return judge(
        lake([small_lake.root]), read_labels(small_lake.labels), [fold], None,
        FitSettings(), AlertSection(), lambda *_: None,
    )  # fmt: skip
