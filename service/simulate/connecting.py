"""Reaching a web server by its address, which may have been started a moment ago."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from oddcall.models.errors import SettingError

#: How long a server may take to start to listen: it first copies and tries its interpreter.
STARTING_S = 10.0
_AGAIN_S = 0.1


def host_and_port(url: str, refusal: SettingError) -> tuple[str, int]:
    """Take an address apart.

    Parameters
    ----------
    url : str
        ``http://HOST:PORT``; the port is 80 where there is none.
    refusal : SettingError
        Raised when it is no such address.
    """
    try:
        where = urlsplit(url)
        host, port = where.hostname or "", where.port or 80
        # A name that no resolver can be asked for is refused here, not by a traceback there.
        host.encode("idna")
    except ValueError:
        raise refusal from None
    if where.scheme != "http" or not host:
        raise refusal
    return host, port


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
