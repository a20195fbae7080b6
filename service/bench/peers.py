"""Other tools that count system calls, where they are installed. None is needed."""

from __future__ import annotations

import os
import platform
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast

from oddcall.models.errors import KernelError
from oddcall.service.bench.contender import Contender

#: A tool that has not said by now that it counts never will.
_PATIENCE_S = 30.0
#: From what a tool says until what it announced is in force; and for one that says nothing.
_SETTLE_S, _SILENT_S = 0.5, 3.0
#: Run a command where there is a tracefs, which nobody else sees.
_WITH_TRACEFS = (
    *("unshare", "--mount", "--propagation", "private", "sh", "-c"),
    'mount -t tracefs tracefs /sys/kernel/tracing && exec "$0" "$@"',
)


@dataclass(frozen=True, slots=True)
class Peer:
    """How to start a tool, and how it shows that it counts.

    Attributes
    ----------
    name, label
        As in `Contender`.
    programs : sequence of str
        What it may be called, on one distribution and another.
    arguments : sequence of str
        ``{pid}`` stands for the measured processes, with commas between them.
    says : str
        Printed when it counts; ``""`` for a tool that says nothing, which is given a while.
    slow : bool
        As in `Contender`.
    traces : bool
        It looks up tracepoints in tracefs, as no program of ours does.
    """

    name: str
    label: str
    programs: Sequence[str]
    arguments: Sequence[str]
    says: str = ""
    slow: bool = False
    traces: bool = False


_COUNT = "tracepoint:raw_syscalls:sys_enter { @[pid, args->id] = count(); }"
PEERS = (
    Peer(
        "bpftrace",
        "bpftrace: @[pid, call]",
        ["bpftrace"],
        ["-e", _COUNT],
        "Attaching",
        traces=True,
    ),
    Peer(
        "syscount",
        "syscount -P (bcc)",
        ["syscount-bpfcc", "syscount"],
        ["-P", "-i", "3600"],
        "Tracing",
        traces=True,
    ),
    Peer("perf-trace", "perf trace -s -a", ["perf"], ["trace", "-s", "-a"], slow=True, traces=True),
    Peer("strace", "strace -c", ["strace"], ["-c", "-f", "-p", "{pid}"], "attached", slow=True),
)


def peers(pids: Sequence[int]) -> list[Contender]:
    """Build the peers' rows, installed or not, for these measured processes."""
    watched = ",".join(map(str, pids))
    return [_row(peer, watched) for peer in PEERS]


def _row(peer: Peer, pids: str) -> Contender:
    return Contender(peer.name, peer.label, lambda: _running(peer, pids), peer.slow)


@contextmanager
def _running(peer: Peer, pids: str) -> Iterator[None]:
    program = next((found for name in peer.programs if (found := shutil.which(name))), None)
    if program is None:
        raise KernelError("not installed")
    command = [program, *(a.replace("{pid}", pids) for a in peer.arguments)]
    if peer.traces and not Path("/sys/kernel/tracing/events").exists():
        command = [*_WITH_TRACEFS, *command]
    with ExitStack() as held:
        headers = held.enter_context(_kernel_headers())
        process = subprocess.Popen(  # noqa: S603  the tools named above
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | headers | {"PYTHONUNBUFFERED": "1"},
        )
        held.callback(_end, process)
        _await(process, peer.says)
        yield


@contextmanager
def _kernel_headers() -> Iterator[dict[str, str]]:
    """Give BCC's own tool the stubs that we use, where the host has no headers for it."""
    if Path(f"/lib/modules/{platform.release()}/build").exists():
        yield {}
        return
    with TemporaryDirectory() as folder, resources.as_file(resources.files("oddcall.bpf")) as bpf:
        shutil.copytree(bpf / "stubs", folder, dirs_exist_ok=True)
        linux = Path(folder, "include/linux")
        (linux / "sched.h").touch()
        with (linux / "version.h").open("a") as version:
            version.write("#define LINUX_VERSION_CODE KERNEL_VERSION(5, 11, 0)\n")
        yield {"BCC_KERNEL_SOURCE": folder}


def _await(process: subprocess.Popen[bytes], says: str) -> None:
    """Wait until the tool counts.

    Raises
    ------
    KernelError
        With the last thing it said, if it ends or stays silent.
    """
    stream = cast("IO[bytes]", process.stdout)
    output, until = b"", time.monotonic() + _PATIENCE_S
    while says and says.encode() not in output:
        ready, _, _ = select.select([stream], [], [], max(until - time.monotonic(), 0))
        piece = os.read(stream.fileno(), 65536) if ready else b""
        if not piece:
            break
        output += piece
    # One that cannot run ends by itself, and is not waited for.
    with suppress(subprocess.TimeoutExpired):
        process.wait(_SETTLE_S if says else _SILENT_S)
    if process.poll() is not None or says.encode() not in output:
        output += b"" if process.poll() is None else process.communicate()[0]
        lines = output.decode(errors="replace").strip().splitlines()
        telling = [line for line in lines if "rror" in line or "ailed" in line] or lines
        raise KernelError("does not run here", got=telling[-1] if telling else "no word from it")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the tool to end, as Ctrl-C would, and take what it still prints."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
