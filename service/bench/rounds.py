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
from typing import IO, cast

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


class Measured:
    """Processes that are measured, one a figure: threads leave traces in how one is counted."""

    def __init__(self) -> None:
        self._children = {name: _child() for name in MEASURES}

    def close(self) -> None:
        """End them."""
        for child in self._children.values():
            child.communicate()

    @property
    def pid(self) -> int:
        """Process of the plain loop."""
        return self._children["ns"].pid

    def take(self, *, slow: bool) -> Figures:
        """Take every figure once, with whatever is attached now."""
        measures = SLOW_MEASURES if slow else MEASURES
        return {name: self._ask(name, request) for name, request in measures.items()}

    def _ask(self, name: str, request: Sequence[str | int]) -> float:
        child = self._children[name]
        cast("IO[str]", child.stdin).write(json.dumps(request) + "\n")
        cast("IO[str]", child.stdin).flush()
        answer = cast("IO[str]", child.stdout).readline()
        if not answer:
            raise KernelError("the measured process has ended", got=f"exit code {child.wait()}")
        share = 0.5 if "threads" in name else _UNDISTURBED
        return float(np.quantile(json.loads(answer), share))


def _child() -> subprocess.Popen[str]:
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
    bare : list of Figures
        With nothing attached, one a visit.
    added : dict of str to list of Figures
        What each row adds to the figures taken just before without it, one a round.
    absent : dict of str to str
        Rows that could not be measured, and why.
    others : set of str
        Tracing programs that were attached by somebody else meanwhile.
    """

    bare: list[Figures] = field(default_factory=list)
    added: dict[str, list[Figures]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)

    def column(self, name: str, figure: str) -> NDArray[np.float64]:
        """One figure of a row, of each round (rounds,); empty where it was not taken."""
        rounds = self.added[name]
        return np.array([figures[figure] for figures in rounds if figure in figures], np.float64)

    def ratios(self, name: str) -> NDArray[np.float64]:
        """Parts of what the empty hook adds in the same round (rounds,)."""
        return self.column(name, "ns") / self.column(FLOOR, "ns")


def run(
    contenders: Sequence[Contender],
    children: Measured,
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


def _try(row: Contender, children: Measured, results: Results, *, first: bool) -> None:
    results.others.update(_settled())
    try:
        visits = list(_visits(row, children))
    except OddcallError as error:
        if not first:
            raise
        results.absent[row.name] = f"{error.what}: {error.got}" if error.got else error.what
        return
    best = min(visits, key=lambda visit: visit.unrest)
    results.bare.append(best.bare)
    results.added.setdefault(row.name, []).append(best.added)


@dataclass(frozen=True, slots=True)
class _Visit:
    """Figures before a row was attached, while it was, and after."""

    before: Figures
    figures: Figures
    after: Figures

    @property
    def unrest(self) -> float:
        """Part by which a bare call took more, or less, after than before."""
        return abs(self.after["ns"] / self.before["ns"] - 1)

    @property
    def bare(self) -> Figures:
        """Mean of before and after."""
        return {name: (value + self.after[name]) / 2 for name, value in self.before.items()}

    @property
    def added(self) -> Figures:
        """What the row added."""
        bare = self.bare
        return {name: value - bare[name] for name, value in self.figures.items()}


def _visits(row: Contender, children: Measured) -> Iterator[_Visit]:
    """Visit a row until the machine was at rest meanwhile, a few times at most."""
    after = children.take(slow=row.slow)
    for _ in range(_TRIES):
        before = after
        with row.attached():
            figures = children.take(slow=row.slow)
        after = children.take(slow=row.slow)
        visit = _Visit(before, figures, after)
        yield visit
        if visit.unrest < _AT_REST:
            return
