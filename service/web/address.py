"""Where the page of a running watch is, written into the state directory for ``top``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from oddcall.models.errors import StorageError, reason
from oddcall.models.storage import storage_error
from oddcall.service.state import unreadable

_NAME = "web.json"


@dataclass(frozen=True, slots=True)
class Address:
    """Where to ask, and what to show.

    Attributes
    ----------
    url : str
        Ends with a slash.
    key : str
    pid : int
        Process of the watch.
    without : str, default ""
        Why there is nothing to ask: a watch that serves no page has no ``url``.
    """

    url: str
    key: str = field(repr=False)
    pid: int
    without: str = ""

    @property
    def link(self) -> str:
        """For a browser: what follows the ``#`` stays in it, and out of every log."""
        return f"{self.url}#key={self.key}"


@contextmanager
def written(state: Path, address: Address) -> Iterator[None]:
    """Have the address lie in the state directory, for its owner alone.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    file, fresh = state / _NAME, state / f".{_NAME}.{address.pid}"
    try:
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as made:
            json.dump(asdict(address), made)
        fresh.replace(file)
    except OSError as error:
        raise storage_error(file, error) from error
    try:
        yield
    finally:
        with suppress(OSError):
            if (now := _read(state)) and now.pid == address.pid:
                file.unlink()


def read(state: Path) -> Address | None:
    """Read the address; None where no watch that still runs, and serves its page, wrote one.

    Raises
    ------
    PrivilegeError
        When it may not be read.
    StorageError
        When it is there and cannot be read.
    """
    found = _read(state)
    return found if found and found.url else None


def without(state: Path) -> str:
    """Say why the watch that runs serves no page; empty where it does, or none runs."""
    found = _read(state)
    return found.without if found else ""


def _read(state: Path) -> Address | None:
    file = state / _NAME
    try:
        found = json.loads(file.read_text("utf-8"))
        said = str(found.get("without", ""))
        address = Address(str(found["url"]), str(found["key"]), int(found["pid"]), said)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    except PermissionError as error:
        raise unreadable(file, error) from error
    except OSError as error:
        raise StorageError(
            f"the address of the running watch, in {file}, cannot be read",
            got=reason(error),
            fix="Mend the state directory, or name another with --state-dir.",
        ) from error
    return address if Path(f"/proc/{address.pid}").exists() else None
