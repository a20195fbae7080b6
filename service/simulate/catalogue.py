"""Every simulated behaviour, by name."""

from __future__ import annotations

import difflib

from oddcall.models.errors import SettingError
from oddcall.service.simulate import files, kernel, memory, network, shells, uring
from oddcall.service.simulate.behaviour import Behaviour

_BEHAVIOURS = (
    shells.SHELL_ON_SOCKET,
    network.PORT_SCAN,
    files.BULK_REWRITE,
    memory.PTRACE_CHILD,
    memory.MEMFD_EXEC,
    files.FAILING_OPENS,
    files.BULK_DELETE,
    memory.MEMORY_SCAN,
    network.PACKET_SOCKET,
    kernel.MODULE_LOAD,
    kernel.NAMESPACE_HOP,
    kernel.SETUID_CALLS,
    kernel.COMPAT_CALLS,
    uring.URING_READS,
    kernel.YIELD_LOOP,
)


def behaviours() -> tuple[Behaviour, ...]:
    """Every behaviour, the best known first."""
    return _BEHAVIOURS


def named(name: str) -> Behaviour:
    """Find a behaviour.

    Raises
    ------
    SettingError
        If there is none of that name.
    """
    names = [behaviour.name for behaviour in _BEHAVIOURS]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        raise SettingError(
            "there is no such behaviour",
            expected=f"{near[0]}?" if near else f"one of {', '.join(names)}",
            got=name,
            fix="`oddcall simulate list` shows them all.",
        )
    return _BEHAVIOURS[names.index(name)]
