"""Windows of made-up programs, for tests, notebooks and benchmarks that must not need a kernel.

A program is a set of **paths**, short runs of calls that it takes again and again (serve a
request, wait, grow the heap), each with a weight; a window is a random walk over its paths. That
gives what matters to a detector: steady transitions, mixtures that vary, and rare paths that are
met late. It is no model of real programs beyond that, and no evidence of detection on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from oddcall.models.sparse import IntArray, Sparse
from oddcall.models.transitions import START, bucket
from oddcall.models.window import BLOCKS, CALLS, Program, WindowBatch

#: A call's number; negative for the same call failing (-257 is ``openat`` with an error).
Path = tuple[int, ...]
#: Second 0 of made time, in seconds since the epoch: Monday, 2 October 2023, 09:00 UTC. A date that
#: a reader of a plot or a table takes for one.
BEGAN_S = 1_696_237_200
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Chain:
    """A program's behaviour.

    Parameters
    ----------
    program : Program
    paths : tuple of Path
        Zero (``read``) cannot be made to fail.
    weights : tuple of float
        How often each is taken.
    """

    program: Program
    paths: tuple[Path, ...]
    weights: tuple[float, ...]

    def walk(self, events: int, random: np.random.Generator) -> IntArray:
        """Take paths until there are at least so many calls."""
        share = np.array(self.weights) / sum(self.weights)
        lengths = np.array([len(path) for path in self.paths])
        taken = random.choice(len(self.paths), int(events / np.dot(share, lengths)) + 1, p=share)
        # Paths as the rows of a table: a window takes hundreds of them.
        filled = np.arange(lengths.max()) < lengths[:, None]
        table = np.zeros(filled.shape, np.int64)
        table[filled] = np.concatenate(self.paths)
        return table[taken][filled[taken]]


def window(
    chain: Chain,
    calls: IntArray | Sequence[int],
    *,
    second: float = 0.0,
    seconds: float = 1.0,
    pid: int = 100,
    forks: int = 0,
    execs: int = 0,
) -> WindowBatch:
    """Count one window of calls made by one thread, as a batch of one row.

    Parameters
    ----------
    second : float, default 0
        When it begins, in seconds after ``BEGAN_S``.
    """
    signed = np.asarray(calls, np.int64)
    made = np.abs(signed)
    pairs = bucket(np.concatenate([[START], made[:-1]]), made)
    n = len(made)
    ends = BEGAN_S * _SECOND_NS + int((second + seconds) * _SECOND_NS)
    return replace(
        WindowBatch.of(programs=(chain.program,), pid=np.array([pid])),
        t_start_ns=np.array([ends - int(seconds * _SECOND_NS)]),
        t_end_ns=np.array([ends]),
        start_time_ns=np.array([pid * 1000]),
        comm=np.array([chain.program.name]),
        syscalls=_counted(made, CALLS),
        errors=_counted(made[signed < 0], CALLS),
        transitions=_counted(pairs, BLOCKS["transitions"]) if n else Sparse.empty(1, 1024),
        forks=np.array([forks]),
        execs=np.array([execs]),
        observed_s=np.array([seconds]),
    )


def _counted(symbols: IntArray, width: int) -> Sparse:
    counts = np.bincount(symbols, minlength=width)
    ids = np.flatnonzero(counts)
    return Sparse.from_rows([ids], [counts[ids]], width)


#: A web server: requests, missing files, waiting, its log, and once in a while its heap.
WEB = Chain(
    Program("/usr/bin/python3.11", 8, 100, "web.service"),
    (
        (288, 202, 45, 262, 257, 5, 16, 8, 44, 0, 44, 0, 3, 1, 48, 3),
        (288, 45, -262, 44, 1, 48, 3),
        (7,),
        (202, 202),
        (9, 10, 202),
        (11,),
        (12,),
        (-44, 48, 3),
    ),
    (30, 3, 12, 6, 0.6, 0.3, 0.1, 0.01),
)
#: A database in memory.
REDIS = Chain(
    Program("/usr/bin/redis-server", 8, 101, "redis.service"),
    ((232, 0, 1), (232, 0, 0, 1, 1), (232, 257, 0, 3), (74, 3), (12,)),
    (60, 20, 1, 0.02, 0.01),
)
_LOADER: Path = (
    12,
    9,
    -21,
    257,
    5,
    9,
    3,
    257,
    0,
    5,
    9,
    9,
    9,
    9,
    3,
    9,
    158,
    218,
    273,
    334,
    10,
    10,
    10,
)
#: Programs that live a moment, one window each: what a shell and a compiler start.
SHORT = tuple(
    Chain(Program(f"/usr/bin/{name}", 8, 200 + i), paths, weights)
    for i, (name, (paths, weights)) in enumerate(
        {
            "sh": ((_LOADER, (13, 14, 56, 61), (257, 3), (33, 3)), (1, 3, 1, 1)),
            "gcc": ((_LOADER, (262, 262, -262), (58, 61), (87,)), (1, 4, 2, 1)),
            "cc1": ((_LOADER, (257, 5, 0, 3), (12,), (9,), (-257,)), (1, 6, 3, 1, 2)),
            "as": ((_LOADER, (257, 0, 3), (1,)), (1, 3, 2)),
            "ld": ((_LOADER, (257, 5, 8, 0, 3), (9, 11), (1,)), (1, 5, 1, 2)),
            "make": ((_LOADER, (262, -262), (58, 61), (257, 0, 3)), (1, 5, 1, 2)),
            "git": ((_LOADER, (257, 5, 9, 3), (262,), (82,), (217,)), (1, 4, 5, 0.5, 1)),
            "tar": ((_LOADER, (257, 5, 0, 1, 3), (217,), (262,)), (1, 8, 1, 2)),
        }.items()
    )
)


def host(seconds: int, seed: int, start: float = 0.0) -> list[WindowBatch]:
    """Ticks of a small busy host: a web server under changing load, a database, compiler work.

    Parameters
    ----------
    seconds : int
        Ticks, one a second.
    seed : int
    start : float, default 0
        When it begins, in seconds after ``BEGAN_S``.
    """
    random = np.random.default_rng(seed)
    ticks, load = [], 1.0
    for i in range(seconds):
        second = start + i
        if random.random() < 0.05:  # the load changes every twenty seconds or so
            load = float(random.choice([0.002, 0.1, 1.0, 3.0]))
        rows = []
        events = int(1200 * load * random.uniform(0.7, 1.3))
        if events > 200 or i % 5 == 0:
            rows.append(window(WEB, WEB.walk(max(events, 3), random), second=second, pid=100))
        rows.append(
            window(
                REDIS, REDIS.walk(int(random.uniform(300, 9000)), random), second=second, pid=101
            )
        )
        for _ in range(int(random.poisson(3))):
            chain = SHORT[random.integers(len(SHORT))]
            calls = np.concatenate(
                [_LOADER, chain.walk(int(random.uniform(20, 200)), random), [231]]
            )
            pid = int(random.integers(1000, 30_000))
            rows.append(window(chain, calls, second=second, pid=pid, seconds=0.01))
        ticks.append(WindowBatch.concat(rows))
    return ticks


def attacks(seed: int, second: float, chain: Chain = WEB) -> dict[str, list[WindowBatch]]:
    """Odd windows of a program, by what it does, in the order in which they would close."""
    random = np.random.default_rng(seed)

    def within(extra: Sequence[int], **life: int) -> WindowBatch:
        calls = np.concatenate([chain.walk(400, random), extra, chain.walk(400, random)])
        return window(chain, calls.astype(np.int64), second=second, pid=100, **life)

    spawn = (293, 13, 14, 58, 14, 3, 0, 61, 3)
    child = (3, 33, 33, 33, 14, 13, 436, 112, -59, 59)
    return {
        "shell": [
            window(chain, child, second=second, pid=4000, execs=1, seconds=0.01),
            within(spawn, forks=1),
        ],
        "scan": [within((41, -42, 3) * 300)],
        "rewrite": [within((257, 5, 0, 0, 3, 257, 1, 74, 3, 82) * 60)],
    }
