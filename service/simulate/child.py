"""Children that cannot outlive their bounds, forked from whichever thread asks."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable

#: A child that still runs after this is ended by its own alarm (an exec keeps the alarm).
LONGEST_S = 10


def fork(act: Callable[[], object]) -> int:
    """Fork a child that does ``act`` and ends; returns its pid.

    Its exit status is 0, or the ``errno`` of the `OSError` that ``act`` raised, or 255 for
    another exception. ``act`` may never come back (an exec).
    """
    with warnings.catch_warnings():
        # Forking beside other threads is safe here: the child calls the kernel and ends, it
        # takes no lock that a thread left behind may hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        # A child that is ended before it is ready ends quietly.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return pid
    status = 255
    try:
        signal.alarm(LONGEST_S)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        act()
        status = 0
    except OSError as error:
        status = (error.errno or 255) & 0xFF
    finally:
        os._exit(status)


def wait(pid: int) -> int:
    """Wait for a child's end: its exit status, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def refusal(status: int) -> str:
    """Say why a child of `fork` was refused; ``""`` when it was not."""
    if status < 0:
        return signal.Signals(-status).name
    return os.strerror(status) if status else ""
