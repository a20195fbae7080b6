#!/usr/bin/env python3
"""What real work loses to oddcall: a compile and a Redis server, with and without it, in turn.

Usage: sudo .venv/bin/python benchmarks/load.py [--rounds 7] [--loader auto|bcc|core]

Each round does every piece of work twice, once beside a whole `oddcall record`. Given are medians
of the rounds. Needs gcc or clang, redis-server and redis-benchmark; what is missing is left out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FILES, FUNCTIONS = 12, 150
ODDCALL = Path(sys.executable).with_name("oddcall")
REQUESTS = 200_000

Work = Callable[[], float]


@contextmanager
def recording(folder: Path, loader: str) -> Iterator[None]:
    """Run the agent until the block ends."""
    command = [ODDCALL, "record", "-o", folder / "recording", "--loader", loader]
    agent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert agent.stdout is not None
    line = agent.stdout.readline()
    if not line.startswith("counting"):
        sys.exit(f"oddcall did not begin to count: {line}")
    try:
        yield
    finally:
        agent.send_signal(signal.SIGINT)
        agent.communicate()


@contextmanager
def compile_work(folder: Path) -> Iterator[Work]:
    """Seconds of processor time of a compile of files like those a person writes."""
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise FileNotFoundError("gcc or clang")
    sources = []
    for i in range(FILES):
        body = "\n".join(
            f'int f{i}_{k}(int x) {{ if (x > {k}) printf("%d\\n", x); return x * {k} + {i}; }}'
            for k in range(FUNCTIONS)
        )
        source = folder / f"part{i}.c"
        source.write_text(f"#include <stdio.h>\n#include <stdlib.h>\n{body}\n")
        sources.append(source)

    def work() -> float:
        before = os.times()
        for source in sources:
            subprocess.run([compiler, "-O1", "-c", source, "-o", folder / "part.o"], check=True)
        after = os.times()
        return (after.children_user + after.children_system) - (
            before.children_user + before.children_system
        )

    work()  # once for the disk's cache
    yield work


@contextmanager
def redis_work(folder: Path) -> Iterator[Work]:
    """Seconds for so many requests, server and clients each on a processor of its own."""
    server, client = shutil.which("redis-server"), shutil.which("redis-benchmark")
    if server is None or client is None:
        raise FileNotFoundError("redis-server, redis-benchmark")
    cpus = sorted(os.sched_getaffinity(0))
    socket = folder / "redis.sock"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    flags = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder]
    command = ["taskset", "-c", str(cpus[0]), server, *flags]
    daemon = subprocess.Popen(command, **quiet)
    while not socket.exists():
        time.sleep(0.05)
    command = ["taskset", "-c", str(cpus[-1]), client, "-s", socket, "-q"]
    command += ["-n", str(REQUESTS), "-c", "50", "-t", "get"]

    def work() -> float:
        began = time.monotonic()
        subprocess.run(command, check=True, **quiet)
        return time.monotonic() - began

    try:
        work()
        yield work
    finally:
        daemon.terminate()
        daemon.wait()


def compare(name: str, work: Work, rounds: int, folder: Path, loader: str) -> None:
    """Alternate, and print the medians; which comes first alternates too."""
    taken: dict[bool, list[float]] = {False: [], True: []}
    for i in range(rounds):
        for attached in (i % 2 == 0, i % 2 == 1):
            if attached:
                with recording(folder, loader):
                    taken[True].append(work())
            else:
                taken[False].append(work())
            print(f"\r{name}: round {i + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    without, beside = (statistics.median(taken[attached]) for attached in (False, True))
    pairs = [b / a - 1 for a, b in zip(taken[False], taken[True], strict=True)]
    print(
        f"\r{name:<22} {without:8.3f} s alone {beside:8.3f} s beside oddcall"
        f"   slowdown {beside / without - 1:+.1%} (rounds {min(pairs):+.1%} to {max(pairs):+.1%})"
    )


def main() -> None:
    """Run what can be run here."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--loader", default="auto", choices=["auto", "bcc", "core"])
    given = parser.parse_args()
    for name, prepare in (("compile (CPU time)", compile_work), ("redis GET", redis_work)):
        with tempfile.TemporaryDirectory() as folder:
            try:
                with prepare(Path(folder)) as work:
                    compare(name, work, given.rounds, Path(folder), given.loader)
            except FileNotFoundError as missing:
                print(f"{name:<22} left out: {missing} not installed")


if __name__ == "__main__":
    main()
