"""What a foothold does first: look which ports answer, and listen on the wire."""

from __future__ import annotations

import errno
import socket

from oddcall.service.simulate.behaviour import Behaviour, Bounds, Facts

#: Below the range the kernel takes its own ends from: a scan of those can meet itself.
_PORTS = range(1, 2001)


def _scan(bounds: Bounds) -> Facts:
    opened, closed = 0, 0
    for turn in bounds.times(len(_PORTS)):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.settimeout(0.2)
            answer = probe.connect_ex(("127.0.0.1", _PORTS[turn]))
        opened += answer == 0
        closed += answer == errno.ECONNREFUSED
    return {"tried": turn + 1, "open": opened, "closed": closed}


def _listen_on_wire(bounds: Bounds) -> Facts:
    asked, refused = 0, ""
    for _ in bounds.times(20):
        asked += 1
        try:
            # Protocol 0: the kernel hands no packet to such a socket until it is bound to one.
            socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
        except OSError as error:
            refused = error.strerror or str(error)
    return {"asked": asked, "refused": refused}


PORT_SCAN = Behaviour(
    name="port-scan",
    technique="T1046",
    summary="Tries to connect to the first 2,000 ports of 127.0.0.1, one after the other.",
    expects=("socket", "connect", "close"),
    cause=("connect",),
    harmless_because="loopback only; a connection that succeeds is closed without a byte sent",
    act=_scan,
)

PACKET_SOCKET = Behaviour(
    name="packet-socket",
    technique="T1040",
    summary="Opens raw packet sockets, as a sniffer does.",
    expects=("socket",),
    cause=("socket",),
    harmless_because="they are bound to nothing, receive nothing, and are closed at once",
    act=_listen_on_wire,
    faint=True,
)
