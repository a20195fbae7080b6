"""Model bundles: the model that is loaded judges as the one that was saved, or none is."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from oddcall.models.bundle import load_bundle, save_bundle
from oddcall.models.bundle.archive import write_archive
from oddcall.models.errors import BundleError
from oddcall.models.explanation.explanation import explain
from oddcall.models.model import Model
from oddcall.models.sparse import Sparse
from oddcall.models.verdict import Verdicts
from oddcall.models.window import CALLS, TRANSITIONS, Program, WindowBatch
from oddcall.training.fit import fit

PROGRAMS = tuple(Program(f"/usr/bin/p{i}", 1, i, f"p{i}.service") for i in range(3))


def batch(rng: np.random.Generator, n: int, odd: bool = False) -> WindowBatch:
    """Windows of three programs, five a minute of each; odd ones use other calls."""
    program = np.arange(n) % len(PROGRAMS)
    kinds = rng.poisson(20, (n, 8))
    calls, steps = np.zeros((n, CALLS), np.int64), np.zeros((n, TRANSITIONS), np.int64)
    first = program * 10 + (200 if odd else 0)
    for i in range(n):
        calls[i, first[i] : first[i] + 8] = kinds[i]
        steps[i, first[i] : first[i] + 8] = kinds[i]
    start = 10**18 + np.arange(n) * 4 * 10**9
    return WindowBatch.of(
        programs=PROGRAMS,
        program=program,
        pid=np.arange(n) + 100,
        t_start_ns=start,
        t_end_ns=start + 10**9,
        observed_s=np.ones(n),
        syscalls=Sparse.from_dense(calls),
        transitions=Sparse.from_dense(steps),
    )


@pytest.fixture(scope="module")
def model() -> Model:
    """Train a small model."""
    clean = batch(np.random.default_rng(0), 900)
    ticks = [clean.take(np.arange(i, i + 30)) for i in range(0, 900, 30)]
    return fit(ticks, metadata={"arch": "x86_64", "host_name": "web1"})


@pytest.fixture(scope="module")
def saved(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save it."""
    path = tmp_path_factory.mktemp("bundle") / "host.oddcall"
    save_bundle(model, path)
    return path


def judged_alike(one: Verdicts, other: Verdicts) -> bool:
    """Tell whether two verdicts are the same to the last bit."""
    same = all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("score", "p_value", "alert", "extrapolated", "level", "ready", "profile")
    )
    return same and all(np.array_equal(one.detectors[k], other.detectors[k]) for k in one.detectors)


def rewritten(saved: Path, path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write the bundle with another manifest, its hashes right."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
        manifest = json.loads(old.read("manifest.json"))
        change(manifest)
        for name in old.namelist():
            new.writestr(name, json.dumps(manifest) if name == "manifest.json" else old.read(name))
    return path


def test_judges_the_same(model: Model, saved: Path) -> None:
    """A model from a bundle gives the same verdicts and explanations, and the same id."""
    loaded = load_bundle(saved)
    assert loaded.id == model.id
    assert loaded.programs == model.programs
    for odd in (False, True):
        windows = batch(np.random.default_rng(1), 60, odd)
        verdicts = model.judge(windows)
        assert judged_alike(loaded.judge(windows), verdicts)
        assert verdicts.alert.all() == odd
        assert explain(loaded, windows, 7, verdicts) == explain(model, windows, 7, verdicts)


def test_saved_twice_is_the_same_file(saved: Path, tmp_path: Path) -> None:
    """Saving what was loaded gives the same bytes: nothing of the clock or the host is in it."""
    save_bundle(load_bundle(saved), tmp_path / "again.oddcall")
    assert (tmp_path / "again.oddcall").read_bytes() == saved.read_bytes()


def test_the_manifest_says_what_it_is(saved: Path) -> None:
    """A person reads schema, features, provenance and every hash with unzip alone."""
    with zipfile.ZipFile(saved) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        for name, promised in manifest["members"].items():
            assert hashlib.sha256(bundle.read(name)).hexdigest() == promised
    assert manifest["schema"] == "1"
    assert manifest["metadata"]["host_name"] == "web1"
    assert len(manifest["features"]["hash"]) == 64
    assert [entry["windows"] for entry in manifest["programs"]] == [300, 300, 300]


@settings(max_examples=150, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_byte(
    model: Model,
    saved: Path,
    tmp_path_factory: pytest.TempPathFactory,
    place: float,
    flip: int,
) -> None:
    """Flipping any byte gives a BundleError or an equal model, never another exception."""
    content = bytearray(saved.read_bytes())
    content[int(place * len(content))] ^= flip
    path = tmp_path_factory.mktemp("flip") / "m.oddcall"
    path.write_bytes(content)
    try:
        loaded = load_bundle(path)
    except BundleError:
        return
    assert loaded.id == model.id


def parts(text: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Every key of a manifest, in it and in its first entries."""
    found = [(text, key) for key in text if key not in ("schema", "members")]
    found += [(text["features"], key) for key in ("hash",)]
    found += [(text["programs"][0], key) for key in text["programs"][0]]
    return found


@pytest.mark.parametrize("value", [None, [], "x", {"a": 1}, -(10**30)], ids=str)
def test_a_manifest_of_another_shape(saved: Path, tmp_path: Path, value: object) -> None:
    """Whatever stands under any key, loading gives a model or a BundleError."""
    count = 0

    def change(manifest: dict[str, Any]) -> None:
        place, key = parts(manifest)[count]
        place[key] = value

    with zipfile.ZipFile(saved) as bundle:
        total = len(parts(json.loads(bundle.read("manifest.json"))))
    refused = 0
    while count < total:
        try:
            load_bundle(rewritten(saved, tmp_path / "m.oddcall", change))
        except BundleError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017 - some of these values are harmless
        count += 1
    assert refused > total / 3


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("threshold", 5, "a threshold of 5, not above 0 up to 0.01"),
        ("threshold", -1, "a threshold of -1, "),
        ("threshold", 0, "a threshold of 0, "),
        ("sequence_threshold", 0.5, "a threshold for sums of 0.5, not from 0 to 0.01"),
        ("sequence_threshold", -1e-9, "a threshold for sums of -1e-09, "),
        ("budget_per_day", 0, "a budget of 0 a day, not above 0"),
        ("budget_per_day", -3, "a budget of -3 a day, "),
        ("expected_alerts_per_day", -1, "-1 alerts a day expected"),
    ],
)
def test_a_budget_or_threshold_that_makes_no_sense(
    saved: Path, tmp_path: Path, key: str, value: float, said: str
) -> None:
    """A model that would alert on everything, or never, is refused, and says by which number."""
    path = rewritten(saved, tmp_path / "m.oddcall", lambda manifest: manifest.update({key: value}))
    with pytest.raises(BundleError, match="does not fit together") as refused:
        load_bundle(path)
    assert said in str(refused.value)


def test_arrays_that_do_not_fit(model: Model, tmp_path: Path) -> None:
    """Arrays left out or of another shape are refused when loading, but for those nobody reads."""
    manifest, arrays = model.state()
    path = tmp_path / "m.oddcall"
    for name in arrays:
        write_archive(path, manifest, {k: v for k, v in arrays.items() if k != name})
        with pytest.raises(BundleError):
            load_bundle(path)
    tails = ("sequence", *(f"detector.{detector.name}" for detector in model.detectors))
    unread = {"detector/nearest/subspaces.variance", *(f"calibration/{t}/largest" for t in tails)}
    for name in sorted(arrays.keys() - unread):
        write_archive(path, manifest, arrays | {name: np.zeros((2, 2, 2), np.float32)})
        with pytest.raises(BundleError):
            load_bundle(path)


def test_trusted_keys(model: Model, tmp_path: Path) -> None:
    """A signed bundle is loaded by who trusts its key, and by nobody who trusts another."""
    keys = [Ed25519PrivateKey.generate() for _ in range(2)]
    private = keys[0].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = [
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for key in keys
    ]
    save_bundle(model, tmp_path / "m.oddcall", signing_key=private)
    assert load_bundle(tmp_path / "m.oddcall", trusted_keys=public).id == model.id
    with pytest.raises(BundleError, match="is not trusted"):
        load_bundle(tmp_path / "m.oddcall", trusted_keys=public[1:])


def test_loading_is_light(saved: Path) -> None:
    """Loading and judging import no training library and no cryptography."""
    script = (
        "import sys; from oddcall.models.bundle import load_bundle\n"
        "load_bundle(sys.argv[1])\n"
        "heavy = {'sklearn', 'river', 'pandas', 'pyarrow', 'cryptography', 'pickle'}\n"
        "found = heavy & set(sys.modules) - {'pickle'}\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", script, str(saved)], check=True)
