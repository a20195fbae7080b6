"""Chores of a developer's and an administrator's host, done again and again."""

from __future__ import annotations

import base64
import hashlib
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oddcall.service.simulate import interpreter
from oddcall.service.trial.workload import Round, beside, call, find, installed

_PARTS = 6
_FUNCTIONS = 20
_MAKEFILE = """\
CC ?= cc
parts := $(patsubst %.c,%.o,$(wildcard *.c))
program: $(parts)
\t$(CC) -o $@ $^
clean:
\trm -f program $(parts)
"""
_REPORT = """\
set -e
find . -name '*.txt' -size +0 | sort | head -40 > list
wc -l $(cat list) > lines || true
grep -h -c report $(cat list) | awk '{ sum += $1 } END { print sum }' > sum
date +%s >> runs
tail -n 50 runs > runs.new && mv runs.new runs
"""
_ROTATE = """\
set -e
for i in 1 2 3 4 5; do echo "$(date) request $i"; done >> app.log
test -f app.log.1.gz && mv app.log.1.gz app.log.2.gz
cp app.log app.log.1
: > app.log
gzip -f app.log.1
chmod 640 app.log.1.gz
rm -f app.log.3.gz
"""
_DATA_FILES = 60


@contextmanager
def compile_program(folder: Path) -> Iterator[Round]:
    """Write, build and commit a small C program."""
    git = installed("git")
    own = ["-c", "user.name=trial", "-c", "user.email=trial@localhost", "-c", "gc.auto=0"]
    _write_program(folder, 0)
    call([git, "init", "-q", "."], folder)

    def turn(turn: int) -> None:
        _write_program(folder, turn)
        call([installed("make"), "-s", f"CC={_compiler()}"], folder)
        call([folder / "program"], folder)
        call([git, *own, "add", "--", "Makefile", *(f"part{n}.c" for n in range(_PARTS))], folder)
        call([git, *own, "commit", "-q", "--allow-empty", "-m", f"turn {turn}"], folder)
        call([git, "log", "--oneline", "-n", "5"], folder)
        call([git, "status", "--short"], folder)
        if turn % 3 == 2:
            call([installed("make"), "-s", "clean"], folder)

    yield turn


def _write_program(folder: Path, turn: int) -> None:
    (folder / "Makefile").write_text(_MAKEFILE)
    for part in range(_PARTS):
        if turn and part != turn % _PARTS:
            continue
        body = "".join(
            f'int f{part}_{n}(int x) {{ if (x > {n + turn}) puts("more"); return x * {n}; }}\n'
            for n in range(_FUNCTIONS)
        )
        main = "int main(void) { return f0_0(1); }\n" if part == 0 else ""
        text = f"#include <stdio.h>\n#include <stdlib.h>\n{body}{main}"
        (folder / f"part{part}.c").write_text(text)


def _compiler() -> str:
    return find("cc") or find("gcc") or installed("clang")


@contextmanager
def back_up(folder: Path) -> Iterator[Round]:
    """Pack a folder, list what was packed, and now and then restore it."""
    home = folder / "home"
    _fill(home)
    tar = installed("tar")

    def turn(turn: int) -> None:
        (home / f"report-{turn % _DATA_FILES}.txt").write_text(f"report {turn}\n" * 200)
        archive = folder / f"backup-{turn % 3}.tar.gz"
        call([tar, "czf", archive, "-C", folder, "home"], folder)
        call([tar, "tzf", archive], folder)
        if turn % 4 == 3:
            place = folder / "restored"
            place.mkdir(exist_ok=True)
            call([tar, "xzf", archive, "-C", place], folder)
            shutil.rmtree(place)

    yield turn


def _fill(home: Path) -> None:
    home.mkdir(exist_ok=True)
    for n in range(_DATA_FILES):
        (home / f"report-{n}.txt").write_text(f"report {n}\n" * (20 + 7 * n))


@contextmanager
def run_cron_job(folder: Path) -> Iterator[Round]:
    """Run a script that finds, sorts, counts and greps."""
    _fill(folder / "home")
    (folder / "report.sh").write_text(_REPORT)
    yield lambda _turn: call([installed("sh"), folder / "report.sh"], folder)


@contextmanager
def rotate_logs(folder: Path) -> Iterator[Round]:
    """Run a script that copies, cuts and compresses its logs."""
    (folder / "rotate.sh").write_text(_ROTATE)
    yield lambda _turn: call([installed("sh"), folder / "rotate.sh"], folder)


@contextmanager
def install_wheel(folder: Path) -> Iterator[Round]:
    """Install a wheel with pip."""
    wheel = _wheel(folder)
    words = [sys.executable, "-P", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    words += ["install", "--no-index", "--no-deps", "--root-user-action=ignore", "--upgrade"]
    yield lambda _turn: call([*words, "--target", folder / "site", wheel], folder)


def _wheel(folder: Path) -> Path:
    """Build the smallest package that pip installs."""
    place = folder / "oddcall_trial_package-1.0-py3-none-any.whl"
    own = "oddcall_trial_package-1.0.dist-info"
    files = {
        "oddcall_trial_package.py": b'"""Nothing."""\n',
        f"{own}/METADATA": b"Metadata-Version: 2.1\nName: oddcall-trial-package\nVersion: 1.0\n",
        f"{own}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items()
    )
    with zipfile.ZipFile(place, "w") as archive:
        for name, content in {
            **files,
            f"{own}/RECORD": f"{record}{own}/RECORD,,\n".encode(),
        }.items():
            archive.writestr(name, content)
    return place


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


@contextmanager
def install_package(folder: Path) -> Iterator[Round]:
    """Install and remove a package with dpkg, below a root of its own."""
    tree, root = folder / "tree", folder / "root"
    (tree / "DEBIAN").mkdir(parents=True, exist_ok=True)
    (tree / "usr/share/oddcall-trial").mkdir(parents=True, exist_ok=True)
    (tree / "usr/share/oddcall-trial/text").write_text("nothing\n")
    (tree / "DEBIAN/control").write_text(
        "Package: oddcall-trial\nVersion: 1.0\nArchitecture: all\n"
        "Maintainer: trial <trial@localhost>\nDescription: nothing\n"
    )
    for place in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"):
        (root / place).mkdir(parents=True, exist_ok=True)
    for name in ("status", "available"):
        (root / "var/lib/dpkg" / name).touch()
    package = folder / "oddcall-trial.deb"
    call([installed("dpkg-deb"), "-b", tree, package], folder)
    dpkg = [installed("dpkg"), f"--root={root}", "--force-not-root", "--no-triggers"]

    def turn(turn: int) -> None:
        call([*dpkg, "-P", "oddcall-trial"] if turn % 2 else [*dpkg, "-i", package], folder)

    yield turn


@contextmanager
def run_service(folder: Path) -> Iterator[Round]:
    """Keep a Python service running, which keeps books in SQLite."""
    copy = interpreter.private_copy(folder / "interpreter", "oddcall-trial-service")
    words = interpreter.command(copy, "oddcall.service.trial.bookkeeper", str(folder))
    with beside(words, folder, env=interpreter.environment()) as service:

        def turn(_turn: int) -> None:
            if service.poll() is not None:
                raise FileNotFoundError("the service ended")

        yield turn


#: Rounds after which the program is replaced.
_UPGRADED_EACH = 60


@contextmanager
def upgrade_program(folder: Path) -> Iterator[Round]:
    """Run a program, and put another build in its place now and then."""
    program = folder / "digest"
    _fill(folder / "home")
    files = sorted((folder / "home").iterdir())

    def turn(turn: int) -> None:
        if turn % _UPGRADED_EACH == 0:
            _replace(program, turn)
        call([program, *files], folder)

    yield turn


def _replace(program: Path, turn: int) -> None:
    """Put another build in the program's place: same path, new inode, other bytes."""
    fresh = program.with_suffix(".new")
    shutil.copy2(installed("sha256sum"), fresh)
    with fresh.open("ab") as build:
        build.write(b"build %d\n" % turn)
    fresh.replace(program)
