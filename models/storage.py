"""Write a file so that its place holds the old content or the whole new one, never a part."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from oddcall.models.errors import StorageError

_WHY = {
    errno.ENOSPC: "no space is left on the device",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would pass the limit on file sizes",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.ENOENT: "the folder does not exist",
}
_NEXT = {
    errno.EROFS: "Name a place on another file system.",
    errno.ENOENT: "Make the folder, or name another place.",
}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def hidden(path: Path) -> Path:
    """Where the content of ``path`` is gathered before it takes its name."""
    return path.with_name(f".{path.name}.tmp")


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write ``content`` beside ``path``, flush it to the disk, and rename it into place.

    A process killed on the way leaves the hidden file, which the next write replaces.
    One writer at a time per path.

    Raises
    ------
    StorageError
        When the disk is full or the place cannot be written; ``path`` is as it was before.
    """
    path = path.resolve()  # a link keeps pointing where it points
    temporary = hidden(path)
    try:
        _keep_what_is_no_file(path)
        _write(temporary, memoryview(content))
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise storage_error(path, error) from error


def require_place(path: Path) -> None:
    """Refuse a place that ``write_whole`` could not write to, before the work and not after it.

    Raises
    ------
    StorageError
        When the folder does not exist or may not be written to, or something else is there.
    """
    path = path.resolve()
    try:
        _keep_what_is_no_file(path)
        if why := unwritable(path.parent):
            raise why
    except OSError as error:
        raise storage_error(path, error) from error


def storage_error(path: Path, error: OSError) -> StorageError:
    """Say in one sentence why ``path`` could not be written, and what to do."""
    full = error.errno in _FULL
    return StorageError(
        f"cannot write {path}",
        got=_WHY.get(error.errno or 0, error.strerror or str(error)),
        fix="Free some space or name another place; what was written before is whole."
        if full
        else _NEXT.get(error.errno or 0, "Name a place that this user may write to."),
    )


def unwritable(folder: Path) -> OSError | None:
    """Say why nothing can be made in a folder, making nothing; None when it can."""
    if not folder.is_dir():
        code = errno.ENOENT
    elif os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        return None
    else:
        read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
        code = errno.EROFS if read_only else errno.EACCES
    return OSError(code, _WHY[code])


def _keep_what_is_no_file(path: Path) -> None:
    """Refuse to rename over a device or a folder: root could replace /dev/null by a file."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EPERM, "something that is not a file is there")


def _write(path: Path, content: memoryview) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
