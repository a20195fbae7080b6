"""What will run on this host, what will be missed, and what to type."""

from __future__ import annotations

import platform
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from oddcall.models.errors import OddcallError
from oddcall.sensor.checks import Check
from oddcall.service.config import load
from oddcall.service.settings import Settings
from oddcall.service.state import StateDir

_OLDEST_PYTHON = (3, 11)
_PACKAGES = ("numpy", "scipy", "scikit-learn", "river", "pandas", "pyarrow", "click", "pydantic")
#: An hour of a busy host's recording takes a few hundred megabytes.
_FREE_BYTES = 1 << 30


def examine(
    kernel: Callable[[], list[Check]], config: Path | None = None, model: Path | None = None
) -> list[Check]:
    """Run every check.

    Parameters
    ----------
    kernel : checks of the kernel and the loader (``oddcall.sensor.checks.checks``).
    config : settings file to check instead of the host's.
    model : bundle to check; default the baseline in the state directory, if there is one.
    """
    found = [_python(), _packages(), *kernel()]
    settings = Settings()
    try:
        loaded = load(file=config)
    except OddcallError as error:
        found.append(_failed("settings", error))
    else:
        settings = loaded.settings
        found.append(Check("settings", True, f"{len(loaded.origin)} given, the rest built in"))
    state = StateDir(settings.state_dir)
    return [*found, _state(state), _disk(state), *_bundle(model, state)]


def render(checks: list[Check], *, width: int = 80, colour: bool = False) -> Iterator[str]:
    """Write a line or more a check, and what to do below those that failed."""
    name_width = max(len(check.name) for check in checks)
    indent = " " * (name_width + 8)
    for check in checks:
        mark = click.style("ok  ", fg="green") if check.ok else click.style("FAIL", fg="red")
        mark = mark if colour else click.unstyle(mark)
        first, *rest = textwrap.wrap(check.detail, width - len(indent)) or [""]
        yield f"{mark}  {check.name:<{name_width}}  {first}"
        yield from (indent + line for line in rest)
        if not check.ok and check.fix:
            yield from textwrap.wrap(
                f"-> {check.fix}", width, initial_indent=indent, subsequent_indent=f"{indent}   "
            )


def _python() -> Check:
    ok = sys.version_info >= _OLDEST_PYTHON
    fix = "Install Python 3.11 or later and set oddcall up with it."
    detail = f"{platform.python_version()} ({sys.executable})"
    return Check("python", ok, detail, "" if ok else fix)


def _packages() -> Check:
    found, missing = [f"oddcall {version('oddcall')}"], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", False, f"missing: {', '.join(missing)}", "Type: make setup")
    return Check("packages", True, ", ".join(found))


def _state(state: StateDir) -> Check:
    try:
        state.make()
    except OddcallError as error:
        return _failed("state", error)
    return Check("state", True, f"{state.path} can be written")


def _disk(state: StateDir) -> Check:
    place = state.path
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    detail = f"{free / 1e9:.1f} GB free at {place}"
    if free < _FREE_BYTES:
        return Check("disk", False, detail, "Free some space, or name another --state-dir.")
    return Check("disk", True, detail)


def _bundle(model: Path | None, state: StateDir) -> Iterator[Check]:
    path = model or (state.baseline if state.baseline.exists() else None)
    if path is None:
        yield Check("model", True, "none yet; `oddcall watch` learns one")
        return
    from oddcall.models.bundle import load_bundle

    try:
        loaded = load_bundle(path)
    except OddcallError as error:
        yield _failed("model", error)
    else:
        yield Check("model", True, f"{path}: {loaded.id}, {len(loaded.programs)} programs")


def _failed(name: str, error: OddcallError) -> Check:
    what = f"{error.what}: {error.got}" if error.got else error.what
    return Check(name, False, what, error.fix)
