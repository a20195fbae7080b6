"""Promises about the project as a whole: what is in the tree, and what an install carries."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from fnmatch import fnmatch
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("bpf", "models", "training", "sensor", "service")
#: Ways to write or read Python objects as code.
UNSAFE_MODULES = {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
UNSAFE_NAMES = {"allow_pickle", "read_pickle", "to_pickle"}


@cache
def tracked() -> tuple[Path, ...]:
    """Files under version control, relative to the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return tuple(Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file())


def sources() -> list[Path]:
    """Python files of ours that are not tests."""
    return [f for f in tracked() if f.suffix == ".py" and f.parts[0] != "tests"]


@cache
def project() -> dict[str, Any]:
    """What pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def unsafe(tree: ast.AST) -> list[str]:
    """Names in a module that lead to deserialising code. ``allow_pickle=False`` is fine."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.split(".")[0] in UNSAFE_MODULES]
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in UNSAFE_MODULES:
                found.append(str(node.module))
        elif isinstance(node, ast.Attribute) and node.attr in UNSAFE_NAMES:
            found.append(node.attr)
        elif isinstance(node, ast.keyword) and node.arg in UNSAFE_NAMES:
            if not (isinstance(node.value, ast.Constant) and node.value.value is False):
                found.append(str(node.arg))
        elif isinstance(node, ast.Constant) and node.value in UNSAFE_MODULES:
            found.append(str(node.value))
    return found


def test_nothing_is_pickled() -> None:
    """No source imports pickle or its kin, or names it, or lets numpy or pandas use it."""
    offenders = {
        str(f): bad for f in sources() if (bad := unsafe(ast.parse((ROOT / f).read_text())))
    }
    assert not offenders


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import dump",
        "np.load(f, allow_pickle=True)",
        "frame.to_pickle(p)",
        "__import__('dill')",
    ],
)
def test_the_search_for_pickle_finds_it(code: str) -> None:
    """The search above would see each way of pickling."""
    assert unsafe(ast.parse(code))


def test_every_module_says_what_it_is() -> None:
    """Every module opens with a docstring, tests included; a notebook opens with a text cell."""
    texts = {f: (ROOT / f).read_text() for f in tracked() if f.suffix == ".py"}
    silent = [
        str(file)
        for file, text in texts.items()
        if not (
            text.startswith("# %% [markdown]\n# # ")
            if file.parts[0] == "notebooks"
            else ast.get_docstring(ast.parse(text))
        )
    ]
    assert not silent


def test_modules_stay_small() -> None:
    """No module grows past 400 lines."""
    lengths = {str(f): len((ROOT / f).read_text().splitlines()) for f in sources()}
    assert not {name: n for name, n in lengths.items() if n > 400}


def test_no_file_knows_the_machine_it_was_made_on() -> None:
    """No tracked file holds the path of a checkout or of somebody's home."""
    somebodys = re.compile(rf"{re.escape(str(ROOT))}\b|/home/\w+/|/Users/\w+/")
    offenders = {}
    for file in tracked():
        if file != Path("tests/test_project.py"):
            found = somebodys.findall((ROOT / file).read_text(errors="replace"))
            offenders |= {str(file): found} if found else {}
    assert not offenders


def test_versions_agree() -> None:
    """The project file, what is installed and the newest entry of the changelog agree."""
    stated = project()["project"]["version"]
    released = re.findall(r"^## \[(\d[^\]]*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert version("oddcall") == stated == released[0]


def test_every_package_is_installed() -> None:
    """Every folder of modules in a room is in the list of packages, and none that is gone."""
    folders = {f.parent for f in sources() if f.parts[0] in ROOMS}
    assert {".".join(("oddcall", *f.parts)) for f in folders} == set(
        project()["tool"]["setuptools"]["packages"]
    )


def test_every_file_that_is_not_python_ships() -> None:
    """Kernel sources, stub headers, schemas and tables match a pattern of the package's data."""
    data = project()["tool"]["setuptools"]["package-data"]
    others = [f for f in tracked() if f.parts[0] in ROOMS and f.suffix != ".py"]
    left_out = [str(f) for f in others if not any(_ships(f, name, data[name]) for name in data)]
    assert others
    assert not left_out


def _ships(file: Path, package: str, patterns: list[str]) -> bool:
    folder = Path(*package.split(".")[1:])
    if not file.is_relative_to(folder):
        return False
    inside = file.relative_to(folder)
    return any(
        fnmatch(str(inside), pattern)
        if "**" in pattern
        else inside.match(pattern) and len(inside.parts) == len(Path(pattern).parts)
        for pattern in patterns
    )


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_installed_can_be_found(room: str) -> None:
    """Each room is importable as ``oddcall.ROOM`` and brings its data along."""
    installed = files(f"oddcall.{room}")
    data = [f for f in tracked() if f.parts[0] == room and f.suffix != ".py"]
    assert all(installed.joinpath(*f.parts[1:]).is_file() for f in data)


def test_the_architecture_page_names_rooms_that_exist() -> None:
    """Every path in backticks on the architecture page is in the tree."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    paths = re.findall(r"`((?:\w+/)+[\w.]*)`", page)
    assert {p.split("/")[0] for p in paths} >= set(ROOMS)
    assert not [p for p in paths if not (ROOT / p).exists()]


@pytest.mark.parametrize(
    "script", [".ci/run", "scripts/setup", "scripts/core", "scripts/step", "scripts/as-root"]
)
def test_scripts_can_be_run(script: str) -> None:
    """Scripts are executable in the checkout and are sound bash."""
    assert (ROOT / script).stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(ROOT / script)], check=True)
