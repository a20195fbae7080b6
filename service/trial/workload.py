"""Ordinary work that a trial does for as long as it lasts, and how it is started and ended."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from oddcall.models.errors import OddcallError

#: A command of a round takes a second; one that hangs is ended after so many.
_LONGEST_S = 60.0
#: Where programs that belong to nobody's PATH are looked for as well.
_ELSEWHERE = ("/usr/sbin", "/sbin", "/usr/local/sbin")

#: Does one round of work; told which, from 0.
Round = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of ordinary work.

    Attributes
    ----------
    name : str
    summary : str
        What it does, in a few words.
    needs : tuple of str
        Programs that must be installed.
    pause_s : float
        Seconds between the end of a round and the next.
    begun : callable
        ``begun(folder)`` prepares, starts what must run beside, and gives the round; what it
        started is ended with the context.
    """

    name: str
    summary: str
    needs: tuple[str, ...]
    pause_s: float
    begun: Callable[[Path], AbstractContextManager[Round]]

    @property
    def lacking(self) -> list[str]:
        """Programs it needs that are not installed."""
        return [name for name in self.needs if find(name) is None]


@dataclass(slots=True)
class Progress:
    """How a workload goes: rounds done, and why it stopped if it did."""

    workload: Workload
    rounds: int = 0
    failure: str = ""


@dataclass(slots=True)
class Work:
    """Workloads under way, each in a thread that starts processes."""

    folder: Path
    under_way: list[Progress] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self, workloads: Sequence[Workload]) -> None:
        """Start every workload."""
        for workload in workloads:
            progress = Progress(workload)
            self.under_way.append(progress)
            thread = threading.Thread(target=self._run, args=(progress,), name=workload.name)
            self._threads.append(thread)
            thread.start()

    def end(self) -> None:
        """Let every round end, and end what was started."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def under_way_all(self) -> bool:
        """Whether every workload has done a round, or failed to."""
        return all(progress.rounds or progress.failure for progress in self.under_way)

    def _run(self, progress: Progress) -> None:
        workload = progress.workload
        folder = self.folder / workload.name
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with workload.begun(folder) as do:
                while not self._stop.is_set():
                    do(progress.rounds)
                    progress.rounds += 1
                    self._stop.wait(workload.pause_s)
        except Exception as error:  # a thread that dies tells the trial nothing
            progress.failure = _why(error)


def find(name: str) -> str | None:
    """Find an installed program, those of administrators and of PostgreSQL's versions included."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    places = [os.environ.get("PATH", os.defpath), *_ELSEWHERE, *map(str, versions)]
    return shutil.which(name, path=os.pathsep.join(places))


def installed(name: str) -> str:
    """Give the path of a program that a workload needs.

    Raises
    ------
    FileNotFoundError
        It was removed meanwhile.
    """
    path = find(name)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed")
    return path


def call(words: Sequence[str | Path], folder: Path, *, user: str | None = None) -> None:
    """Run one command to its end, silently, in a session of its own.

    Raises
    ------
    subprocess.SubprocessError
        It failed or hung.
    """
    subprocess.run(  # noqa: S603  words of our own
        words,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
        timeout=_LONGEST_S,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        start_new_session=True,
    )


@contextmanager
def beside(
    words: Sequence[str | Path],
    folder: Path,
    *,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
    log: str = "log",
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the context ends; what it says goes to a file of the folder."""
    with (folder / log).open("ab") as told:
        process = subprocess.Popen(  # noqa: S603  words of our own
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=told,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            env=env,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(found: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait for a server to be there; raises OddcallError when it does not come."""
    until = time.monotonic() + seconds
    while not found():
        if time.monotonic() > until:
            raise OddcallError(f"{what} did not begin", expected=f"it within {seconds:.0f} s")
        time.sleep(0.1)


def _version(place: Path) -> int:
    return int(place.parent.name) if place.parent.name.isdecimal() else 0


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        last = (error.stderr or b"").decode("utf-8", "replace").strip().splitlines()[-1:]
        ended = f"{Path(str(error.cmd[0])).name} ended with {error.returncode}"
        return ": ".join([ended, *last])
    if isinstance(error, OSError | subprocess.SubprocessError | OddcallError) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}".removesuffix(": ")
