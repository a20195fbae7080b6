"""Where a syslog server is, as settings say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

#: Facilities of syslog by name.
FACILITIES = {"user": 1, "daemon": 3, "auth": 4, "authpriv": 10}
FACILITIES |= {f"local{i}": 16 + i for i in range(8)}
#: Ways to a server, and their usual port.
SCHEMES = {"udp": 514, "tcp": 514, "tls": 6514, "unix": 0}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a syslog server is.

    Attributes
    ----------
    scheme : str
        ``udp``, ``tcp``, ``tls`` or ``unix``.
    host : str
        Of a server; empty for a socket of this host.
    port : int
    path : Path
        Of a socket of this host.
    """

    scheme: str
    host: str = ""
    port: int = 0
    path: Path = Path()

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read ``tcp://host:port`` or ``unix:///path``; raises ValueError."""
        parts = urlsplit(text)
        if parts.scheme not in SCHEMES:
            raise ValueError(f"not an address: {text!r}")
        if parts.scheme == "unix":
            if parts.netloc or not parts.path.startswith("/"):
                raise ValueError(f"not an address: {text!r}")
            return cls("unix", path=Path(parts.path))
        if not parts.hostname or parts.path not in {"", "/"} or parts.query:
            raise ValueError(f"not an address: {text!r}")
        return cls(parts.scheme, parts.hostname, parts.port or SCHEMES[parts.scheme])

    def __str__(self) -> str:
        if self.scheme == "unix":
            return f"unix://{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"
