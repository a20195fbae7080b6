"""Records into systemd's journal, by its native protocol, with fields to search by.

``journalctl SYSLOG_IDENTIFIER=oddcall``, ``journalctl ODDCALL_SEVERITY=high -o json``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from oddcall.service.alerts.alert import anew
from oddcall.service.alerts.notice import is_notice
from oddcall.service.formats.wording import hints_text, present
from oddcall.service.sinks.arrival import reach_local, send_local
from oddcall.service.sinks.transport import Record

SOCKET = Path("/run/systemd/journal/socket")
#: The kind of entry, for `journalctl MESSAGE_ID=` and catalogues.
_ALERT_ID = "0f6d5f7c2bb94f3f9d8e1a7c5b6e4d21"
_NOTICE_ID = "6f1a2d9e8c3b4f7aa0d5e4c3b2a19087"
_PRIORITY = {"low": 5, "medium": 4, "high": 3, "critical": 2}
_INFORMATIONAL = 6


class Journald:
    """Send records to the journal.

    Parameters
    ----------
    path : Path, default the host's
        Its socket.
    timeout_s : float, default 10.0
        Longest wait for it to read.
    """

    batch = 20

    def __init__(self, path: Path = SOCKET, timeout_s: float = 10.0) -> None:
        self._path, self._timeout_s = path, timeout_s

    def send(self, records: Sequence[Record]) -> None:
        """Send one entry a record; returns once they were read."""
        entries = (encode(fields(record)) for record in records)
        send_local(self._path, entries, self._timeout_s, sealed=True)

    def reach(self) -> None:
        """Raise DeliveryError where no journal listens."""
        reach_local(self._path, self._timeout_s).close()

    def close(self) -> None:
        """Do nothing: no socket outlives a batch."""


def fields(record: Record) -> dict[str, Any]:
    """Give the fields of an entry, the format's JSON as ``ODDCALL_ALERT`` among them."""
    alert = record.alert
    common = {
        "SYSLOG_IDENTIFIER": "oddcall",
        "ODDCALL_ID": alert["id"],
        "ODDCALL_SEVERITY": alert["severity"],
        "ODDCALL_TIME": alert["time"],
        "ODDCALL_ALERT": record.line,
    }
    if is_notice(alert):
        return {
            "MESSAGE": alert["sentence"],
            "MESSAGE_ID": _NOTICE_ID,
            "PRIORITY": _PRIORITY[alert["severity"]],
            "ODDCALL_NOTICE": alert["notice"],
            **common,
        }
    quiet = alert["state"] == "close"
    process, program = alert["process"], alert["program"]
    own = {
        "ODDCALL_EPISODE_ID": alert["episode_id"],
        "ODDCALL_STATE": alert["state"],
        "ODDCALL_EXE": program["exe"],
        "ODDCALL_COMM": program["comm"],
        "ODDCALL_UNIT": program["unit"],
        "ODDCALL_CONTAINER": program["container"],
        "ODDCALL_PID": process["pid"],
        "ODDCALL_UID": process["uid"],
        "ODDCALL_CMDLINE": process["cmdline"],
        "ODDCALL_P_VALUE": f"{alert['score']['p_value']:g}",
        "ODDCALL_MODEL_ID": alert["baseline"]["model_id"],
        "ODDCALL_HINTS": hints_text(alert),
        "ODDCALL_NEWS": anew(alert),
    }
    return {
        "MESSAGE": ("quiet again: " if quiet else "") + alert["explanation"]["sentence"],
        "MESSAGE_ID": _ALERT_ID,
        "PRIORITY": _INFORMATIONAL if quiet else _PRIORITY[alert["severity"]],
        **common,
        **present(own),
    }


def encode(entry: Mapping[str, Any]) -> bytes:
    """Write an entry: ``NAME=value`` lines, and values of several lines behind their length."""
    return b"".join(_encoded(name, str(value)) for name, value in entry.items())


def _encoded(name: str, value: str) -> bytes:
    text = value.encode("utf-8", "surrogateescape")
    if b"\n" not in text:
        return b"%s=%s\n" % (name.encode("ascii"), text)
    return b"%s\n%s%s\n" % (name.encode("ascii"), struct.pack("<Q", len(text)), text)
