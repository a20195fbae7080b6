"""A model away from the host it was made on: which of its programs those of another host are.

A program is its path, unit and kind of container, and its binary by device and inode. These are
numbers of one host. On another, the first binary that is met in a place counts as the one that
the model knows there, and what comes into that place later as its successor, as on the model's
own host. So the same windows in the same order are always told in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.window import Program, WindowBatch

if TYPE_CHECKING:
    from oddcall.models.baseline import ProgramState
    from oddcall.models.model import Model

_Place = tuple[str, str, str]


def hosts_of(metadata: Mapping[str, str]) -> frozenset[str]:
    """Ids of the hosts that a model of this metadata was made on; none where none is told."""
    told = metadata.get("hosts") or metadata.get("host_id", "")
    return frozenset(told.split())


class Abroad:
    """What was met on one host, in the order of time.

    Parameters
    ----------
    host_id : str
        Of the host whose windows are judged. Where it is not told, or the model does not tell
        its own, the two are taken for the same.
    model : Model
        To begin with.
    """

    def __init__(self, host_id: str, model: Model) -> None:
        self._host_id = host_id
        self._model: Model | None = None
        self._away = False
        self._known: frozenset[Program] = frozenset()
        self._homes: dict[_Place, Program] = {}
        #: Place -> who was met there first, and which of the model's programs that is.
        self._first: dict[_Place, tuple[Program, Program]] = {}
        #: The last table of programs, and what it became: it changes with few ticks only.
        self._table: tuple[tuple[Program, ...], tuple[Program, ...]] = ((), ())
        self.take(model)

    def take(self, model: Model) -> None:
        """Tell programs by this model from now on; who was met first stays so."""
        if model is self._model:
            return
        if self._model is None or model.programs is not self._model.programs:
            hosts = hosts_of(model.metadata)
            # Of several hosts nobody says which of them a program was met on.
            self._away = bool(hosts and self._host_id and hosts != {self._host_id})
            self._known = frozenset(state.program for state in model.programs)
            self._homes = _homes(model.programs) if self._away else {}
            self._table = ((), ())
        self._model = model

    @property
    def away(self) -> bool:
        """Whether the model was made on another host, or on others as well."""
        return self._away

    def same(self, program: Program) -> Program:
        """Give the model's program that one of this host is; itself where it is none of them."""
        if not self._away or program in self._known:
            return program
        first, home = self._first.get(program.place, (None, program))
        return home if first == program and home in self._known else program

    def told(self, batch: WindowBatch) -> WindowBatch:
        """Meet the programs of a batch, and give it as the model's own host would have."""
        if not self._away or not len(batch):
            return batch
        # Of a process that was gone before it was looked at, the binary is not sure.
        sure = batch.program[batch.identity_complete]
        used, begins = np.unique(sure, return_index=True)
        met = [self._meet(batch.programs[n]) for n in used[np.argsort(begins)].tolist()]
        if any(met) or batch.programs is not self._table[0]:
            self._table = batch.programs, tuple(map(self.same, batch.programs))
        return replace(batch, programs=self._table[1])

    def _meet(self, program: Program) -> bool:
        """Take a program for the one of its place, if it is the first there."""
        home = program if program in self._known else self._homes.get(program.place)
        if home is None or not program.exe or program.place in self._first:
            return False
        self._first[program.place] = program, home
        return True


def _homes(programs: Sequence[ProgramState]) -> dict[_Place, Program]:
    """Which program of a model stands for a place: a settled one rather, and the latest.

    The same path in two containers may be two programs that have nothing to do with each other.
    Where a model knows several there, nobody can tell which of them another host runs.
    """
    homes: dict[_Place, Program] = {}
    for known in sorted(programs, key=lambda state: (state.can_alert, state.last_ns)):
        homes[known.program.place] = known.program
    several = {
        known.program.place
        for known in programs
        if known.program.container and homes[known.program.place] != known.program
    }
    return {place: home for place, home in homes.items() if place not in several}
