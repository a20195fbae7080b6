"""The program in the kernel, from attach to detach, by whichever loader works."""

from __future__ import annotations

import functools
import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from oddcall.models.errors import KernelError, PrivilegeError, SettingError
from oddcall.sensor.btf import kernel_layout
from oddcall.sensor.layout import COUNT_WIDTH, HEAD, HEADER
from oddcall.sensor.libbpf import push
from oddcall.sensor.loader import HOOKS, URING_HOOK, Loader
from oddcall.sensor.loader_bcc import BccLoader
from oddcall.sensor.loader_core import CoreLoader
from oddcall.sensor.maps import Maps, view

#: In the order in which ``auto`` tries them.
LOADERS: dict[str, type[Loader]] = {"bcc": BccLoader, "core": CoreLoader}


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How much the kernel side may hold.

    Parameters
    ----------
    slots : int, default 8192
        Processes counted at once, and 10.5 KB of kernel memory each.
    loader : {"auto", "bcc", "core"}, default "auto"
        ``auto`` takes the first that works, in that order.
    """

    slots: int = 8192
    loader: str = "auto"

    def __post_init__(self) -> None:
        if self.loader != "auto" and self.loader not in LOADERS:
            raise SettingError(
                "the loader is unknown",
                expected=f"auto, {' or '.join(LOADERS)}",
                got=repr(self.loader),
            )


class Probe:
    """A context manager that counts while it is entered.

    Parameters
    ----------
    settings : ProbeSettings, optional
    loaders : dict of str to loader class, default `LOADERS`
        By name, in the order in which ``auto`` tries them.

    Attributes
    ----------
    maps : Maps
    loader : str
        The loader that was taken.
    why : str
        Why that one, in words for people.
    uring_tracepoint : str
        Where io_uring submissions are seen; ``""`` means that they are missed.

    Raises
    ------
    PrivilegeError
        On entering: if this process may not load programs.
    KernelError
        On entering: if the kernel or the loaders lack something, in words that say what.
    """

    def __init__(
        self,
        settings: ProbeSettings | None = None,
        loaders: Mapping[str, type[Loader]] = LOADERS,
    ) -> None:
        self.settings = settings or ProbeSettings()
        self._loaders = loaders
        self.loader = self.why = self.uring_tracepoint = ""
        self.maps: Maps
        self._loader: Loader | None = None

    def __enter__(self) -> Self:
        require_privilege()
        self.uring_tracepoint = kernel_layout(platform.machine()).uring_tracepoint
        asked = self.settings.loader
        refusals: list[str] = []
        for name in self._loaders if asked == "auto" else [asked]:
            try:
                self._start(self._loaders[name]())
            except KernelError as error:
                self.close()
                if asked != "auto":
                    raise
                refusals.append(f"{name}: {error.what}; got {error.got}")
            else:
                self.loader = name
                self.why = "as asked" if asked != "auto" else "; ".join(refusals) or "the default"
                return self
        raise KernelError(
            "no loader can put the program into the kernel",
            expected=" or ".join(self._loaders),
            got="; ".join(refusals),
            fix="Type: oddcall doctor",
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Detach and unload. Safe to call twice; the maps hold their last values."""
        if self._loader is not None:
            self._loader.close()
            self._loader = None

    def _start(self, loader: Loader) -> None:
        self._loader = loader
        loader.load(self.settings.slots, self.uring_tracepoint)
        self.maps = _map_views(loader, self.settings.slots)
        # Pushed from the top down, so that low slots are taken first and memory stays compact.
        for slot in range(self.settings.slots - 1, HEADER["OC_UNTRACKED"], -1):
            self.maps.free(slot)
        hooks = {self.uring_tracepoint: URING_HOOK} if self.uring_tracepoint else {}
        for tracepoint, function in (hooks | HOOKS).items():
            loader.attach(tracepoint, function)


def _map_views(loader: Loader, slots: int) -> Maps:
    row, word = np.dtype((np.uint32, (COUNT_WIDTH,))), np.dtype(np.uint64)
    maps = Maps(
        heads=view(loader.map_fd("heads"), slots, HEAD),
        counts=view(loader.map_fd("counts"), slots, row),
        touched=view(loader.map_fd("touched"), slots, word),
        epoch=view(loader.map_fd("epoch"), 1, word, writable=True),
        tally=view(loader.map_fd("tally"), HEADER["OC_TALLIES"], word),
        free=functools.partial(push, loader.map_fd("free_slots")),
    )
    # Two behind zero, so that a slot never touched looks old.
    maps.epoch[0] = 2
    return maps


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
