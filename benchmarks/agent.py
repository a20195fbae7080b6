#!/usr/bin/env python3
"""What the agent itself takes, with either loader: time to begin, memory, processor.

Usage: sudo .venv/bin/python benchmarks/agent.py [--seconds 60] [--processes 200]

Learns a model of so many active processes first, then watches them with it.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ODDCALL = Path(sys.executable).with_name("oddcall")
#: A process group of `count` that each do a little ten times a second: active in every tick.
ACTIVE = """
import os, sys, time
os.setpgid(0, 0)
for _ in range(int(sys.argv[1]) - 1):
    if os.fork() == 0:
        break
while True:
    time.sleep(0.1); os.getppid(); os.stat("/"); os.listdir("/")
"""
#: Until windows have closed and every process is known.
WARM_UP_S = 10


@contextmanager
def active(count: int) -> Iterator[None]:
    """Run so many active processes."""
    leader = subprocess.Popen([sys.executable, "-c", ACTIVE, str(count)])
    time.sleep(3)
    try:
        yield
    finally:
        os.killpg(leader.pid, signal.SIGKILL)
        leader.wait()


@contextmanager
def agent(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """Run an agent; gives it, and the seconds until it counted."""
    began = time.monotonic()
    process = subprocess.Popen([ODDCALL, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    took = time.monotonic() - began
    if not line.startswith("counting"):
        sys.exit(f"oddcall did not begin to count: {line}")
    try:
        yield process, took
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate()


def cpu_s(pid: int) -> float:
    """Processor seconds of a process, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int) -> dict[str, float]:
    """Resident memory: all of it, what is its own, and what it maps of the kernel's counters."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = {key: int(value) / 1e3 for key, value in re.findall(r"(\w+):\s+(\d+) kB", status)}
    maps = re.findall(
        r"bpf-map\n(?:\w+:.*\n)*?Rss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps").read_text()
    )
    return {"all": found["VmRSS"], "own": found["RssAnon"], "maps": sum(map(int, maps)) / 1e3}


def measure(name: str, seconds: float, arguments: Sequence[object]) -> None:
    """Print one row."""
    with agent(*arguments) as (process, took):
        time.sleep(WARM_UP_S)
        before = cpu_s(process.pid)
        time.sleep(seconds)
        used, memory = cpu_s(process.pid) - before, megabytes(process.pid)
    print(
        f"{name:<14} counts after {took:5.2f} s   {used / seconds:6.2%} of a core   "
        f"{memory['all']:4.0f} MB resident, of it {memory['own']:.0f} its own and "
        f"{memory['maps']:.0f} the kernel's counters",
        flush=True,
    )


def main() -> None:
    """Learn, then watch with both loaders, and record with both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--processes", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, active(given.processes):
        clean, model = f"{folder}/clean", f"{folder}/model.oddcall"
        quiet = {"stdout": subprocess.DEVNULL}
        subprocess.run([ODDCALL, "record", "-o", clean, "--duration", "90s"], check=True, **quiet)
        subprocess.run([ODDCALL, "train", clean, "-o", model], check=True, **quiet)
        for loader in ("bcc", "core"):
            state = ["--state-dir", f"{folder}/state-{loader}", "--web-port", "0"]
            watch = ["watch", "--model", model, "--loader", loader, *state]
            measure(f"watch, {loader}", given.seconds, watch)
        for loader in ("bcc", "core"):
            record = ["record", "-o", f"{folder}/{loader}", "--loader", loader]
            measure(f"record, {loader}", given.seconds, record)


if __name__ == "__main__":
    main()
