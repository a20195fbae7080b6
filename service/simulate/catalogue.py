"""Every simulated behaviour, by name."""

from __future__ import annotations

import difflib

from oddcall.models.errors import SettingError
from oddcall.service.simulate import (
    credentials,
    discovery,
    evasion,
    files,
    impact,
    kernel,
    memory,
    network,
    persistence,
    privilege,
    shells,
    transfer,
    uring,
)
from oddcall.service.simulate.behaviour import Behaviour

_BEHAVIOURS = (
    shells.SHELL_ON_SOCKET,
    discovery.DISCOVERY_TOOLS,
    persistence.CRON_JOB,
    persistence.AUTOSTART_UNIT,
    kernel.MODULE_LOAD,
    kernel.SETUID_CALLS,
    kernel.NAMESPACE_HOP,
    privilege.CAPABILITIES,
    privilege.MOUNT_ATTEMPTS,
    privilege.HEAP_SPRAY,
    memory.MEMFD_EXEC,
    memory.PTRACE_CHILD,
    uring.URING_READS,
    kernel.COMPAT_CALLS,
    evasion.UNPACK,
    evasion.TIMESTOMP,
    evasion.LOG_CUT,
    evasion.BPF_CALLS,
    memory.MEMORY_SCAN,
    credentials.PROCESS_MEMORY,
    credentials.CREDENTIAL_FILES,
    credentials.KEYRING_SEARCH,
    network.PACKET_SOCKET,
    network.PORT_SCAN,
    files.FAILING_OPENS,
    discovery.PROCESS_WALK,
    discovery.HOST_FACTS,
    discovery.INTERFACES,
    transfer.SSH_LOGINS,
    credentials.PAGE_THEFT,
    transfer.ARCHIVE,
    transfer.DNS_TUNNEL,
    transfer.SENDFILE_OUT,
    transfer.SPLICE_OUT,
    files.BULK_REWRITE,
    files.BULK_DELETE,
    kernel.YIELD_LOOP,
    impact.FORK_FLOOD,
    impact.SERVICE_STOP,
)


def behaviours() -> tuple[Behaviour, ...]:
    """Every behaviour, in the order of ATT&CK's tactics."""
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
