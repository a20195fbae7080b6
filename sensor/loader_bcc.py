"""Loader ``bcc``: compiles on the host at start, with the distribution's BCC, without headers."""

from __future__ import annotations

import os
import platform
import re
from typing import ClassVar

from oddcall.models.transitions import SEED
from oddcall.sensor import bytecode
from oddcall.sensor.btf import kernel_layout
from oddcall.sensor.compile_bcc import Request, compile_apart
from oddcall.sensor.loader import HOOKS, HOT_HOOK, MAPS, URING_HOOK


class BccLoader:
    """See `oddcall.sensor.loader.Loader`."""

    name: ClassVar[str] = "bcc"
    #: Further flags for the compiler; the benchmark leaves parts of the program out by them.
    flags: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        self._descriptors: dict[str, int] = {}
        self._links: list[int] = []

    def load(self, slots: int, threads: int, uring_tracepoint: str) -> None:
        """Compile the program and load every function of it."""
        layout = kernel_layout(platform.machine())
        flags = [
            f"-DLINUX_VERSION_CODE={_version_code()}",
            f"-DOC_SLOTS={slots}",
            f"-DOC_THREADS={threads}",
            f"-DOC_SEED={SEED}",
            *(f"-D{macro}={value}" for macro, value in layout.offsets.items()),
            *([] if uring_tracepoint else ["-DOC_NO_URING"]),
            *self.flags,
        ]
        functions = set(HOOKS.values()) - {HOT_HOOK} | ({URING_HOOK} if uring_tracepoint else set())
        typed = {HOT_HOOK: layout.sys_exit_type}
        self._descriptors = compile_apart(Request(flags, list(MAPS), sorted(functions), typed))

    def attach(self, tracepoint: str, function: str) -> None:
        """Run one function of the program at a raw tracepoint from now on."""
        # A typed program knows its tracepoint.
        where = "" if function == HOT_HOOK else tracepoint
        self._links.append(bytecode.attach(self._descriptors[function], where))

    def map_fd(self, name: str) -> int:
        """Descriptor of a map."""
        return self._descriptors[name]

    def program_fd(self, function: str) -> int:
        """Descriptor of a function of the program."""
        return self._descriptors[function]

    def close(self) -> None:
        """Detach and unload."""
        for descriptor in [*self._links, *self._descriptors.values()]:
            os.close(descriptor)
        self._links.clear()
        self._descriptors.clear()


def _version_code() -> int:
    numbers = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", platform.release())
    major, minor, patch = (int(n or 0) for n in numbers.groups()) if numbers else (5, 8, 0)
    return (major << 16) + (minor << 8) + min(patch, 255)
