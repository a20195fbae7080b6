"""What /proc says of a process that is alerted on, kept beside a recording for its replay.

Windows hold counts, not arguments: those can be secrets, so they are read for the few
processes that alert and not for all. A recording that ``watch`` makes gets them in
``context.jsonl``, one process a line; without it a replayed alert says null.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from oddcall.models.storage import storage_error

#: Processes remembered at once: alerts are few, but nobody bounds how many processes alert.
_REMEMBERED = 4096
NAME = "context.jsonl"


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of a process beyond its windows.

    Attributes
    ----------
    cmdline, parent : str or None
        Its arguments and its parent's name; None where they could not be read.
    workload : dict or None
        Of a container: its ``name``, ``image``, ``pod`` and ``namespace``, or ``why`` none of
        them is known. None outside containers.
    """

    cmdline: str | None = None
    parent: str | None = None
    workload: dict[str, str | None] | None = None


#: From (pid, start_time_ns, ppid, container id) to what is known of that process.
Describe = Callable[[int, int, int, str], Context]
#: Keys of ``Context.workload``.
WORKLOAD = ("name", "image", "pod", "namespace", "why")


def unknown(_pid: int, _start_time_ns: int, _ppid: int, _container: str) -> Context:
    """Know nothing of any process."""
    return Context()


class Remembered:
    """Asks once per process, and gives the same answer ever after.

    Parameters
    ----------
    ask : Describe
        Where a process not met before is looked up.
    """

    def __init__(self, ask: Describe) -> None:
        self._ask = ask
        self._known: dict[tuple[int, int], Context] = {}
        self._fresh: list[tuple[int, int, Context]] = []

    def __call__(self, pid: int, start_time_ns: int, ppid: int, container: str) -> Context:
        """Look one process up."""
        key = (pid, start_time_ns)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[key] = self._ask(pid, start_time_ns, ppid, container)
            self._fresh = [*self._fresh[1 - _REMEMBERED :], (*key, self._known[key])]
        return self._known[key]

    def fresh(self) -> list[tuple[int, int, Context]]:
        """Take what was looked up since the last call."""
        taken, self._fresh = self._fresh, []
        return taken


def write(recording: Path, found: Iterable[tuple[int, int, Context]]) -> None:
    """Append to the recording's ``context.jsonl``; raises StorageError when it cannot."""
    lines = [
        json.dumps({"pid": pid, "start_time_ns": start, **asdict(context)})
        for pid, start, context in found
    ]
    try:
        with (recording / NAME).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    except OSError as error:
        raise storage_error(recording / NAME, error) from error


def recorded(recording: Path) -> Describe:
    """Read a recording's ``context.jsonl``; lines that are not whole are passed over."""
    known = {(pid, start): context for pid, start, context in _lines(recording / NAME)}
    return lambda pid, start_time_ns, _ppid, _container: known.get((pid, start_time_ns), Context())


def _lines(file: Path) -> Iterator[tuple[int, int, Context]]:
    if not file.is_file():
        return
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            context = Context(
                _text(entry["cmdline"]), _text(entry["parent"]), _workload(entry.get("workload"))
            )
            yield int(entry["pid"]), int(entry["start_time_ns"]), context
        except (ValueError, KeyError, TypeError, RecursionError):
            continue


def _workload(found: object) -> dict[str, str | None] | None:
    if not isinstance(found, dict):
        return None
    return {key: _text(found.get(key)) for key in WORKLOAD}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
