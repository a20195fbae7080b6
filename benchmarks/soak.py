#!/usr/bin/env python3
"""Hold a sensor to its word through minutes of fork churn: nothing lost, no memory that grows.

Usage: sudo .venv/bin/python benchmarks/soak.py [--minutes 10] [--rate 600] [--loader auto]

One process brings forth short-lived ones at a steady rate and keeps count itself. Each makes
a few getuid calls and ends; every tenth runs another program instead. A sensor in another
process counts what it sees. At the end the two counts must be equal, nothing lost, and the
sensor's memory in the last third of the time what it was in the second, within 5 %. Exit code
1 if not, or if fewer processes were made than asked for.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from oddcall.models import calls
from oddcall.sensor.sensor import Sensor, SensorSettings

#: Makes the processes, in an interpreter that has loaded next to nothing: small to fork.
CHURN = [sys.executable, "-I", "-S", str(Path(__file__).with_name("churn.py"))]


def watch(loader: str, pid: int) -> None:
    """Count what that process and its children do; print a line a tick until SIGTERM."""
    with Sensor(SensorSettings(loader=loader)) as sensor:
        signal.signal(signal.SIGTERM, lambda *_: sensor.stop())
        for tick in sensor.ticks():
            seen = tick.windows
            children = seen.take(seen.ppid == pid)
            getuid = children.syscalls.to_dense()[:, calls.number("getuid")]
            told = {
                "processes": int(seen.forks[seen.pid == pid].sum()),
                "programs": int(children.execs.sum()),
                "getuid": int(getuid.sum()),
                "lost": sum(tick.lost.values()),
                "tracked": tick.tracked,
                "cpu_s": tick.cost.cpu_s,
                **memory(),
            }
            print(json.dumps(told), flush=True)


def memory() -> dict[str, float]:
    """Resident megabytes: all, and what is our own."""
    status = Path("/proc/self/status").read_text()
    found = {key: int(value) / 1e3 for key, value in re.findall(r"(\w+):\s+(\d+) kB", status)}
    return {"resident_mb": found["VmRSS"], "own_mb": found["RssAnon"]}


def begin(*command: object) -> subprocess.Popen[str]:
    """Start a process that we talk with line by line."""
    words = list(map(str, command))
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> Iterator[dict[str, float]]:
    """Read what a process says, an object a line."""
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)


def soak(minutes: float, rate: float, loader: str) -> bool:
    """Run it, print it, and say whether all is well."""
    load = begin(*CHURN, minutes * 60, rate)
    assert load.stdin is not None
    agent = begin(sys.executable, __file__, "watch", loader, load.pid)
    ticks = [next(told(agent))]
    load.stdin.write("\n")
    load.stdin.flush()
    began = shown = time.monotonic()
    for tick in told(agent):
        ticks.append(tick)
        if load.poll() is not None and agent.poll() is None:
            agent.send_signal(signal.SIGTERM)
        if time.monotonic() - shown >= 60:
            shown = time.monotonic()
            said = "{resident_mb:.1f} MB resident, {own_mb:.1f} its own; lost {lost}".format(**tick)
            print(f"{(shown - began) / 60:4.0f} min  {said}", flush=True)
    return report(next(told(load)), ticks, rate)


def report(did: dict[str, float], ticks: list[dict[str, float]], rate: float) -> bool:
    """Print both counts side by side."""
    seen = {
        key: int(sum(tick[key] for tick in ticks)) for key in ("processes", "programs", "getuid")
    }
    print(f"\n{'':<12}{'done':>12}{'counted':>12}")
    for key, counted in seen.items():
        print(f"{key:<12}{did[key]:>12,}{counted:>12,}")
    third, last = len(ticks) // 3, ticks[-1]
    print(f"\n{did['processes'] / did['seconds']:.0f} processes a second, lost {last['lost']}")
    steady = True
    for key, what in (("resident_mb", "resident"), ("own_mb", "its own")):
        taken = [tick[key] for tick in ticks]
        then, now = median(taken[third : 2 * third]), median(taken[2 * third :])
        steady &= now <= 1.05 * then
        print(
            f"{what:<9}{taken[0]:6.1f} MB at first, {then:.1f} later, {now:.1f} in the end,", end=""
        )
        print(f" {max(taken):.1f} at most")
    print(f"processor {last['cpu_s'] / did['seconds']:.1%} of a core")
    fast = did["processes"] >= 0.95 * rate * did["seconds"]
    exact = not last["lost"] and all(did[key] == seen[key] for key in seen)
    return fast and steady and exact


def main() -> None:
    """Run the soak, or the part of it that the first argument names."""
    if sys.argv[1:2] == ["watch"]:
        watch(sys.argv[2], int(sys.argv[3]))
    else:
        parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
        parser.add_argument("--minutes", type=float, default=10.0)
        parser.add_argument("--rate", type=float, default=600.0)
        parser.add_argument("--loader", choices=["auto", "bcc", "core"], default="auto")
        given = parser.parse_args()
        sys.exit(0 if soak(given.minutes, given.rate, given.loader) else 1)


if __name__ == "__main__":
    main()
