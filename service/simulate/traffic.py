"""A mixed, benign load on the demo server: what there is to learn from."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import time
from collections import Counter
from collections.abc import Callable

from oddcall.models.errors import OddcallError, SettingError
from oddcall.service.simulate.connecting import connect, host_and_port, unsaid

#: Method, path, and how often out of the sum.
_MIX = (
    ("GET", "/", 20),
    ("GET", "/static/style.css", 14),
    ("GET", "/static/app.js", 12),
    ("GET", "/static/photo.bin", 6),
    ("GET", "/api/items?n=20", 14),
    ("GET", "/api/items?n=400", 4),
    ("GET", "/api/files", 6),
    ("HEAD", "/static/app.js", 4),
    ("GET", "/favicon.ico", 5),
    ("GET", "/static/../secret", 2),
    ("POST", "/api/echo", 7),
    ("POST", "/upload", 4),
    ("DELETE", "/upload", 1),
)
#: Longest wait for an answer: a server that is starved of processors is late, not gone.
_LONGEST_S = 60.0
#: A kept connection is ended by the client after so many requests on average.
_REQUESTS_KEPT = 15
_AT_ONCE = 4


def load(
    url: str,
    seconds: float,
    *,
    rate: float = 40.0,
    seed: int | None = None,
    progress: Callable[[float], None] | None = None,
    waiting: Callable[[], None] = unsaid,
) -> dict[str, int]:
    """Send requests of many kinds at a bounded rate, once the server listens.

    Parameters
    ----------
    url : str
        ``http://HOST:PORT`` of the server.
    seconds : float
        How long.
    rate : float, default 40
        Requests a second on average.
    seed : int, optional
        Makes the order of requests the same each time.
    progress : callable, optional
        Told the share done, 0 to 1, after each request.
    waiting : callable, optional
        Called once where the server does not listen yet: it is tried for some seconds.

    Returns
    -------
    dict of str to int
        ``requests``, and how many were answered with each status.

    Raises
    ------
    SettingError
        If the URL is not one, or the rate or the duration is not above 0.
    OddcallError
        If nothing answers there.
    """
    refusal = SettingError(
        "that is no address of a web server", expected="http://HOST:PORT", got=url
    )
    host, port = host_and_port(url, refusal)
    if not (seconds > 0 and rate > 0):
        raise SettingError(
            "the load is not usable",
            expected="a duration and a rate above 0",
            got=f"{seconds} s at {rate} a second",
        )
    client = _Client(host, port, random.Random(seed))  # noqa: S311  no secret
    with contextlib.closing(client):
        client.open(waiting)
        due = begin = time.monotonic()
        while (now := time.monotonic()) < begin + seconds:
            if due > now:
                time.sleep(min(due - now, begin + seconds - now))
                continue
            client.request()
            # Poisson arrivals, and no catching up after a slow answer.
            due = max(due, now) + client.chance.expovariate(rate)
            if progress:
                progress(min(1.0, (now - begin) / seconds))
    return dict(client.seen)


class _Client:
    """Some connections that are kept, and some that are made for one request."""

    def __init__(self, host: str, port: int, chance: random.Random) -> None:
        self.chance = chance
        self.seen: Counter[str] = Counter()
        self._address = (host, port)
        self._kept: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        for connection in self._kept:
            connection.close()

    def open(self, waiting: Callable[[], None]) -> None:
        """Make the first connection, to a server that may have been started just now."""
        connection = http.client.HTTPConnection(*self._address, timeout=_LONGEST_S)
        try:
            connect(connection, waiting)
        except OSError as error:
            raise self._silent(error) from error
        self._kept.append(connection)

    def request(self) -> None:
        """Send one request, or now and then a connection without one."""
        self.seen["requests"] += 1
        if self.chance.random() < 0.02:
            self._hang_up()
            return
        connection = self._connection()
        try:
            self._ask(connection)
        except (OSError, http.client.HTTPException):
            # The server closed an idle connection, as servers do: once more on a new one.
            connection.close()
            self._ask_anew()

    def _connection(self) -> http.client.HTTPConnection:
        if self._kept and self.chance.random() < 0.7:
            return self.chance.choice(self._kept)
        connection = http.client.HTTPConnection(*self._address, timeout=_LONGEST_S)
        self._kept.append(connection)
        if len(self._kept) > _AT_ONCE:
            self._kept.pop(0).close()
        return connection

    def _ask_anew(self) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=_LONGEST_S)
        try:
            self._ask(connection)
        except (OSError, http.client.HTTPException) as error:
            raise self._silent(error) from error
        finally:
            connection.close()

    def _silent(self, error: Exception) -> OddcallError:
        return OddcallError(
            "the web server does not answer",
            expected=f"an answer from {self._address[0]}:{self._address[1]}",
            got=str(error),
            fix="Start one: oddcall simulate serve",
        )

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        method, path, _ = self.chance.choices(_MIX, [share for *_, share in _MIX])[0]
        body = self.chance.randbytes(self.chance.choice((20, 900, 30_000)))
        keep = self.chance.random() < 1 - 1 / _REQUESTS_KEPT
        headers = {} if keep else {"Connection": "close"}
        connection.request(method, path, body if method == "POST" else None, headers)
        answer = connection.getresponse()
        answer.read()
        self.seen[str(answer.status)] += 1

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            socket.create_connection(self._address, timeout=_LONGEST_S).close()
