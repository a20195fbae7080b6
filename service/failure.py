"""What becomes of an exception nobody foresaw: a short sentence, and a report in a file."""

from __future__ import annotations

import errno
import os
import platform
import sys
import tempfile
import time
import traceback
from importlib.metadata import version
from pathlib import Path

from oddcall.models.errors import OddcallError, StorageError
from oddcall.models.storage import storage_error
from oddcall.service.state import StateDir, default_state_dir

#: Where a verb leaves its state directory for reports, in the context's object.
STATE = "oddcall.state directory"
#: Names that directory as well; read here too, because settings may be what failed.
_STATE_VARIABLE = "ODDCALL_STATE_DIR"
#: The last one is a terminal that is gone as well.
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


def storage_failure(error: Exception) -> StorageError | None:
    """Name the disk as the cause where it is, whichever line met it first."""
    if isinstance(error, OSError) and error.errno in _DISK:
        return storage_error(Path(error.filename or "a file"), error)
    return None


def report_mistake(error: Exception, state_dir: Path | None = None) -> OddcallError:
    """Write the traceback to a file, and say where it is.

    Parameters
    ----------
    state_dir : holds the folder of reports, by default the one that ``ODDCALL_STATE_DIR`` names,
        else the default state directory; where it cannot be written, the temporary directory
        takes them.
    """
    named = os.environ.get(_STATE_VARIABLE)
    folder = state_dir or (Path(named).expanduser() if named else default_state_dir())
    kind = f"{type(error).__name__}: {error}".strip(": ").splitlines()[0]
    place = _write(_text(error), StateDir(folder).reports)
    return OddcallError(
        f"oddcall stopped on a mistake of its own ({kind})",
        fix=f"The details are in {place}; please send that file with a word on what you did."
        if place
        else "The details could not be written anywhere; `oddcall doctor` may say why.",
    )


def _text(error: Exception) -> str:
    head = (
        f"oddcall {version('oddcall')}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.release()} {platform.machine()}\n"
        f"{' '.join(sys.argv)}\n\n"
    )
    return head + "".join(traceback.format_exception(error))


def _write(text: str, folder: Path) -> Path | None:
    name = f"oddcall-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
    for place in (folder, None):
        try:
            # The other only when its turn comes: there may be none, and looking for it fails.
            found = place or Path(tempfile.gettempdir())
            found.mkdir(mode=0o700, parents=True, exist_ok=True)
            (found / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        return found / name
    return None
