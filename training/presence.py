"""How long each program could have been seen: the time of the recordings that hold it.

Recordings that a model is trained on together need not hold the same programs: one made while
newcomers were learned holds nobody else. A program's windows a day are counted over the time of
those recordings in which it is at all, not over the time between them, nor over what a clock that
was set makes of it. Any window shows that the host was watched: also one whose program could not be
learned, and one that is not to be learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from oddcall.models.window import Program, WindowBatch

#: Windows further apart than this, in nanoseconds, are of a host that was not watched meanwhile, or
#: of a clock that was set. A watched host has windows every second; where it truly has fewer, so
#: many more a day are counted on, and less alerts.
_LONGEST_NS = 60_000_000_000


class Lasted:
    """Adds up how long a recording lasts, batch by batch.

    Attributes
    ----------
    ns : int
        So far.
    """

    def __init__(self) -> None:
        self.ns = 0
        self._until_ns: int | None = None

    def add(self, batch: WindowBatch) -> None:
        """Go on by the time from window to window, as long as no clock was set between them."""
        if not len(batch):
            return
        ends = np.unique(batch.t_end_ns)
        until = int(batch.t_start_ns.min()) if self._until_ns is None else self._until_ns
        # Of a clock set back the time goes on from there.
        begin = until if until <= ends[-1] else int(ends[0])
        steps = np.diff(np.maximum(np.concatenate([[begin], ends]), begin))
        self.ns += int(np.minimum(steps, _LONGEST_NS).sum())
        self._until_ns = int(ends[-1])


class Presence:
    """Adds recordings up as they are read."""

    def __init__(self) -> None:
        self._ns: dict[Program, int] = {}

    def of(self, program: Program) -> int:
        """Nanoseconds of the recordings that hold a program; 0 when none was read."""
        return self._ns.get(program, 0)

    @property
    def longest_ns(self) -> int:
        """Nanoseconds of the recordings that hold whoever could be seen the longest."""
        return max(self._ns.values(), default=0)

    def pass_on(
        self,
        batches: Iterable[WindowBatch],
        leave_out: Callable[[WindowBatch], WindowBatch] | None = None,
    ) -> Iterator[WindowBatch]:
        """Yield the batches of one recording, and note whom it held and how long it lasted.

        Parameters
        ----------
        batches : iterable of WindowBatch
            In the order they were recorded.
        leave_out : callable, optional
            Gives a batch without the windows that are not to be learned from. The time up to
            such a window, from the last one of its program that was kept, is none of the program.
        """
        held: set[Program] = set()
        gone: dict[Program, int] = {}
        told: dict[Program, int] = {}
        lasted = Lasted()
        for batch in batches:
            lasted.add(batch)
            kept = leave_out(batch) if leave_out else batch
            if len(kept) < len(batch):
                for program in _fewer(kept, batch):
                    gone[program] = gone.get(program, 0) + lasted.ns - told.get(program, 0)
                    told[program] = lasted.ns
            here = [kept.programs[i] for i in np.unique(kept.program).tolist()]
            held.update(here)
            told.update(dict.fromkeys(here, lasted.ns))
            yield kept
        for program in held:
            self._ns[program] = self.of(program) + lasted.ns - gone.get(program, 0)


def _fewer(kept: WindowBatch, batch: WindowBatch) -> list[Program]:
    """List the programs that have fewer windows in what was kept; the tables are the same."""
    n = len(batch.programs)
    fewer = np.bincount(kept.program, minlength=n) < np.bincount(batch.program, minlength=n)
    return [batch.programs[i] for i in np.flatnonzero(fewer).tolist()]
