"""The model: pure, complete in its state, and honest about whom it knows."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from oddcall.models.bundle import save_bundle
from oddcall.models.errors import BundleError
from oddcall.models.model import Model
from oddcall.models.verdict import LEVELS
from oddcall.models.window import Program, WindowBatch
from oddcall.training.fit import fit
from oddcall.training.synthetic import WEB, Chain, attacks, host, window


def rare(seed: int) -> list[WindowBatch]:
    """A program of which only a few windows are seen."""
    chain = Chain(Program("/usr/bin/rare", 8, 900), WEB.paths[:4], WEB.weights[:4])
    random = np.random.default_rng(seed)
    return [window(chain, chain.walk(200, random), second=i) for i in range(5)]


@pytest.fixture(scope="module")
def model() -> Model:
    return fit([*host(420, seed=1), *rare(0)], metadata={"host_name": "made-up"})


@pytest.fixture(scope="module")
def batch() -> WindowBatch:
    odd = [part for group in attacks(5, 900).values() for part in group]
    return WindowBatch.concat([*host(40, seed=2, start=900), *odd, *rare(1)])


def moved(batch: WindowBatch, **changes: object) -> WindowBatch:
    """The same windows under another identity."""
    programs = tuple(replace(p, **changes) for p in batch.programs)
    return replace(batch, programs=programs)


def test_verdicts_are_whole(model: Model, batch: WindowBatch):
    """Every window gets a finite score, a p-value in (0, 1], a level; alerts follow from p."""
    verdicts = model.judge(batch)
    assert len(verdicts) == len(batch)
    assert np.isfinite(verdicts.score).all()
    assert ((verdicts.p_value > 0) & (verdicts.p_value <= 1)).all()
    assert set(verdicts.level) <= set(LEVELS)
    expected = verdicts.ready & (verdicts.p_value <= verdicts.threshold)
    assert np.array_equal(verdicts.alert, expected)
    assert verdicts.alert.any()
    assert set(verdicts.detectors) == {"pca_residual", "nearest", "novelty"}
    assert all(p.shape == (len(batch),) for p in verdicts.detectors.values())


def test_judging_is_pure(model: Model, batch: WindowBatch):
    """Judging changes neither the model nor what it says next, and does not depend on company."""
    before = model.state()
    first = model.judge(batch)
    after = model.state()
    assert before[0] == after[0]
    assert all(np.array_equal(before[1][name], after[1][name]) for name in before[1])
    order = np.random.default_rng(0).permutation(len(batch))
    shuffled = model.judge(batch.take(order))
    assert shuffled.p_value == pytest.approx(first.p_value[order], rel=1e-3)
    assert np.array_equal(shuffled.alert, first.alert[order])
    alone = [model.judge(batch.take(np.array([i]))).p_value[0] for i in range(0, len(batch), 7)]
    assert alone == pytest.approx(first.p_value[::7], rel=1e-3)


def test_no_windows_no_verdicts(model: Model):
    """An empty batch, or one whose table of programs is empty, is judged without complaint."""
    assert len(model.judge(WindowBatch.empty())) == 0
    assert len(model.judge(WindowBatch.empty((WEB.program,)))) == 0


def test_an_unknown_program_is_not_accused(model: Model, batch: WindowBatch):
    """Of a program never met oddcall says that it does not know it, whatever it does."""
    strange = moved(batch, exe="/opt/strange")
    verdicts = model.judge(strange)
    assert set(verdicts.level) == {"unknown"}
    assert not verdicts.ready.any()
    assert not verdicts.alert.any()
    assert (verdicts.p_value == 1).all()
    assert (verdicts.profile == -1).all()
    assert len(model.contributions(strange, 0).features) == 0


def test_a_changed_binary_is_shadowed(model: Model, batch: WindowBatch):
    """Another inode in the same place: its predecessor's scores are shown, nothing alerts."""
    verdicts = model.judge(moved(batch, ino=4242))
    known = model.judge(batch)
    shadowed = verdicts.level == "predecessor"
    assert np.array_equal(shadowed, known.level == "program")
    assert np.array_equal(verdicts.p_value[shadowed], known.p_value[shadowed])
    assert not verdicts.alert.any()


def test_another_container_or_unit_is_another_program(model: Model, batch: WindowBatch):
    """The same binary elsewhere has its own ways: it is not judged by this one's baseline."""
    assert set(model.judge(moved(batch, container="docker")).level) == {"unknown"}
    assert set(model.judge(moved(batch, unit="other.service")).level) == {"unknown"}


def test_a_rare_program_is_judged_by_similar_ones(model: Model):
    """Five windows make no baseline: the pool of the programs most like it stands in."""
    batch = WindowBatch.concat(rare(1))
    verdicts = model.judge(batch)
    assert set(verdicts.level) == {"similar"}
    assert not verdicts.alert.any()
    assert {model.profiles[p].name for p in verdicts.profile} == {"programs like it"}


def test_contributions_name_the_cause(model: Model):
    """What drove a scan's verdict are socket, connect and its failure; shares sum to 1."""
    scan = attacks(5, 900)["scan"][0]
    found = model.contributions(scan, 0)
    names = [model.spec.names[j] for j in found.features]
    assert {"syscalls:41", "syscalls:42", "errors:42"} <= set(names[:8])
    assert found.contribution.sum() == pytest.approx(1)
    assert (np.diff(found.contribution) <= 0).all()
    new = dict(zip(names, found.novel, strict=True))
    assert new["syscalls:42"]
    assert not new["syscalls:3"]
    assert (found.typical[found.novel] == 0).all()
    assert found.typical[names.index("syscalls:3")][1] > 0


def test_the_baseline_shows_windows_to_compare_with(model: Model):
    """A profile keeps a few dozen whole windows; the nearest to one of them is itself."""
    baseline = model.profiles[model.standing(WEB.program).profile]
    assert baseline.name == "python3.11"
    assert 20 <= baseline.exemplars.vectors.shape[0] <= 64
    row, distance = baseline.exemplars.nearest(baseline.exemplars.vectors[5], k=1)
    assert distance[0] == pytest.approx(0, abs=1e-3)
    assert len(row) == 1


def test_the_state_is_the_whole_model(model: Model, batch: WindowBatch):
    """Built from its state, a model has the same name and says the same to the bit."""
    manifest, arrays = model.state()
    assert all(array.dtype != object for array in arrays.values())
    again = Model.from_state(manifest, arrays)
    assert again.id == model.id
    assert np.array_equal(again.judge(batch).p_value, model.judge(batch).p_value)
    assert again.programs == model.programs
    assert again.warnings == model.warnings
    assert again.metadata["host_name"] == "made-up"


def test_another_model_has_another_name(model: Model):
    """The id follows what was learned, and only that."""
    assert replace(model, programs=model.programs[1:]).id != model.id
    assert model.for_budget(2 * model.budget_per_day).id == model.id


@pytest.mark.parametrize(
    "missing", ["calibration/group", "detector/novelty/seen", "profiles/edges"]
)
def test_a_state_that_lacks_a_part_is_refused(model: Model, missing: str):
    """A model without one of its arrays is a bad bundle, said in one sentence."""
    manifest, arrays = model.state()
    if missing == "detector/novelty/seen":
        manifest = {**manifest, "detectors": ["novelty", "unheard_of"]}
    with pytest.raises(BundleError):
        Model.from_state(manifest, {k: v for k, v in arrays.items() if k != missing})


def test_other_features_are_refused(model: Model):
    """Vectors of another version would be scored against the wrong columns."""
    manifest, arrays = model.state()
    manifest["features"] = {**manifest["features"], "hash": "0" * 64}
    with pytest.raises(BundleError, match="features"):
        Model.from_state(manifest, arrays)


def test_judging_needs_no_training_library(model: Model, tmp_path: Path):
    """Loading and judging import neither scikit-learn nor river nor pandas nor pyarrow."""
    save_bundle(model, tmp_path / "model.oddcall")
    code = f"""
import sys
import numpy as np
from oddcall.models.bundle import load_bundle
from oddcall.models.sparse import Sparse
from oddcall.models.window import Program, WindowBatch
from dataclasses import replace
model = load_bundle({str(tmp_path / "model.oddcall")!r})
one = Sparse.from_rows([np.array([41])], [np.array([9])], 512)
batch = WindowBatch.of(programs=({WEB.program!r},), pid=np.array([1]))
batch = replace(batch, syscalls=one)
assert model.judge(batch).level[0] == "program"
model.contributions(batch, 0)
heavy = [m for m in ("sklearn", "river", "pandas", "pyarrow", "scipy.stats") if m in sys.modules]
print(",".join(heavy))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
