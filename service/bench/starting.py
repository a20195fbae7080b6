"""What each loader takes to start. Run as a module with a loader's name, it answers for that."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from oddcall.sensor.probe import LOADERS, Probe, ProbeSettings

Start = dict[str, float]


def starts(rounds: int) -> dict[str, list[Start]]:
    """Start each loader so often, in a process of its own: ``seconds``, ``mb`` and ``peak_mb``."""
    return {name: [_start(name) for _ in range(rounds)] for name in LOADERS}


def _start(loader: str) -> Start:
    command = [sys.executable, "-P", "-m", "oddcall.service.bench.starting", loader]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603  our own module
    found: Start = json.loads(done.stdout) if done.returncode == 0 else {}
    return found


def main() -> None:
    """Start, and print what it took: until calls are counted, and resident memory.

    ``mb`` is that of this process once it counts, but for the counters that it maps; ``peak_mb``
    the most that it and a compiler it needed took together.
    """
    began = time.perf_counter()
    with Probe(ProbeSettings(loader=sys.argv[1])):
        seconds = time.perf_counter() - began
        status = Path("/proc/self/status").read_text()
    own = int(status.split("RssAnon:")[1].split()[0]) + int(status.split("RssFile:")[1].split()[0])
    compiler = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    answer = {"seconds": seconds, "mb": own / 1e3, "peak_mb": (own + compiler) / 1e3}
    print(json.dumps(answer))  # noqa: T201  the answer to the benchmark


if __name__ == "__main__":
    main()
