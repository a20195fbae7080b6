"""Real work, done with a row attached and without: a compile, and a Redis server's answers.

A hook costs the process that makes the call, so what is given is processor time, which other
work of the machine moves little. A tool that stops the process at every call makes it wait
instead: there it is time by the clock, and less work.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from oddcall.models.errors import KernelError
from oddcall.service.bench.rounds import Figures, ask, child

#: Functions of the compiled file, and requests: of a hook, and of what is slow.
FUNCTIONS, REQUESTS = (500, 100), (50_000, 2000)
_FUNCTION = 'int f{0}(int x) {{ if (x > {0}) printf("%d\\n", x); return x * {0}; }}\n'
_CLIENTS = 50

#: Does the work once, more or less of it, and gives seconds: of the processor, and by the clock.
Work = Callable[[bool], tuple[float, float]]


class Loads:
    """What of it can be done here.

    Attributes
    ----------
    absent : dict of str to str
        Work that cannot be done, and why.
    pids : list of int
        The processes that do it, or whose children do.
    """

    #: One visit each: the work takes long enough to average over what else goes on.
    tries: ClassVar[int] = 1

    def __init__(self, held: ExitStack) -> None:
        self.absent: dict[str, str] = {}
        self.pids: list[int] = []
        self._works: dict[str, Work] = {}
        for name, prepare in (("compile", _compile), ("redis", _redis)):
            try:
                work, pid = held.enter_context(prepare())
            except KernelError as error:
                self.absent[name] = error.what
            else:
                self._works[name] = work
                self.pids.append(pid)

    def take(self, *, slow: bool) -> Figures:
        """Do all of it once, with whatever is attached now; seconds of each."""
        return {name: work(slow)[slow] for name, work in self._works.items()}


@contextmanager
def loads() -> Iterator[Loads]:
    """Prepare the work, and clear up after it."""
    with ExitStack() as held:
        yield Loads(held)


@contextmanager
def _compile() -> Iterator[tuple[Work, int]]:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise KernelError("no gcc or clang is installed")
    with TemporaryDirectory() as folder:
        sources = [Path(folder, f"{name}.c") for name in ("much", "little")]
        for source, functions in zip(sources, FUNCTIONS, strict=True):
            source.write_text(
                "#include <stdio.h>\n" + "".join(map(_FUNCTION.format, range(functions)))
            )
        process = child()

        def work(slow: bool) -> tuple[float, float]:
            source = str(sources[slow])
            used, passed = ask(process, ["run", compiler, "-O1", "-c", source, "-o", f"{source}.o"])
            return used, passed

        work(False)  # once for the disk's cache
        try:
            yield work, process.pid
        finally:
            process.communicate()


@contextmanager
def _redis() -> Iterator[tuple[Work, int]]:
    server, client = shutil.which("redis-server"), shutil.which("redis-benchmark")
    if server is None or client is None:
        raise KernelError("redis-server or redis-benchmark is not installed")
    cpus = sorted(os.sched_getaffinity(0))
    with TemporaryDirectory() as folder:
        socket = Path(folder, "redis.sock")
        flags = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        # Each on a processor of its own.
        command = ["taskset", "-c", str(cpus[0]), server, *flags]
        daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603  named above
        clients = ["taskset", "-c", str(cpus[-1]), client, "-s", str(socket), "-q", "-t", "get"]

        def work(slow: bool) -> tuple[float, float]:
            counts = ["-c", str(_CLIENTS), "-n", str(REQUESTS[slow])]
            began, before = time.monotonic(), _processor_s(daemon.pid)
            subprocess.run([*clients, *counts], check=True, capture_output=True)  # noqa: S603
            return _processor_s(daemon.pid) - before, time.monotonic() - began

        try:
            while not socket.exists():
                if daemon.poll() is not None:
                    raise KernelError("redis-server does not run here")
                time.sleep(0.05)
            work(False)
            yield work, daemon.pid
        finally:
            daemon.terminate()
            daemon.wait()


def _processor_s(pid: int) -> float:
    """Seconds that the first thread of a process has run, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
