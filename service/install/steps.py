"""What installing writes, and what taking it away removes: as steps that can be shown first."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from oddcall.models.errors import StorageError
from oddcall.models.storage import storage_error, write_whole
from oddcall.service.config.file import template
from oddcall.service.config.loading import DEFAULT_FILE

UNIT = Path("/etc/systemd/system/oddcall.service")
STATE, LOGS = Path("/var/lib/oddcall"), Path("/var/log/oddcall")
#: There while systemd is the host's first process (``sd_booted(3)``).
_BOOTED = Path("/run/systemd/system")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do.

    Attributes
    ----------
    does : str
        What, for people.
    do : callable or None
        None where it is done already.
    """

    does: str
    do: Callable[[], None] | None = None


def unit() -> str:
    """Give the text of the unit, which starts this installation."""
    text = resources.files(__package__).joinpath("oddcall.service").read_text("utf-8")
    return text.replace("@COMMAND@", own_command()).replace("@CONFIG@", str(DEFAULT_FILE))


def own_command() -> str:
    """Say how this installation is started, in systemd's way of quoting."""
    script = Path(sys.executable).with_name("oddcall")
    words = [str(script)] if script.exists() else [sys.executable, "-m", "oddcall.service.cli"]
    return " ".join(_quoted(word) for word in words)


def install(root: Path, *, now: bool = False) -> Iterator[Step]:
    """List what makes a service of it.

    Parameters
    ----------
    root : Path
        Below which to write, ``/`` for this host.
    now : bool
        Enable and start it as well.
    """
    yield _written(_below(root, UNIT), unit(), 0o644)
    config = _below(root, DEFAULT_FILE)
    if config.exists():
        yield Step(f"{config} is kept as it is")
    else:
        yield _written(config, template(), 0o600)
    state = _below(root, STATE)
    if state.is_dir():
        yield Step(f"{state} is there")
    else:
        yield Step(f"make {state}", lambda: _make(state, 0o700))
    if here(root):
        yield _systemctl("daemon-reload")
        if now:
            yield _systemctl("enable", "--now", UNIT.name)


def uninstall(root: Path, *, purge: bool = False) -> Iterator[Step]:
    """List what takes it away: state and configuration stay unless purged."""
    unit_file = _below(root, UNIT)
    if not unit_file.exists():
        yield Step(f"{unit_file} is not there")
    else:
        if here(root):
            yield _systemctl("disable", "--now", UNIT.name)
        yield Step(f"remove {unit_file}", lambda: _remove(unit_file))
        if here(root):
            yield _systemctl("daemon-reload")
    for place in (DEFAULT_FILE.parent, STATE, LOGS):
        yield from _left(_below(root, place), purge=purge)


def here(root: Path) -> bool:
    """Whether this very host is meant, and systemd runs it."""
    return root == Path("/") and _BOOTED.is_dir()


def _left(place: Path, *, purge: bool) -> Iterator[Step]:
    if not place.exists():
        return
    if purge:
        yield Step(f"remove {place}", lambda: _remove(place))
    else:
        yield Step(f"{place} is kept; --purge removes it")


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _written(path: Path, text: str, mode: int) -> Step:
    try:
        same = path.read_text("utf-8") == text
        verb = "write anew"
    except OSError:
        same, verb = False, "write"
    if same:
        return Step(f"{path} is as it should be")

    def write() -> None:
        _make(path.parent, 0o755)
        write_whole(path, text.encode())
        path.chmod(mode)

    return Step(f"{verb} {path}", write)


def _make(folder: Path, mode: int) -> None:
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(folder, error) from error


def _remove(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(path, error) from error


def _systemctl(*words: str) -> Step:
    command = ["systemctl", *words]

    def call() -> None:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  fixed words
        except OSError as error:
            raise storage_error(Path("systemctl"), error) from error
        if done.returncode:
            raise StorageError(
                f"{' '.join(command)} failed",
                got=done.stderr.strip() or f"exit code {done.returncode}",
                fix="Type: systemctl status oddcall.service",
            )

    return Step(f"run {' '.join(command)}", call)


def _quoted(word: str) -> str:
    """Write a word of a command line so that systemd takes it for itself (systemd.service(5))."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{word}"' if set(word) & set(" \t'\"\\;") else word
