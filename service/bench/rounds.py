"""Round after round, every row in turn: what each adds to a call.

A busy machine makes single figures worthless. Bursts are short enough to fit between two
interruptions, and the quickest few of a visit tell what a call costs undisturbed; a row is
compared with what was found just before and after without it, and visited again where those two
differ; and the median of the rounds is given.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from oddcall.models.errors import KernelError, OddcallError
from oddcall.service.bench.attached import others
from oddcall.service.bench.contender import FLOOR, Contender

#: What the measured process is asked for, by figure: what to repeat, how often, in how many
#: bursts, by how many threads.
MEASURES: dict[str, tuple[str | int, ...]] = {
    "ns": ("getppid", 2000, 300, 1),
    "ns_2_threads": ("getppid", 20_000, 20, 2),
    "ns_64_threads": ("getppid", 2000, 10, 64),
    "ns_fork": ("fork", 10, 100, 1),
}
#: The same for what costs microseconds a call.
SLOW_MEASURES: dict[str, tuple[str | int, ...]] = {"ns": ("getppid", 50, 40, 1)}
#: Share of the bursts of one thread that nothing disturbed. Threads are to disturb each other.
_UNDISTURBED = 0.05
#: A visit is taken again when a bare call's cost has moved by this part meanwhile.
_AT_REST, _TRIES = 0.03, 4

Figures = dict[str, float]


class Takes(Protocol):
    """What takes figures, with whatever is attached."""

    @property
    def tries(self) -> int:
        """Visits to a row at most: it is visited again while the first figure is unsteady."""

    def take(self, *, slow: bool) -> Figures:
        """Take every figure once; fewer, or of less work, beside what is slow."""


class Measured:
    """Processes that are measured, one a figure: threads leave traces in how one is counted."""

    tries: ClassVar[int] = _TRIES

    def __init__(self) -> None:
        self._children = {name: child() for name in MEASURES}

    def close(self) -> None:
        """End them."""
        for process in self._children.values():
            process.communicate()

    @property
    def pids(self) -> list[int]:
        """The process of the plain loop."""
        return [self._children["ns"].pid]

    def take(self, *, slow: bool) -> Figures:
        """Take every figure once, with whatever is attached now."""
        measures = SLOW_MEASURES if slow else MEASURES
        return {name: self._ask(name, request) for name, request in measures.items()}

    def _ask(self, name: str, request: Sequence[str | int]) -> float:
        share = 0.5 if "threads" in name else _UNDISTURBED
        return float(np.quantile(ask(self._children[name], request), share))


def ask(process: subprocess.Popen[str], request: Sequence[str | int]) -> list[float]:
    """Have a measured process do something, and give the times that it took."""
    cast("IO[str]", process.stdin).write(json.dumps(request) + "\n")
    cast("IO[str]", process.stdin).flush()
    answer = cast("IO[str]", process.stdout).readline()
    if not answer:
        raise KernelError("the measured process has ended", got=f"exit code {process.wait()}")
    taken: list[float] = json.loads(answer)
    return taken


def child() -> subprocess.Popen[str]:
    """Start a process that is measured: see `oddcall.service.bench.child`."""
    command = [sys.executable, "-P", "-m", "oddcall.service.bench.child"]
    return subprocess.Popen(  # noqa: S603  our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@contextmanager
def measured() -> Iterator[Measured]:
    """Start the processes that are measured, and end them."""
    children = Measured()
    try:
        yield children
    finally:
        children.close()


@dataclass(slots=True)
class Results:
    """What was found.

    Attributes
    ----------
    bare : dict of str to list of Figures
        With nothing attached, just before and after each row was, one a round.
    added : dict of str to list of Figures
        What each row adds to the figures taken just before without it, one a round.
    absent : dict of str to str
        Rows that could not be measured, and why.
    others : set of str
        Tracing programs that were attached by somebody else meanwhile.
    """

    bare: dict[str, list[Figures]] = field(default_factory=dict)
    added: dict[str, list[Figures]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)

    def column(self, name: str, figure: str) -> NDArray[np.float64]:
        """One figure of a row, of each round (rounds,); empty where it was not taken."""
        rounds = self.added[name]
        return np.array([figures[figure] for figures in rounds if figure in figures], np.float64)

    def slowdowns(self, name: str, figure: str) -> NDArray[np.float64]:
        """Percent that a figure of a row is above the bare one, of each round (rounds,)."""
        bare = np.array([figures[figure] for figures in self.bare[name]], np.float64)
        percent: NDArray[np.float64] = 100 * self.column(name, figure) / bare
        return percent

    def ratios(self, name: str) -> NDArray[np.float64]:
        """Parts of what the empty hook adds in the same round (rounds,)."""
        return self.column(name, "ns") / self.column(FLOOR, "ns")


def run(
    contenders: Sequence[Contender],
    children: Takes,
    rounds: int,
    progress: Callable[[str, float], None],
) -> Results:
    """Measure every row that can be, `rounds` times; `progress` is told what and how far.

    A row that cannot be attached the first time is absent; later it is an error.
    """
    results = Results()
    for i in range(rounds):
        for j, row in enumerate(contenders):
            progress(row.label, (i * len(contenders) + j) / (rounds * len(contenders)))
            if row.name not in results.absent:
                _try(row, children, results, first=i == 0)
    return results


def _settled() -> list[str]:
    """Programs of others, once the kernel has freed those of the row before."""
    until = time.monotonic() + 1.0
    while (found := others()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def _try(row: Contender, children: Takes, results: Results, *, first: bool) -> None:
    results.others.update(_settled())
    try:
        visits = list(_visits(row, children))
    except OddcallError as error:
        if not first:
            raise
        results.absent[row.name] = f"{error.what}: {error.got}" if error.got else error.what
        return
    best = min(visits, key=lambda visit: visit.unrest)
    results.bare.setdefault(row.name, []).append(best.bare)
    results.added.setdefault(row.name, []).append(best.added)


@dataclass(frozen=True, slots=True)
class _Visit:
    """Figures before a row was attached, while it was, and after."""

    before: Figures
    figures: Figures
    after: Figures

    @property
    def unrest(self) -> float:
        """Part by which the first figure was more, or less, after than before."""
        first = next(iter(self.before))
        return abs(self.after[first] / self.before[first] - 1)

    @property
    def bare(self) -> Figures:
        """Mean of before and after."""
        return {name: (value + self.after[name]) / 2 for name, value in self.before.items()}

    @property
    def added(self) -> Figures:
        """What the row added."""
        bare = self.bare
        return {name: value - bare[name] for name, value in self.figures.items()}


def _visits(row: Contender, children: Takes) -> Iterator[_Visit]:
    """Visit a row until the machine was at rest meanwhile, a few times at most."""
    after = children.take(slow=row.slow)
    for _ in range(children.tries):
        before = after
        with row.attached():
            figures = children.take(slow=row.slow)
        after = children.take(slow=row.slow)
        visit = _Visit(before, figures, after)
        yield visit
        if visit.unrest < _AT_REST:
            return
