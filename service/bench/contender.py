"""Who is measured: the empty hook that is the floor, and oddcall in whole and in parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from oddcall.sensor import bytecode
from oddcall.sensor.loader import HOT_HOOK
from oddcall.sensor.loader_bcc import BccLoader
from oddcall.sensor.probe import Probe, ProbeSettings

FLOOR, WHOLE = "empty", "oddcall"
#: mov r0, 0; exit
_EMPTY = bytes.fromhex("b7000000000000009500000000000000")


@dataclass(frozen=True, slots=True)
class Contender:
    """One row.

    Attributes
    ----------
    name : str
        For machines.
    label : str
        For people.
    attached : callable
        Gives a context in which it is attached to the whole machine. Entering raises
        `OddcallError` where it cannot be used here.
    slow : bool, default False
        It costs microseconds a call: fewer calls are made, and by one thread only.
    """

    name: str
    label: str
    attached: Callable[[], AbstractContextManager[object]]
    slow: bool = False


class _Calls(BccLoader):
    flags: ClassVar[tuple[str, ...]] = ("-DOC_PARTS=OC_PART_CALLS",)


class _CallsErrors(BccLoader):
    flags: ClassVar[tuple[str, ...]] = ("-DOC_PARTS=(OC_PART_CALLS|OC_PART_ERRORS)",)


class _Transitions(BccLoader):
    flags: ClassVar[tuple[str, ...]] = ("-DOC_PARTS=OC_PART_TRANSITIONS",)


class _Life(BccLoader):
    def attach(self, tracepoint: str, function: str) -> None:
        """Leave calls uncounted."""
        if function != HOT_HOOK:
            super().attach(tracepoint, function)


def own() -> list[Contender]:
    """Build the rows of the floor and of oddcall."""
    return [
        Contender(FLOOR, "an empty hook, the floor", _empty_hook),
        _part("oddcall-life", "oddcall: lives only", _Life),
        _part("oddcall-calls", "oddcall: calls only", _Calls),
        _part("oddcall-errors", "oddcall: calls, errors", _CallsErrors),
        _part("oddcall-transitions", "oddcall: transitions only", _Transitions),
        _whole("oddcall-bcc", "oddcall, loaded by bcc", "bcc"),
        _whole("oddcall-core", "oddcall, loaded by core", "core"),
        _whole(WHOLE, "oddcall as it comes", "auto"),
    ]


def _whole(name: str, label: str, loader: str) -> Contender:
    return Contender(name, label, lambda: Probe(ProbeSettings(loader=loader)))


def _part(name: str, label: str, loader: type[BccLoader]) -> Contender:
    settings = ProbeSettings(loader="bcc")
    return Contender(name, label, lambda: Probe(settings, {"bcc": loader}))


@contextmanager
def _empty_hook() -> Iterator[None]:
    program = bytecode.load("oddcall_empty", _EMPTY)
    link = bytecode.attach(program, "sys_exit")
    try:
        yield
    finally:
        os.close(link)
        os.close(program)
