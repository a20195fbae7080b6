"""An intruder who knows oddcall: who dilutes, who waits, who moves slowly towards the attack.

Three ways, each run for real in the demo server's own process, beside its ordinary load:

mimicry
    one step of the attack among 1, 10, 100, 1,000 ordinary calls. The padding is the program's
    own work: the attack waits so long between two steps that so many ordinary calls go by.
drip
    one step every ten seconds, then one a minute.
drift
    the attack at an ever lower dilution, so that a learner that follows may come to take it for
    ordinary; then at full speed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from oddcall.models.errors import OddcallError
from oddcall.service.screen import Screen, Status
from oddcall.service.simulate.catalogue import named
from oddcall.service.trial.trial import Course, Plan, attempt
from oddcall.service.trial.verdict import Caught
from oddcall.training.recording import read_batches

#: Attacks whose steps are in the process itself, so that they can be taken apart: a call that
#: the server never makes, calls with failures it never has, a known call in other proportions.
ATTACKS = ("bpf-calls", "port-scan", "failing-opens")
FACTORS = (1, 10, 100, 1000)
DRIPS_S = (10.0, 60.0)
DRIFT = (3000, 1000, 300, 100, 30, 10, 3, 0)
#: Steps that an attack of any dilution takes, time permitting.
_STEPS = 20
_SHORTEST_S, _LONGEST_S = 2.0, 60.0
_DRIPS = 6
_DRIFT_STEP_S = 30.0


@dataclass(frozen=True, slots=True)
class Hidden:
    """One attempt to stay unnoticed.

    Attributes
    ----------
    way : {"mimicry", "drip", "drift"}
    ordinary : int
        Ordinary calls of the program to one step of the attack, about.
    pause_s : float
        Seconds between two steps.
    lasted_s : float
        How long it was tried.
    found : Caught
        ``seconds`` is to the first alert, however late.
    """

    way: str
    ordinary: int
    pause_s: float
    lasted_s: float
    found: Caught

    @property
    def noticed(self) -> bool:
        """Whether anything was told of it."""
        return self.found.seconds is not None

    def as_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON."""
        return {**asdict(self), "noticed": self.noticed}


def try_adversary(course: Course, plan: Plan, screen: Screen) -> list[Hidden]:
    """Try every way in turn.

    Raises
    ------
    OddcallError
        When the web server made no call while learning.
    """
    rate = calls_a_second(course.watching.folder / "learning", course.web_pid)
    tries = [("mimicry", name, factor / rate) for name in ATTACKS for factor in FACTORS]
    tries += [("drip", name, pause_s) for name in ATTACKS[:1] for pause_s in DRIPS_S]
    tries += [("drift", ATTACKS[1], factor / rate) for factor in DRIFT]
    done: list[Hidden] = []
    for turn, (way, name, pause_s) in enumerate(tries):
        line = f"{way}: {name}, a step every {pause_s:.2g} s"
        status = Status(line, turn / len(tries))
        lasting_s = _lasting(way, pause_s)
        told = partial(screen.show, status)
        found = attempt(named(name), plan, course, told, lasting_s, pause_s)
        done.append(Hidden(way, round(pause_s * rate), round(pause_s, 6), lasting_s, found))
    return done


def calls_a_second(recording: Path, pid: int) -> float:
    """Measure the calls a second of one process over a recording.

    Raises
    ------
    OddcallError
        When it made none.
    """
    events, first, last = 0, 0, 0
    for batch in read_batches(recording):
        mine = batch.pid == pid
        if mine.any():
            events += int(batch.n_events[mine].sum())
            first = first or int(batch.t_start_ns[mine].min())
            last = max(last, int(batch.t_end_ns[mine].max()))
    if not events or last <= first:
        raise OddcallError("the web server made no call while learning", got=f"process {pid}")
    return float(np.float64(events) / ((last - first) / 1e9))


def _lasting(way: str, pause_s: float) -> float:
    if way == "drip":
        return _DRIPS * pause_s
    if way == "drift" and pause_s:
        return _DRIFT_STEP_S
    return min(max(_STEPS * pause_s, _SHORTEST_S), _LONGEST_S)
