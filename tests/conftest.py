"""What every test shares: when the kernel may be touched, and how hard hypothesis tries."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from hypothesis import settings

# Shared cores make single examples slow now and then; that says nothing about the code.
settings.register_profile("oddcall", deadline=None)
settings.load_profile("oddcall")

# Bits of the effective capabilities (capabilities(7)).
CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF = 21, 38, 39


def may_load_programs() -> bool:
    """Whether this process may load and attach a BPF program."""
    status = Path("/proc/self/status").read_text()
    held = int(status.split("CapEff:")[1].split()[0], 16)
    return bool(held >> CAP_SYS_ADMIN & 1 or (held >> CAP_BPF & 1 and held >> CAP_PERFMON & 1))


def pytest_configure() -> None:
    """Take Ctrl-C for what it is: a job put into the background by a script ignores it.

    What is ignored stays ignored in every process that the tests start; a handler does not.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs the kernel only for want of privilege: any other lack is a failure."""
    if may_load_programs():
        return
    skip = pytest.mark.skip(reason="may not load programs into the kernel: run as root")
    for item in items:
        if item.get_closest_marker("kernel"):
            item.add_marker(skip)
