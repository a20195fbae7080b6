"""Which alerts belong to which behaviour, and what that makes of the behaviour."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from oddcall.service.simulate import Behaviour, Outcome
from oddcall.service.trial.watching import Arrival

#: A behaviour counts as caught when its alert can be read so soon after it began.
CAUGHT_WITHIN_S = 10.0
#: A window closes a tick after what it holds.
_TICK_S = 1.5


@dataclass(frozen=True, slots=True)
class Caught:
    """One behaviour, and what was told of it.

    Attributes
    ----------
    name, technique, tactic, summary, invisible : str
        Of the behaviour.
    pid : int
        Process that it was run in.
    program : str
    began, ended : float
        Seconds since the epoch.
    seconds : float or None
        From its beginning to when the first alert could be read; None without one.
    caught : bool
        Whether that took no more than `CAUGHT_WITHIN_S`.
    sentence : str
        The alert's; of several the first that names the cause.
    names_cause : bool
        Whether it names a call that gives the behaviour away.
    p_value, threshold : float or None
        Of that alert.
    detail : dict
        What the behaviour told of itself.
    failure : str
        Why the behaviour did not end well; it is neither caught nor missed then.
    """

    name: str
    technique: str
    tactic: str
    summary: str
    invisible: str
    pid: int
    program: str
    began: float
    ended: float
    seconds: float | None
    caught: bool
    sentence: str
    names_cause: bool
    p_value: float | None
    threshold: float | None
    detail: dict[str, Any]
    failure: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON."""
        return asdict(self)


def belongs(alert: dict[str, Any], outcome: Outcome) -> bool:
    """Whether an alert is about what a behaviour did: its process or program, in its time."""
    window = alert["window"]
    begun = moment(window["end"]) >= outcome.start
    ended = moment(window["start"]) <= outcome.end + _TICK_S
    own = {outcome.pid, *(v for k, v in outcome.detail.items() if k == "child")}
    own.discard(0)  # not known
    process = alert["process"]
    mine = process["pid"] in own or process["ppid"] in own
    return begun and ended and (mine or alert["program"]["exe"] == outcome.program)


def caught(behaviour: Behaviour, outcome: Outcome, arrivals: Iterable[Arrival]) -> Caught:
    """Look what was told of a behaviour. Lines that only close an episode tell nothing new."""
    mine = [
        arrival
        for arrival in arrivals
        if arrival.alert["state"] != "close" and belongs(arrival.alert, outcome)
    ]
    naming = [arrival for arrival in mine if names_cause(behaviour, arrival.alert)]
    told = next(iter(naming or mine), None)
    seconds = mine[0].at_s - outcome.start if mine else None
    return Caught(
        name=behaviour.name,
        technique=behaviour.technique,
        tactic=behaviour.tactic,
        summary=behaviour.summary,
        invisible=behaviour.invisible,
        pid=outcome.pid,
        program=outcome.program,
        began=outcome.start,
        ended=outcome.end,
        seconds=None if seconds is None else round(seconds, 2),
        caught=seconds is not None and seconds <= CAUGHT_WITHIN_S and not outcome.failure,
        sentence=told.alert["explanation"]["sentence"] if told is not None else "",
        names_cause=bool(naming),
        p_value=told.alert["score"]["p_value"] if told is not None else None,
        threshold=told.alert["score"]["threshold"] if told is not None else None,
        detail=dict(outcome.detail),
        failure=outcome.failure,
    )


def names_cause(behaviour: Behaviour, alert: dict[str, Any]) -> bool:
    """Whether the sentence names a call that gives the behaviour away."""
    sentence = alert["explanation"]["sentence"]
    return any(re.search(rf"\b{re.escape(call)}\b", sentence) for call in behaviour.cause)


def moment(text: str) -> float:
    """Seconds since the epoch of a time in an alert."""
    return datetime.fromisoformat(text).timestamp()
