"""Syslog as of RFC 5424, over UDP, TCP, TLS (RFC 5425) or a socket of this host.

Over TCP and TLS messages are framed by octet counting (RFC 6587) and each batch has a
connection of its own, which the server ends once it has read all of it (see ``arrival``): the
one answer there is, as neither protocol has any. UDP has not even that: what is lost on the
way is lost unseen.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from oddcall.service.alerts.notice import is_notice
from oddcall.service.formats.wording import product_version
from oddcall.service.sinks.address import Address
from oddcall.service.sinks.arrival import (
    end_stream,
    reach_local,
    send_local,
    wait_until_acknowledged,
)
from oddcall.service.sinks.transport import DeliveryError, Record, undelivered

#: RFC 5424's severities; an episode that is quiet again is informational.
_SEVERITY = {"low": 5, "medium": 4, "high": 3, "critical": 2}
_INFORMATIONAL = 6
#: How long an answer that a port is closed takes at most, to be sure on this host at least.
_ICMP_S = 0.05


class Syslog:
    """Send records to a syslog server.

    Parameters
    ----------
    address : Address
    facility : int, default 3
        ``daemon``.
    timeout_s : float, default 10.0
        Of each step of a connection.
    ca : Path, optional
        Certificates to trust instead of the system's, for TLS.
    """

    def __init__(
        self, address: Address, facility: int = 3, timeout_s: float = 10.0, ca: Path | None = None
    ) -> None:
        self._address, self._facility, self._timeout_s = address, facility, timeout_s
        self._ca = ca
        self.batch = 20 if address.scheme in {"udp", "unix"} else 100

    def send(self, records: Sequence[Record]) -> None:
        """Send messages; returns once they were read, where that can be known."""
        messages = [message(record, self._facility) for record in records]
        if self._address.scheme == "unix":
            send_local(self._address.path, messages, self._timeout_s)
        elif self._address.scheme == "udp":
            self._send_datagrams(messages)
        else:
            self._send_stream(messages)

    def reach(self) -> None:
        """Raise DeliveryError where no server can be reached; for UDP nobody can know."""
        if self._address.scheme == "unix":
            reach_local(self._address.path, self._timeout_s).close()
        else:
            with self._told(), self._connected():
                pass

    def close(self) -> None:
        """Do nothing: no connection outlives a batch."""

    def _send_datagrams(self, messages: list[bytes]) -> None:
        with self._told(), self._connected() as way:
            for text in messages:
                way.sendall(text)
            if select.select([way], [], [], _ICMP_S)[0]:
                way.recv(1)  # raises what came back, such as that the port is closed

    def _send_stream(self, messages: list[bytes]) -> None:
        with self._told(), self._connected() as way:
            way.sendall(b"".join(b"%d %s" % (len(text), text) for text in messages))
            if isinstance(way, ssl.SSLSocket):
                _end_tls(way, self._timeout_s)
            else:
                end_stream(way, self._timeout_s)

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        where = (self._address.host, self._address.port)
        if self._address.scheme == "udp":
            family, kind, *_, found = socket.getaddrinfo(*where, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind) as way:
                way.connect(found)
                _refuse_oneself(way)
                yield way
            return
        with socket.create_connection(where, self._timeout_s) as way:
            _refuse_oneself(way)
            if self._address.scheme == "tcp":
                yield way
                return
            context = ssl.create_default_context(cafile=self._ca)
            with context.wrap_socket(way, server_hostname=self._address.host) as safe:
                yield safe

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what sockets raise into one sentence."""
        try:
            yield
        except OSError as error:
            raise undelivered(str(self._address), error) from error


def message(record: Record, facility: int) -> bytes:
    """Write one message: the format's JSON behind the header of RFC 5424."""
    alert = record.alert
    quiet = alert.get("state") == "close"
    severity = _INFORMATIONAL if quiet else _SEVERITY[alert["severity"]]
    kind = f"notice-{alert['notice']}" if is_notice(alert) else alert["state"]
    head = (
        f"<{8 * facility + severity}>1",
        alert["time"],
        _printable(alert["host"]["name"], 255),
        "oddcall",
        str(os.getpid()),
        _printable(kind, 32),
        f'[origin software="oddcall" swVersion="{product_version()}"]',
    )
    return f"{' '.join(head)} {record.line}".encode("ascii")


def _refuse_oneself(way: socket.socket) -> None:
    """Raise where the other end is this one.

    Where nobody listens on a port of this host that the kernel gives out by itself, it may give
    out just that one: the socket then takes its own messages, and nobody reads them.
    """
    if way.getsockname() == way.getpeername():
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


def _printable(text: str, most: int) -> str:
    """Keep what a header may hold: printable ASCII without spaces."""
    return "".join(c if "!" <= c <= "~" else "_" for c in text)[:most] or "-"


def _end_tls(way: ssl.SSLSocket, timeout_s: float) -> None:
    """End TLS; returns once the server has read all, and ended as well."""
    try:
        way.unwrap()
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
        # It ended without a farewell: in order, unless a reset follows.
        wait_until_acknowledged(way, timeout_s)
    except ssl.SSLError as error:
        raise DeliveryError("TLS was not ended in order", got=str(error)) from error
