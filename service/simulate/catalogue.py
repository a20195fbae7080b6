"""Every simulated behaviour, by name; those of a file of one's own can join them."""

from __future__ import annotations

import difflib
import runpy
from functools import cache
from itertools import chain
from pathlib import Path

from oddcall.models import calls
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


#: Files that were included, and what they hold, for as long as this process lives.
_included: dict[Path, tuple[Behaviour, ...]] = {}


def behaviours() -> tuple[Behaviour, ...]:
    """Every behaviour, in the order of ATT&CK's tactics; those of included files come last."""
    return _BEHAVIOURS + own()


def own() -> tuple[Behaviour, ...]:
    """Those of included files."""
    return tuple(one for found in _included.values() for one in found)


def include(*paths: Path) -> None:
    """Let the behaviours of Python files join, here and in processes that simulate starts.

    Each file is run, once. It gives ``BEHAVIOURS``, a sequence of `Behaviour`.

    Raises
    ------
    SettingError
        When one cannot be run, gives no behaviours, or one of a name that is taken.
    """
    for path in map(Path.resolve, paths):
        if path not in _included:
            _included[path] = _joining(path)


def _joining(path: Path) -> tuple[Behaviour, ...]:
    """Read a file whose behaviours have names that are not taken."""
    found = _read(path)
    taken = {behaviour.name for behaviour in behaviours()}
    for behaviour in found:
        for what in ("act", "prepare"):
            if not callable(given := getattr(behaviour, what)):
                raise _unfit(
                    path,
                    f"{_shown(given)} as the {what} of {behaviour.name}, which is to be called",
                )
        named_calls = (behaviour.expects, behaviour.cause)
        for words in named_calls:
            if not _are_names(words):
                raise _unfit(path, f"{words!r} of {behaviour.name} where a tuple of names belongs")
        if behaviour.name in taken:
            raise _unfit(path, f"a second behaviour called {behaviour.name}")
        taken.add(behaviour.name)
        for call in chain(*named_calls):
            if call not in _sayable():
                raise _unfit(
                    path, f"{call!r} of {behaviour.name}, which no call is named{_like(call)}"
                )
    return found


def _are_names(words: object) -> bool:
    """Tell whether these are what is declared: a file of somebody's may have anything."""
    return isinstance(words, tuple) and all(isinstance(word, str) for word in words)


@cache
def _sayable() -> frozenset[str]:
    """Gather what a sentence may name: a misspelt cause would seem never to be named."""
    native = {name for arch in calls.TABLES for name in calls.names(arch)}
    compat = {f"32-bit {name}" for arch in calls.TABLES for name in calls.compat_names(arch)}
    return frozenset(
        {*native, *compat, *(f"io_uring {name}" for name in calls.uring_names()), "processes"}
    )


def _like(call: str) -> str:
    near = difflib.get_close_matches(call, _sayable(), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def file_of(name: str) -> Path | None:
    """Find the included file that a behaviour came from; None for one of ours."""
    files = (p for p, found in _included.items() if name in {one.name for one in found})
    return next(files, None)


def included() -> list[Path]:
    """List the files whose behaviours have joined."""
    return list(_included)


def _read(path: Path) -> tuple[Behaviour, ...]:
    try:
        given = runpy.run_path(str(path)).get("BEHAVIOURS")
    except (Exception, SystemExit) as error:  # whatever a file of somebody's does wrong
        raise _unfit(path, f"{type(error).__name__}: {error}") from error
    if isinstance(given, Behaviour):
        raise _unfit(path, f"the Behaviour {given.name} alone, not a tuple: mind the comma")
    if not isinstance(given, list | tuple) or not given:
        raise _unfit(path, "no BEHAVIOURS" if given is None else _shown(given))
    strange = [one for one in given if not isinstance(one, Behaviour)]
    if strange:
        raise _unfit(path, _shown(strange[0]))
    return tuple(given)


def _shown(given: object) -> str:
    """Write what was given, or its type where all that Python has to show is an address."""
    written = repr(given)
    return f"a {type(given).__name__}" if " at 0x" in written else written


def _unfit(path: Path, got: str) -> SettingError:
    return SettingError(
        f"the behaviours in {path} cannot be used",
        expected="Python that gives BEHAVIOURS, a tuple of Behaviour, each of a name of its own"
        " and of calls that there are",
        got=got,
    )


def named(name: str) -> Behaviour:
    """Find a behaviour.

    Raises
    ------
    SettingError
        If there is none of that name.
    """
    found = {behaviour.name: behaviour for behaviour in behaviours()}
    names = list(found)
    if name not in found:
        meant = difflib.get_close_matches(name, names, n=1)
        near = f"Did you mean {meant[0]}? " if meant else ""
        file = "" if own() else " One of a file of yours needs --from FILE."
        raise SettingError(
            "there is no such behaviour",
            expected="" if near else f"one of {', '.join(names)}",
            got=name,
            fix=f"{near}`oddcall simulate list` shows them all.{file}",
        )
    return found[name]
