"""Harm to service: floods of children, and services stopped."""

from __future__ import annotations

import os
import signal

from oddcall.service.simulate import child
from oddcall.service.simulate.behaviour import Behaviour, Bounds, Facts

_CHILDREN = 150
_VICTIMS = 20


def _flood(bounds: Bounds) -> Facts:
    ended = 0
    for _ in bounds.times(_CHILDREN):
        ended += child.wait(child.fork(os.getpid)) == 0
    return {"children": ended}


def _stop_services(bounds: Bounds) -> Facts:
    victims, stopped = [child.fork(signal.pause) for _ in range(_VICTIMS)], 0
    try:
        for turn in bounds.times(len(victims)):
            os.kill(victims[turn], 0)
            os.kill(victims[turn], signal.SIGTERM)
            stopped += child.wait(victims[turn]) != 0
    finally:
        for pid in victims[stopped:]:
            os.kill(pid, signal.SIGKILL)
            child.wait(pid)
    return {"victims": len(victims), "stopped": stopped}


FORK_FLOOD = Behaviour(
    name="fork-flood",
    technique="T1499.001",
    summary="Forks 150 children one after the other, each of which ends at once.",
    expects=("clone", "wait4"),
    cause=("clone", "wait4", "processes"),
    harmless_because="one child lives at a time, and each is waited for",
    act=_flood,
)

SERVICE_STOP = Behaviour(
    name="service-stop",
    technique="T1489",
    summary="Looks for 20 processes and ends each with SIGTERM.",
    expects=("clone", "kill", "wait4"),
    cause=("kill", "clone", "wait4"),
    harmless_because="they are children of its own that do nothing but wait",
    act=_stop_services,
)
