"""Promises about the journal, held against its native protocol."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddcall.service.alerts import notice
from oddcall.service.sinks.journald import Journald, encode, fields
from oddcall.service.sinks.transport import DeliveryError, Record


def decode(entry: bytes) -> dict[str, str]:
    """Read an entry as the journal does."""
    found = {}
    while entry:
        head, _, rest = entry.partition(b"\n")
        if b"=" in head:
            name, _, value = head.partition(b"=")
            entry = rest
        else:
            (size,) = struct.unpack("<Q", rest[:8])
            name, value, entry = head, rest[8 : 8 + size], rest[9 + size :]
            assert rest[8 + size : 9 + size] == b"\n"
        found[name.decode()] = value.decode("utf-8", "surrogateescape")
    return found


class Journal:
    """A socket that takes datagrams, and sealed files in their place."""

    def __init__(self, path: Path) -> None:
        self.path, self.entries = path, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                entry, files, *_ = socket.recv_fds(self.socket, 1 << 20, 4)
            except OSError:
                return
            if entry == b"stop":
                return
            for file in files:
                entry = os.pread(file, 1 << 30, 0)
                with pytest.raises(PermissionError):
                    os.write(file, b"changed")  # it is sealed
                os.close(file)
            self.entries.append(decode(entry))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    served = Journal(tmp_path / "socket")
    yield served
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
        way.sendto(b"stop", str(served.path))
    served.thread.join()
    served.socket.close()


def test_an_alert_is_an_entry(journal: Journal, records: Any) -> None:
    """With the sentence as message, a priority, and fields to search by; it was read."""
    sink = Journald(journal.path)
    sink.reach()
    sink.send(records(range(3)))
    assert [entry["ODDCALL_PID"] for entry in journal.entries] == ["100", "101", "102"]
    entry = journal.entries[0]
    assert entry["MESSAGE"] == "nginx made call number 0, which it never made before."
    assert entry["SYSLOG_IDENTIFIER"] == "oddcall"
    assert entry["PRIORITY"] == "4"
    assert len(bytes.fromhex(entry["MESSAGE_ID"])) == 16
    assert entry["ODDCALL_UNIT"] == "nginx.service"
    assert entry["ODDCALL_CMDLINE"] == "nginx: worker é\n"
    assert "ODDCALL_CONTAINER" not in entry
    assert json.loads(entry["ODDCALL_ALERT"]) == records(range(1))[0].alert


def test_fields_have_names_the_journal_takes(alert_of: Any, host: Any) -> None:
    """Capitals, digits and underscores, not too long, and none that the journal trusts."""
    dropped = notice.build("dropped", "2 alerts.", host, 1, {"full": 2})
    for alert in (alert_of(1), alert_of(1, state="close"), dropped):
        for name in fields(Record(alert, alert)):
            assert name.replace("_", "A").isalnum()
            assert name == name.upper()
            assert name[0].isalpha()
            assert len(name) <= 64
    assert fields(Record(dropped, dropped))["MESSAGE"] == "2 alerts."
    quiet = fields(Record(alert_of(1, state="close"), {}))
    assert quiet["MESSAGE"].startswith("quiet again")
    assert quiet["PRIORITY"] == 6


@given(st.dictionaries(st.sampled_from(["A", "B_1", "MESSAGE"]), st.text()))
def test_values_may_hold_anything(entry: dict[str, str]) -> None:
    """What goes in comes out, with line ends and equals signs."""
    assert decode(encode(entry)) == entry


def test_a_large_entry_goes_as_a_file(journal: Journal, alert_of: Any) -> None:
    """What no datagram holds goes as a sealed file in memory."""
    alert = alert_of(1)
    alert["process"]["cmdline"] = "x" * 3_000_000
    Journald(journal.path).send([Record(alert, alert), Record(alert_of(2), alert_of(2))])
    assert [entry["ODDCALL_PID"] for entry in journal.entries] == ["101", "102"]
    assert len(journal.entries[0]["ODDCALL_CMDLINE"]) == 3_000_000


def test_without_a_journal_it_is_a_failure(tmp_path: Path, records: Any) -> None:
    """The socket is in the sentence."""
    sink = Journald(tmp_path / "none")
    for attempt in (sink.reach, lambda: sink.send(records(range(1)))):
        with pytest.raises(DeliveryError, match="none cannot be reached; got No such file"):
            attempt()
