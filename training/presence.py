"""How long each program could have been seen: the time of the recordings that hold it.

Recordings that a model is trained on together need not hold the same programs: one made while
newcomers were learned holds nobody else. A program's windows a day are counted over the time of
those recordings in which it is at all, not over the time between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from oddcall.models.window import Program, WindowBatch


class Presence:
    """Adds recordings up as they are read."""

    def __init__(self) -> None:
        self._ns: dict[Program, int] = {}

    def of(self, program: Program) -> int:
        """Nanoseconds of the recordings that hold a program; 0 when none was read."""
        return self._ns.get(program, 0)

    def pass_on(self, batches: Iterable[WindowBatch]) -> Iterator[WindowBatch]:
        """Yield the batches of one recording, and note whom it held and how long it lasted."""
        held: set[Program] = set()
        first, last = np.iinfo(np.int64).max, 0
        for batch in batches:
            if len(batch):
                held.update(batch.programs[i] for i in np.unique(batch.program).tolist())
                first = min(first, int(batch.t_start_ns.min()))
                last = max(last, int(batch.t_end_ns.max()))
            yield batch
        for program in held:
            self._ns[program] = self.of(program) + last - first
