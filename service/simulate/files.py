"""What is done to files: rewritten in bulk, removed in bulk, looked for in vain."""

from __future__ import annotations

import os
from pathlib import Path

from oddcall.service.simulate.behaviour import Behaviour, Bounds, Facts

_FILES = 200
_BYTES = 8192
_NAMES = 5000
#: Every byte's complement: undone by doing it again.
_INVERT = bytes(255 - b for b in range(256))


def paths(room: Path, count: int = _FILES) -> list[Path]:
    """Name the files to be worked on."""
    return [room / f"report-{n:03}.txt" for n in range(count)]


def make(room: Path, count: int = _FILES) -> None:
    """Make them, each with a line of text of its own."""
    for path in paths(room, count):
        path.write_bytes((path.name.encode() + b"\n").ljust(_BYTES, b"."))


def rewrite(prey: list[Path], bounds: Bounds) -> list[Path]:
    """Read, invert in place, flush, and rename each file; returns the new names."""
    return [_rewrite(prey[turn]) for turn in bounds.times(len(prey))]


def _rewrite(path: Path) -> Path:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, _BYTES)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, content.translate(_INVERT))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return path.rename(path.with_suffix(".locked"))


def _bulk_rewrite(bounds: Bounds) -> Facts:
    prey = paths(bounds.room)
    renamed = rewrite(prey, bounds)
    return {"files": len(prey), "rewritten": len(renamed)}


def _bulk_delete(bounds: Bounds) -> Facts:
    removed, prey = 0, paths(bounds.room)
    for turn in bounds.times(len(prey)):
        prey[turn].unlink()
        removed += 1
    return {"files": len(prey), "removed": removed}


def _failing_opens(bounds: Bounds) -> Facts:
    failed = 0
    for turn in bounds.times(_NAMES):
        try:
            os.close(os.open(f"{bounds.room}/id_rsa.{turn}", os.O_RDONLY))
        except FileNotFoundError:
            failed += 1
    return {"tried": turn + 1, "failed": failed}


BULK_REWRITE = Behaviour(
    name="bulk-rewrite",
    technique="T1486",
    summary="Rewrites 200 files in place, flushes each and gives it a new suffix.",
    expects=("openat", "read", "lseek", "write", "fsync", "rename"),
    cause=("rename", "fsync"),
    harmless_because="it touches only files made for it in a folder of their own, which is removed",
    act=_bulk_rewrite,
    prepare=make,
)

BULK_DELETE = Behaviour(
    name="bulk-delete",
    technique="T1485",
    summary="Removes 200 files one after the other.",
    expects=("unlink",),
    cause=("unlink",),
    harmless_because="it touches only files made for it in a folder of their own, which is removed",
    act=_bulk_delete,
    prepare=make,
)

FAILING_OPENS = Behaviour(
    name="failing-opens",
    technique="T1083",
    summary="Tries to open 5,000 names that do not exist.",
    expects=("openat",),
    cause=("openat",),
    harmless_because="every name is in a new, empty temporary folder, so nothing is ever opened",
    act=_failing_opens,
)
