"""Promises about whose process has the other end of a connection."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from oddcall.service.web.peer import owner


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_kernel_names_the_owner(host: str) -> None:
    """For a real connection it is this process's user, on IPv4 and IPv6."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip("this host has no IPv6")
    with server, socket.create_connection(server.getsockname()[:2]) as client:
        accepted, _ = server.accept()
        with accepted:
            ends = client.getsockname()[:2], server.getsockname()[:2]
            assert owner(*ends) == os.geteuid()
            assert owner((host, 1), ends[1]) is None


def test_only_an_open_connection_counts(tmp_path: Path) -> None:
    """A connection that waits to be forgotten belongs to nobody: its user shows as 0."""
    (tmp_path / "net").mkdir()
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    line = "   0: 0100007F:9C40 0100007F:18BC {} 00000000:00000000 00:00000000 00000000  1000 0 7\n"
    ends = ("127.0.0.1", 0x9C40), ("127.0.0.1", 0x18BC)
    for state, expected in (("01", 1000), ("06", None), ("0A", None)):
        (tmp_path / "net" / "tcp").write_text(head + line.format(state))
        assert owner(*ends, proc=tmp_path) == expected
