"""Whose baseline judges a program, and whether its windows may alert."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from oddcall.models.baseline import ProgramState
from oddcall.models.sparse import IntArray
from oddcall.models.tolerance import Span, Tolerances
from oddcall.models.window import Program, WindowBatch


@dataclass(frozen=True, slots=True)
class Standing:
    """How a program's windows are judged: by which profile, at which level, and whether at all."""

    profile: int
    level: str
    ready: bool


_UNKNOWN = Standing(-1, "unknown", ready=False)
#: Where a model's metadata names programs that it lacks because people forgot them.
_FORGOTTEN = "forgotten"


class Standings:
    """Standings of the programs of one model.

    Parameters
    ----------
    programs : sequence of ProgramState
    calibrated : callable
        Whether clean windows stand behind a profile's p-values.
    tolerances : Tolerances
        Which programs are to be forgotten, and when.
    dropped : mapping of Program to int, optional
        Programs that the model lacks as people had asked to forget them, and when that was, UTC.
    """

    def __init__(
        self,
        programs: Sequence[ProgramState],
        calibrated: Callable[[int], bool],
        tolerances: Tolerances,
        dropped: Mapping[Program, int] | None = None,
    ) -> None:
        self._dropped = dropped or {}
        self._programs, self._calibrated, self._tolerances = programs, calibrated, tolerances

    def of(self, program: Program) -> Standing:
        """How a program's windows are judged; ``"unknown"`` for one never met."""
        exact = self._by_program.get(program)
        return exact or self._by_place.get(program.place, _UNKNOWN)

    def columns(self, batch: WindowBatch) -> tuple[IntArray, NDArray[np.str_], NDArray[np.bool_]]:
        """Profile of each window, (n,), -1 for none; its level; and whether it may alert."""
        # One look-up a program of the batch's table, not one a window.
        used, place = np.unique(batch.program, return_inverse=True)
        table = [self.of(batch.programs[i]) for i in used]
        profile = np.array([standing.profile for standing in table], np.int64)[place]
        level = np.array([standing.level for standing in table], "U11")[place]
        ready = np.array([standing.ready for standing in table], np.bool_)[place]
        for number, at in enumerate(used.tolist()):
            for span in self.forgetting(batch.programs[at]):
                gone = (place == number) & span.holds(batch.t_start_ns)
                profile[gone], level[gone], ready[gone] = -1, "unknown", False
        return profile, level, ready

    def forgetting(self, program: Program) -> list[Span]:
        """Spans in which a program is not judged, as people asked to forget its baseline."""
        if not self._tolerances.forgotten:
            return []
        spans = self._tolerances.forgets(program, self._begun_ns.get(program.place, 0))
        undone_ns = self._undone.get(program)
        return spans if undone_ns is None else [*spans, Span(undone_ns)]

    @cached_property
    def restored(self) -> dict[Program, int]:
        """Programs learned anew or dropped for being forgotten, which was undone then, UTC.

        They are not judged until what was known of them before is learned again. Not those that
        people had forgotten anew since: nothing of before is to come back then.
        """
        forgotten = self._tolerances.forgotten
        said = [(p.place, at) for p, at, span in forgotten if span.until_ns is None]
        return {
            program: undone_ns
            for program, undone_ns in self._undone.items()
            if not any(place == program.place and at > undone_ns for place, at in said)
        }

    @cached_property
    def _undone(self) -> dict[Program, int]:
        anew = {known.program: known.forgotten_ns for known in self._programs if known.forgotten_ns}
        found = {
            program: self._tolerances.undone_ns(program, forgotten_ns)
            for program, forgotten_ns in {**self._dropped, **anew}.items()
        }
        return {program: at for program, at in found.items() if at is not None}

    @cached_property
    def _begun_ns(self) -> dict[tuple[str, str, str], int]:
        """When the newest binary of each place began to be learned."""
        begun: dict[tuple[str, str, str], int] = {}
        for known in self._programs:
            begun[known.program.place] = max(begun.get(known.program.place, 0), known.first_ns)
        return begun

    @cached_property
    def _by_program(self) -> dict[Program, Standing]:
        return {
            known.program: Standing(
                known.profile,
                known.level,
                known.can_alert and self._calibrated(known.profile),
            )
            # Models of before devices without a major number were left out hold a program twice.
            for known in sorted(self._programs, key=lambda state: (state.can_alert, state.last_ns))
        }

    @cached_property
    def _by_place(self) -> dict[tuple[str, str, str], Standing]:
        """Of binaries that were replaced: the one seen last stands for its successors.

        It is a shadow: scores are given, nothing alerts. What an upgrade does differently is
        not odd by itself, and the same path in another root is another program altogether.
        """
        return {
            known.program.place: Standing(known.profile, "predecessor", ready=False)
            for known in sorted(self._programs, key=lambda state: state.last_ns)
            if known.level == "program" and known.program.exe
        }


def as_metadata(dropped: Mapping[Program, int]) -> dict[str, str]:
    """Write down which programs a model lacks because people forgot them, and when, ns UTC."""
    told = [[asdict(program), forgotten_ns] for program, forgotten_ns in dropped.items()]
    return {_FORGOTTEN: json.dumps(told)} if told else {}


def dropped_in(metadata: Mapping[str, str]) -> dict[Program, int]:
    """Read what `as_metadata` wrote; what cannot be read is nothing."""
    try:
        told = json.loads(metadata.get(_FORGOTTEN, "[]"))
        return {Program(**program): int(forgotten_ns) for program, forgotten_ns in told}
    except (ValueError, TypeError, RecursionError):
        return {}
