"""SIGINT and SIGTERM end a command cleanly, with exit code 0; SIGHUP has it read its settings."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGINT, signal.SIGTERM)


def interrupt_on_sigterm() -> None:
    """Let SIGTERM unwind the stack as Ctrl-C does, so that every ``with`` closes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Call ``stop`` at the first signal; a second one interrupts whatever still runs."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        for number in _ENDING:
            signal.signal(number, signal.default_int_handler)
        stop()

    before = {number: signal.signal(number, ask) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def hanging_up(ask: Callable[[], None]) -> Iterator[None]:
    """Call ``ask`` at every SIGHUP."""
    before = signal.signal(signal.SIGHUP, lambda _number, _frame: ask())
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
