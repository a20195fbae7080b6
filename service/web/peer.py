"""Whose process has the other end of a connection from this host: the kernel's table says."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

#: State of a connection both ends of which are open, as include/net/tcp_states.h numbers it.
_ESTABLISHED = "01"

Address = tuple[str, int]


def owner(client: Address, server: Address, proc: Path = Path("/proc")) -> int | None:
    """User id of the process that connected from ``client`` to ``server``; None if unknown.

    Parameters
    ----------
    client, server : (address, port)
        Both ends, as this side of the connection sees them.
    proc : Path, default /proc
    """
    ends = (_hex(client), _hex(server))
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[3] == _ESTABLISHED and (words[1], words[2]) in _forms(ends):
                return int(words[7])
    return None


def _forms(ends: tuple[str, str]) -> tuple[tuple[str, str], tuple[str, str]]:
    """Both ends as they are, and as an IPv6 socket shows IPv4 addresses."""
    mapped = "0" * 16 + ("FFFF0000" if sys.byteorder == "little" else "0000FFFF")
    return ends, (mapped + ends[0], mapped + ends[1])


def _hex(end: Address) -> str:
    packed = ipaddress.ip_address(end[0]).packed
    words = [packed[i : i + 4] for i in range(0, len(packed), 4)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    return f"{b''.join(words).hex().upper()}:{end[1]:04X}"
