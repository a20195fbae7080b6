"""How a program stands while it is learned and while it is watched, in a word and a sentence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from oddcall.models.durations import format_duration
from oddcall.models.window import Program
from oddcall.service.quantities import counted

if TYPE_CHECKING:
    from oddcall.models.model import Model
    from oddcall.service.learning.evidence import Seen


@dataclass(frozen=True, slots=True)
class Standing:
    """How a program stands.

    Attributes
    ----------
    state : str
        ``"collecting"``, ``"learning"``, ``"ready"``, ``"forgotten"`` or ``"unknown"``.
    why : str
        A sentence.
    level : str
        Whose baseline judges it, one of `oddcall.models.verdict.LEVELS`; empty while learning.
    windows : int
        Windows that its baseline rests on, or will.
    """

    state: str
    why: str
    level: str = ""
    windows: int = 0


Standings = Callable[[Program], Standing]

_NEVER_MET = Standing("unknown", "It was not met in training: it is not judged.", "unknown")
_SHADOWED = Standing(
    "learning",
    "Its binary was replaced: its predecessor's baseline scores it, without alerts.",
    "predecessor",
)
#: Of a program without a baseline of its own, where programs like it are too few to stand in.
TOO_FEW_OTHERS = "It cannot alert: the host has too few other programs to judge it by."
_NOT_YET = Standing("collecting", "No window of it was kept yet.")


def by_model(model: Model, now: Callable[[], int] = time.time_ns) -> Standings:
    """Tell how programs stand by the model that judges them, and what people said since.

    Parameters
    ----------
    model : Model
    now : callable, default time.time_ns
        Reads UTC, in nanoseconds: what was said holds for a time.
    """
    known = {}
    for state in model.programs:
        level = state.judged_by(model.calibration)
        cannot = f" {TOO_FEW_OTHERS}" if level == "unknown" else ""
        why = {
            "collecting": f"It showed {counted(state.windows, 'window')}: too few for a baseline "
            f"of its own.{cannot}",
            "learning": f"{state.new_rate:.0%} of its later windows still held something new.",
            "ready": f"Its baseline rests on {counted(state.windows, 'window')} of its own.",
        }
        known[state.program] = Standing(state.readiness, why[state.readiness], level, state.windows)

    def standing(program: Program) -> Standing:
        if (undone_ns := model.restored.get(program)) is not None:
            return _restored(undone_ns)
        if spans := model.forgetting(program):
            here = np.array([now()], np.int64)
            if held := [span.since_ns for span in spans if span.holds(here)[0]]:
                return _forgotten(max(held))
        if program in known:
            return known[program]
        return _SHADOWED if model.standing(program).level == "predecessor" else _NEVER_MET

    return standing


def _forgotten(since_ns: int) -> Standing:
    why = f"Forgotten at {_minute(since_ns)}: not judged until learned anew."
    return Standing("forgotten", why)


def _restored(undone_ns: int) -> Standing:
    why = (
        f"Since {_minute(undone_ns)} it is not to be forgotten: what was learned anew meanwhile "
        "judges it no more. It is judged again once what was known before is learned again by a "
        "watch that learns, or after --relearn."
    )
    return Standing("learning", why, "unknown")


def _minute(time_ns: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(time_ns / 1e9))


def by_evidence(programs: list[Seen], min_windows: int) -> Standings:
    """Tell how programs stand by what was seen of them while learning."""
    known = {seen.program: _so_far(seen, min_windows) for seen in programs}
    return lambda program: known.get(program, _NOT_YET)


def _so_far(seen: Seen, min_windows: int) -> Standing:
    quiet = format_duration(round(seen.quiet_s))
    why = {
        "collecting": f"{seen.in_all:,} of the {min_windows:,} windows that a baseline needs.",
        "learning": f"It showed something new {quiet} ago.",
        "ready": f"It showed nothing new for {quiet}.",
    }[seen.state]
    return Standing(seen.state, why, "", seen.in_all)
