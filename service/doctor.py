"""What will run on this host, what will be missed, and what to type."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click

from oddcall.models.errors import OddcallError, PrivilegeError
from oddcall.models.storage import unwritable
from oddcall.sensor.check import Check
from oddcall.service.config.loading import load
from oddcall.service.config.settings import Settings
from oddcall.service.quantities import counted
from oddcall.service.sinks.sections import name_of
from oddcall.service.state import StateDir, is_there

#: How the checks of sinks begin.
_SINK = "sink "
_OLDEST_PYTHON = (3, 11)
_PACKAGES = ("numpy", "scipy", "scikit-learn", "river", "pandas", "pyarrow", "click", "pydantic")
#: An hour of a busy host's recording takes a few hundred megabytes.
_FREE_BYTES = 1 << 30


def examine(
    kernel: Callable[[], list[Check]],
    config: Path | None = None,
    model: Path | None = None,
    state_dir: str | None = None,
) -> list[Check]:
    """Run every check.

    Parameters
    ----------
    kernel : checks of the kernel and the loader (``oddcall.sensor.checks.checks``).
    config : settings file to check instead of the host's.
    model : bundle to check; default the baseline in the state directory, if there is one.
    state_dir : state directory to check instead of the settings' own.
    """
    found = [_python(), _packages(), *kernel()]
    settings = Settings()
    try:
        loaded = load({"state_dir": state_dir}, file=config)
    except OddcallError as error:
        found.append(_unusable(error, config))
    else:
        settings = loaded.settings
        found.append(Check("settings", True, f"{len(loaded.origin)} given, the rest built in"))
    state = StateDir(settings.state_dir)
    return [
        *found,
        _state(state),
        _disk(state),
        *_bundle(model, state, settings.trusted_key),
        *_sinks(settings),
    ]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the checks come to, in short sentences.

    Attributes
    ----------
    runs : list of str
        What will run on this host.
    missed : list of str
        What will not be seen, or not be told.
    fixes : list of str
        What to type, each once.
    """

    runs: list[str]
    missed: list[str]
    fixes: list[str]


def outlook(checks: list[Check]) -> Outlook:
    """Sum the checks up."""
    by_name = {check.name: check for check in checks}

    def well(*names: str) -> bool:
        return all(by_name[name].ok for name in names if name in by_name)

    runs: list[str] = []
    missed: list[str] = []
    offline = "train, replay and evaluate, which need no privilege"
    sensing = "record and watch, as this user"
    base = ("python", "packages", "settings")
    (runs if well(*base) else missed).append(offline)
    (runs if well(*base, "program", "state") else missed).append(sensing)
    if sinks := [check for check in checks if check.name.startswith(_SINK)]:
        reached = [check.name.removeprefix(_SINK) for check in sinks if check.ok]
        runs += [f"alerts to {', '.join(reached)}"] if reached else []
    missed += [check.missed for check in checks if check.missed]
    return Outlook(runs, missed, list(dict.fromkeys(c.fix for c in checks if c.fix and not c.ok)))


def as_dict(checks: list[Check]) -> dict[str, Any]:
    """Give the whole for a machine."""
    keys = ("name", "ok", "detail", "fix")
    said = outlook(checks)
    return {
        "ok": all(check.ok for check in checks),
        "checks": [{key: getattr(check, key) for key in keys} for check in checks],
        "runs": said.runs,
        "missed": said.missed,
        "fixes": said.fixes,
    }


def render_outlook(said: Outlook, *, width: int = 80) -> Iterator[str]:
    """Write the three lists."""
    for title, lines, nothing in (
        ("will run", said.runs, "nothing as things are"),
        ("will be missed", said.missed, "nothing that a look at this host can tell"),
        ("to type or change", said.fixes, "nothing"),
    ):
        yield f"{title}:"
        for line in lines or [nothing]:
            # A path that is to be typed must not be broken.
            yield from textwrap.wrap(
                line,
                width,
                initial_indent="  - ",
                subsequent_indent="    ",
                break_on_hyphens=False,
                break_long_words=False,
            )


def render(checks: list[Check], *, width: int = 80, colour: bool = False) -> Iterator[str]:
    """Write a line or more a check, and what to do below those that failed."""
    name_width = max(len(check.name) for check in checks)
    indent = " " * (name_width + 8)
    for check in checks:
        mark = click.style("ok  ", fg="green") if check.ok else click.style("FAIL", fg="red")
        mark = mark if colour else click.unstyle(mark)
        first, *rest = [
            part
            for line in check.detail.splitlines()
            for part in textwrap.wrap(line, width - len(indent), subsequent_indent="  ")
        ] or [""]
        yield f"{mark}  {check.name:<{name_width}}  {first}"
        yield from (indent + line for line in rest)
        if not check.ok and check.fix:
            yield from textwrap.wrap(
                f"-> {check.fix}",
                width,
                initial_indent=indent,
                subsequent_indent=f"{indent}   ",
                break_on_hyphens=False,
                break_long_words=False,
            )


def _unusable(error: OddcallError, config: Path | None) -> Check:
    """Say what is wrong with the settings, a line each, and which file to correct."""
    failed = Check.failed("settings", error)
    if config and not os.access(config, os.R_OK):
        return failed
    faults = [line for line in failed.detail.splitlines() if not line.startswith("`oddcall")]
    given = f" --config {config}" if config else ""
    fix = f"Correct {config or 'the settings'} (oddcall config check{given})"
    return replace(failed, detail="\n".join(faults), fix=fix)


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
    """Look, and make nothing."""
    place = _nearest(state.path)
    if error := unwritable(place):
        detail = f"{place} cannot be written: {error.strerror}"
        return Check("state", False, detail, state.instead(error))
    exists = "can be written" if place == state.path else "will be made by the first watch"
    holder = state.holder()
    busy = f"; process {holder} watches with it" if holder else ""
    return Check("state", True, f"{state.path} {exists}{busy}")


def _disk(state: StateDir) -> Check:
    place = _nearest(state.path)
    free = shutil.disk_usage(place).free
    detail = f"{free / 1e9:.1f} GB free at {place}"
    if free < _FREE_BYTES:
        return Check("disk", False, detail, "Free some space, or name another --state-dir.")
    return Check("disk", True, detail)


def _bundle(model: Path | None, state: StateDir, trusted_key: Path | None) -> Iterator[Check]:
    try:
        if not model and not is_there(state.baseline):
            yield Check("model", True, "none to read yet; `oddcall watch` learns one")
            return
    except PrivilegeError as error:
        yield Check("model", True, f"not looked: {error.what}")
        return
    from oddcall.models.bundle import load_bundle
    from oddcall.service.trust import named_model

    try:
        loaded = named_model(model, trusted_key) if model else load_bundle(state.baseline)
    except OddcallError as error:
        yield Check.failed("model", error)
    else:
        programs = counted(len(loaded.programs), "program")
        yield Check("model", True, f"{model or state.baseline}: {loaded.id}, {programs}")


def _nearest(place: Path) -> Path:
    """Give the place, or the nearest folder above it that exists."""
    while not os.access(place, os.F_OK) and place != place.parent:
        place = place.parent
    return place


def _sinks(settings: Settings) -> Iterator[Check]:
    """Try to reach every sink, all at once: one that does not answer takes its whole timeout."""
    if not settings.sinks:
        return
    from oddcall.service.sinks.opening import unreachable

    with ThreadPoolExecutor(len(settings.sinks)) as pool:
        answers = list(pool.map(unreachable, settings.sinks))
    for section, answer in zip(settings.sinks, answers, strict=True):
        name, kept = f"{_SINK}{name_of(section)}", f"up to {section.queue:,} alerts wait on disk"
        if answer:
            fix = f"Start or correct it; until then {kept}."
            missed = f"alerts to {name_of(section)}, until it can be reached"
            yield Check(name, False, answer, fix, missed)
        else:
            yield Check(name, True, "can be reached")
