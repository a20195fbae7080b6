"""The state directory: what outlives a restart, and where each thing lies in it.

::

    baseline.oddcall       what watch learned
    learning/              recording of what the baseline is, or will be, learned from
    catch-up/              recording of what was seen while the baseline was being trained
    learned.jsonl          what baselines learned since, while watching
    newcomers/             recordings of programs that are learned while watching
    programs.json          how each program stands, and since when
    lesson.json            how far the lesson is, while there is one
    history.sqlite         alerts as they were written, and what their programs did
    feedback.jsonl         what people said of them
    reports/               what oddcall writes about a mistake of its own
    watch.lock             held while a watch uses the directory
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from oddcall.models.errors import PrivilegeError, StorageError, reason
from oddcall.models.storage import storage_error, unwritable


def default_state_dir() -> Path:
    """Place for state: the host's for root, else the user's own (XDG)."""
    if os.geteuid() == 0:
        return Path("/var/lib/oddcall")
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "oddcall"


def is_there(path: Path) -> bool:
    """Tell whether a file of a state directory is there, to be read.

    Raises
    ------
    PrivilegeError
        When it, or its directory, may not be read.
    """
    try:
        path.open("rb").close()
    except PermissionError as error:
        raise unreadable(path, error) from error
    except OSError:
        return False
    return True


def unreadable(path: Path, error: PermissionError) -> PrivilegeError:
    """Say of a file of a state directory that this user may not read it."""
    return PrivilegeError(
        f"{path} may not be read by this user",
        got=reason(error),
        fix="Ask as the user that runs the watch (mostly root: sudo), or name another directory "
        "with --state-dir.",
    )


class StateDir:
    """Names the places below one directory, and makes it on first use."""

    def __init__(self, path: Path) -> None:
        # Whole, as messages name it: the reader may be in another folder than the watch. Not by
        # Path.resolve, which raises where links go round in a circle.
        self.path = path = Path(os.path.realpath(path))
        self.baseline = path / "baseline.oddcall"
        self.learning = path / "learning"
        self.catch_up = path / "catch-up"
        self.newcomers = path / "newcomers"
        self.programs = path / "programs.json"
        self.lesson = path / "lesson.json"
        self.history = path / "history.sqlite"
        self.feedback = path / "feedback.jsonl"
        self.reports = path / "reports"

    def make(self) -> None:
        """Make the directory, readable by its owner only.

        Raises
        ------
        StorageError
            When it cannot be made or written to.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(self.path, error) from error
        if why := unwritable(self.path):
            raise StorageError(
                f"the state directory {self.path} cannot be written",
                got=str(why.strerror),
                fix=self.instead(why),
            )

    @staticmethod
    def instead(error: OSError) -> str:
        """Say what to do where the directory cannot be written."""
        other = "name another with --state-dir."
        owner = error.errno == errno.EACCES
        return f"Run as its owner (sudo?), or {other}" if owner else other.capitalize()

    def forget(self) -> None:
        """Remove the baseline and the recording it was, or would be, learned from."""
        self.baseline.unlink(missing_ok=True)
        (self.path / "learned.jsonl").unlink(missing_ok=True)
        shutil.rmtree(self.learning, ignore_errors=True)
        shutil.rmtree(self.catch_up, ignore_errors=True)
        shutil.rmtree(self.newcomers, ignore_errors=True)

    def holder(self) -> int:
        """Process that watches with the directory; 0 when none does, or none can be told."""
        try:
            with (self.path / "watch.lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            said = (self.path / "watch.lock").read_text().strip()
            return int(said) if said.isdigit() else 0
        except OSError:
            return 0
        return 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the directory: two watches in one would learn from each other's halves.

        Raises
        ------
        StorageError
            When another process holds it.
        """
        self.make()
        with (self.path / "watch.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                raise StorageError(
                    f"the state directory {self.path} is in use",
                    got=f"another `oddcall watch`, process {lock.read().strip() or 'unknown'}",
                    fix="Stop that one, or name another directory with --state-dir.",
                ) from None
            lock.truncate(0)
            # Of a watch that was killed: in a container its process has the number of the next.
            with suppress(OSError):
                self.lesson.unlink(missing_ok=True)
            lock.write(str(os.getpid()))
            lock.flush()
            yield
