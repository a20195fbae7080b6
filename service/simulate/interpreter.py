"""A Python interpreter under another name, so that what it runs is a program of its own.

A baseline belongs to an executable, its inode and its unit. A server run by the same
``python3`` as everything else would share a baseline with all of it, oddcall included. So the
demo server runs on a private copy of the interpreter, kept from one start to the next: its
path, and so its baseline, survives restarts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from oddcall.models.errors import OddcallError
from oddcall.models.storage import storage_error, write_whole

NAME = "oddcall-demo-server"


def private_copy(folder: Path, name: str = NAME) -> Path:
    """Copy the running interpreter to ``folder/bin`` unless it is there, and check that it runs.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    OddcallError
        If the copy does not run (a file system mounted ``noexec``).
    """
    source = Path("/proc/self/exe").resolve()
    copy = folder / "bin" / name
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        packages.mkdir(parents=True, exist_ok=True)
        if not _same(source, copy):
            fresh = copy.with_suffix(".new")
            shutil.copy2(source, fresh)
            fresh.replace(copy)
    except OSError as error:
        raise storage_error(copy, error) from error
    _keep(folder / "pyvenv.cfg", _home(source))
    _keep(packages / "oddcall.pth", _imports())
    _check(copy)
    return copy


def command(copy: Path, module: str, *arguments: str) -> list[str]:
    """Give the words that run a module of oddcall on the copy."""
    return [str(copy), "-I", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Give the environment in which the copy finds its shared library."""
    found = dict(os.environ)
    library = sysconfig.get_config_var("LIBDIR")
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and library:
        # Found relative to the interpreter in some builds, which the copy is not.
        before = found.get("LD_LIBRARY_PATH")
        found["LD_LIBRARY_PATH"] = f"{library}:{before}" if before else library
    return found


def _home(source: Path) -> str:
    """Tell a moved interpreter where its standard library is, in the words of ``venv``."""
    return f"home = {source.parent}\ninclude-system-site-packages = false\n"


def _imports() -> str:
    """Make the copy import from where this process does, editable installs included."""
    places = [place for place in sys.path if place and Path(place).is_dir()]
    return "".join(f"import site; site.addsitedir({place!r})\n" for place in places)


def _keep(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text() != text:
        write_whole(path, text.encode())


def _same(source: Path, copy: Path) -> bool:
    if not copy.is_file():
        return False
    one, other = source.stat(), copy.stat()
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _check(copy: Path) -> None:
    try:
        subprocess.run(  # noqa: S603  our own copy
            [copy, "-I", "-c", "import socket"],
            env=environment(),
            check=True,
            capture_output=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise OddcallError(
            "the copy of the Python interpreter does not run",
            expected=f"{copy} to start",
            got=str(error),
            fix="Name a folder on a file system that allows programs: by --workdir, or by --keep "
            "for a trial.",
        ) from error
