"""The process that is measured. Run as a module; it answers each line of JSON with another.

It imports little and starts no thread it is not asked for: a process with one thread is
counted another way than one with many.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from oddcall.service.bench.loop import native_loop

Loop = Callable[[int], None]


def bursts(loop: Loop, calls: int, count: int, clock: Callable[[], int]) -> list[float]:
    """Nanoseconds a call of each of `count` bursts of so many calls."""
    taken = []
    for _ in range(count):
        began = clock()
        loop(calls)
        taken.append((clock() - began) / calls)
    return taken


def threads(loop: Loop, calls: int, count: int, cpus: list[int], number: int) -> list[float]:
    """Nanoseconds of processor time a call, of bursts that so many threads do at once."""
    start, taken = threading.Barrier(number), list[float]()

    def work(cpu: int) -> None:
        os.sched_setaffinity(0, {cpu})  # of the calling thread
        start.wait()
        taken.extend(bursts(loop, calls, count, time.thread_time_ns))

    team = [threading.Thread(target=work, args=(cpus[i % len(cpus)],)) for i in range(number)]
    for thread in team:
        thread.start()
    for thread in team:
        thread.join()
    return taken


def run(command: list[str]) -> list[float]:
    """Seconds that a command takes: of the processor, and by the clock."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)  # noqa: S603  what the benchmark asks for
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [used, time.monotonic() - began]


def main() -> None:
    """Serve until the input ends."""
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cpus[-1]})
    getppid, fork = native_loop("getppid"), native_loop("fork")
    for line in sys.stdin:
        kind, *sizes = json.loads(line)
        match kind, sizes:
            case "getppid", (calls, count, 1):
                taken = bursts(getppid, calls, count, time.perf_counter_ns)
            case "getppid", (calls, count, number):
                taken = threads(getppid, calls, count, cpus, number)
            case "fork", (children, count, _):
                taken = bursts(fork, children, count, time.perf_counter_ns)
            case _:
                taken = run(sizes)
        print(json.dumps(taken), flush=True)  # noqa: T201  the answer to the benchmark


if __name__ == "__main__":
    main()
