"""Load the program into the kernel, attach it, and hand out its maps. Only this room knows BCC."""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import re
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

import numpy as np

from oddcall.models.errors import KernelError, PrivilegeError
from oddcall.models.transitions import SEED
from oddcall.sensor.btf import kernel_layout
from oddcall.sensor.layout import COUNT_WIDTH, HEAD, HEADER
from oddcall.sensor.maps import Maps, view

#: Where distributions put the bindings. PyPI's ``bcc`` is another project altogether.
BINDINGS = Path("/usr/lib/python3/dist-packages")

#: Function of the program for each raw tracepoint; io_uring's depends on the kernel.
HOOKS = {
    "sys_exit": "on_sys_exit",
    "sched_process_fork": "on_fork",
    "sched_process_exec": "on_exec",
    "sched_process_exit": "on_exit",
}
#: Words of the table of threads: threads whose ids are equal modulo this displace each other.
THREADS = 65536


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How much the kernel side may hold.

    Parameters
    ----------
    slots : int, default 8192
        Processes counted at once, and 10.5 KB of kernel memory each.
    loader : {"auto", "bcc"}, default "auto"
    """

    slots: int = 8192
    loader: str = "auto"


@functools.cache
def import_bcc() -> ModuleType:
    """Import the distribution's BCC bindings into whatever interpreter this is.

    Raises
    ------
    KernelError
        If they are not installed, or another package of that name is in the way.
    """
    # Last on the path: that folder holds old versions of packages the environment has too.
    if BINDINGS.is_dir() and str(BINDINGS) not in sys.path:
        sys.path.append(str(BINDINGS))
    missing = KernelError(
        "the BCC bindings cannot be imported",
        expected="the distribution's python3-bpfcc",
        got="no module named bcc",
        fix="Type: apt-get install python3-bpfcc",
    )
    try:
        import bcc
    except ImportError as error:
        missing.got = str(error)
        raise missing from error
    if not hasattr(bcc, "BPF"):
        raise KernelError(
            "another package named bcc is in the way",
            expected=f"the distribution's python3-bpfcc in {BINDINGS}",
            got=str(bcc.__file__),
            fix="Type: pip uninstall bcc",
        )
    module: ModuleType = bcc
    return module


class Probe:
    """The program in the kernel, from attach to detach. A context manager.

    Parameters
    ----------
    settings : ProbeSettings

    Attributes
    ----------
    maps : Maps
    loader : str
        The loader that was taken.
    uring_tracepoint : str
        Where io_uring submissions are seen; ``""`` means that they are missed.

    Raises
    ------
    PrivilegeError
        If this process may not load programs.
    KernelError
        If the kernel or BCC lacks something, in words that say what.
    """

    def __init__(self, settings: ProbeSettings | None = None) -> None:
        self.settings = settings or ProbeSettings()
        self.loader = "bcc"
        self.uring_tracepoint = ""
        self.maps: Maps
        self._bpf: Any = None

    def __enter__(self) -> Self:
        require_privilege()
        bcc = import_bcc()
        layout = kernel_layout(platform.machine())
        self.uring_tracepoint = layout.uring_tracepoint
        try:
            self._bpf = self._compile(bcc, layout.offsets)
            self._fill_free_slots(bcc)
            self.maps = self._map_views(bcc)
            self._attach()
        except KernelError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise KernelError(
                "the program cannot be loaded into the kernel",
                expected="a kernel of 5.8 or later with eBPF and raw tracepoints",
                got=str(error)[:200],
                fix="Type: oddcall doctor",
            ) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Detach and unload. Safe to call twice; the maps must not be read afterwards."""
        if self._bpf is not None:
            self._bpf.cleanup()
            self._bpf = None

    def _compile(self, bcc: ModuleType, offsets: dict[str, int]) -> Any:  # noqa: ANN401 - BCC has no types
        source = resources.files("oddcall.bpf")
        flags = [
            f"-I{source}",
            f"-DLINUX_VERSION_CODE={_version_code()}",
            f"-DOC_SLOTS={self.settings.slots}",
            f"-DOC_THREADS={THREADS}",
            f"-DOC_SEED={SEED}",
            "-Wno-macro-redefined",
            *(f"-D{macro}={value}" for macro, value in offsets.items()),
            *([] if self.uring_tracepoint else ["-DOC_NO_URING"]),
        ]
        # BCC looks for kernel headers here; the stubs are all that the program needs.
        os.environ["BCC_KERNEL_SOURCE"] = str(source.joinpath("stubs"))
        text = source.joinpath("oddcall.bcc.c").read_text()
        # Bytes, here and below, but for the flags: BCC warns of anything else.
        return bcc.BPF(text=text.encode(), cflags=flags)

    def _attach(self) -> None:
        hooks = dict(HOOKS)
        if self.uring_tracepoint:
            hooks[self.uring_tracepoint] = "on_uring"
        # Life first: a process that is counted must not be able to end unseen.
        for tracepoint in sorted(hooks, key=lambda name: name == "sys_exit"):
            self._bpf.attach_raw_tracepoint(
                tp=tracepoint.encode(), fn_name=hooks[tracepoint].encode()
            )

    def _fd(self, name: str) -> int:
        return int(self._bpf[name.encode()].map_fd)

    def _fill_free_slots(self, bcc: ModuleType) -> None:
        fd, lib = self._fd("free_slots"), bcc.libbcc.lib
        # Pushed from the top down, so that low slots are taken first and memory stays compact.
        for slot in range(self.settings.slots - 1, HEADER["OC_UNTRACKED"], -1):
            _push(lib, fd, slot)

    def _map_views(self, bcc: ModuleType) -> Maps:
        slots, fd, lib = self.settings.slots, self._fd, bcc.libbcc.lib
        free_fd = fd("free_slots")
        row = np.dtype((np.uint32, (COUNT_WIDTH,)))
        word = np.dtype(np.uint64)
        maps = Maps(
            heads=view(fd("heads"), slots, HEAD),
            counts=view(fd("counts"), slots, row),
            touched=view(fd("touched"), slots, word),
            epoch=view(fd("epoch"), 1, word, writable=True),
            tally=view(fd("tally"), HEADER["OC_TALLIES"], word),
            free=functools.partial(_push, lib, free_fd),
        )
        # Two behind zero, so that a slot never touched looks old.
        maps.epoch[0] = 2
        return maps


def _push(lib: Any, fd: int, slot: int) -> None:  # noqa: ANN401 - a ctypes library
    value = ctypes.c_uint32(slot)
    lib.bpf_update_elem(fd, None, ctypes.byref(value), 0)


def _version_code() -> int:
    numbers = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", platform.release())
    major, minor, patch = (int(n or 0) for n in numbers.groups()) if numbers else (5, 8, 0)
    return (major << 16) + (minor << 8) + min(patch, 255)


def require_privilege() -> None:
    """Say at once if this process may not load programs (CAP_BPF and CAP_PERFMON, or root).

    Raises
    ------
    PrivilegeError
    """
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^CapEff:\s*([0-9a-f]+)", status, flags=re.MULTILINE)
    effective = int(found.group(1), 16) if found else 0
    cap_sys_admin, cap_perfmon, cap_bpf = 1 << 21, 1 << 38, 1 << 39
    if effective & cap_sys_admin or (effective & cap_bpf and effective & cap_perfmon):
        return
    raise PrivilegeError(
        "this user may not load programs into the kernel",
        expected="root, or the capabilities CAP_BPF and CAP_PERFMON",
        got=f"user id {os.geteuid()} with neither",
        fix="Run the command again with sudo.",
    )
