"""Reaching a demo server that may have been started a moment ago."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable

#: How long a server may take to start to listen: it first copies and tries its interpreter.
STARTING_S = 10.0
_AGAIN_S = 0.1


def connect(connection: http.client.HTTPConnection, waiting: Callable[[], None]) -> None:
    """Connect, trying again for `STARTING_S` where nothing listens yet.

    Parameters
    ----------
    connection : HTTPConnection
    waiting : callable
        Called once, before it is tried again.

    Raises
    ------
    OSError
        When nothing listens there by then, or it cannot be reached at all.
    """
    end = time.monotonic() + STARTING_S
    told = False
    while True:
        try:
            connection.connect()
        except ConnectionRefusedError:
            if time.monotonic() >= end:
                raise
        else:
            return
        if not told:
            waiting()
            told = True
        time.sleep(_AGAIN_S)


def unsaid() -> None:
    """Wait without telling anybody."""
