"""The program in the kernel, from attach to detach, by whichever loader works."""

from __future__ import annotations

import functools
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from oddcall.models.errors import KernelError, SettingError
from oddcall.sensor.btf import kernel_layout
from oddcall.sensor.layout import HEAD, HEADER
from oddcall.sensor.libbpf import push
from oddcall.sensor.loader import HOOKS, URING_HOOK, Loader
from oddcall.sensor.loader_bcc import BccLoader
from oddcall.sensor.loader_core import CoreLoader
from oddcall.sensor.maps import MappedRows, Maps, first_control, view
from oddcall.sensor.privilege import require_privilege
from oddcall.sensor.skipped import skipped

#: In the order in which ``auto`` tries them.
LOADERS: dict[str, type[Loader]] = {"bcc": BccLoader, "core": CoreLoader}


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """How much the kernel side may hold.

    Parameters
    ----------
    slots : int, default 8192
        Processes counted at once, and 11.2 KB of kernel memory each.
    threads : int, optional
        Threads whose last call is remembered, a power of two, 8 bytes of kernel memory each.
        By default one for every id that the kernel gives (``kernel.pid_max``). With fewer,
        threads whose ids are equal modulo it displace each other: no call is lost, but the
        transition from the one before it is, and that is counted.
    simulate_loss : float, default 0.0
        Share of all process ids, from 0 to 1, that get no slot: to see what loss looks like.
    loader : {"auto", "bcc", "core"}, default "auto"
        ``auto`` takes the first that works, in that order.
    """

    slots: int = 8192
    threads: int | None = None
    simulate_loss: float = 0.0
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
    programs : list of int
        Descriptor of every function of the program, while it is loaded.
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
        self.programs: list[int] = []
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

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Detach and unload. Safe to call twice; the maps hold their last values."""
        if self._loader is not None:
            self._loader.close()
            self._loader = None

    def _start(self, loader: Loader) -> None:
        self._loader = loader
        settings = self.settings
        loader.load(settings.slots, settings.threads or _most_threads(), self.uring_tracepoint)
        hooks = HOOKS | ({self.uring_tracepoint: URING_HOOK} if self.uring_tracepoint else {})
        self.programs = [loader.program_fd(name) for name in hooks.values()]
        self.maps = _map_views(loader, settings.slots, self.programs)
        self.maps.control[HEADER["OC_WITHHELD"]] = round(settings.simulate_loss * 2**32)
        # Pushed from the top down, so that low slots are taken first and memory stays compact.
        for slot in range(settings.slots - 1, HEADER["OC_UNTRACKED"], -1):
            self.maps.free(slot)
        for tracepoint, function in hooks.items():
            loader.attach(tracepoint, function)


def _most_threads() -> int:
    """Past the highest thread id there can be, as a power of two."""
    past = int(Path("/proc/sys/kernel/pid_max").read_text())
    return 1 << (past - 1).bit_length()


def _map_views(loader: Loader, slots: int, programs: list[int]) -> Maps:
    word = np.dtype(np.uint64)
    maps = Maps(
        heads=view(loader.map_fd("heads"), slots, HEAD),
        counts=MappedRows(loader.map_fd("counts"), slots),
        touched=view(loader.map_fd("touched"), slots, word),
        control=view(loader.map_fd("control"), HEADER["OC_CONTROLS"], word, writable=True),
        tally=view(loader.map_fd("tally"), HEADER["OC_TALLIES"], word),
        free=functools.partial(push, loader.map_fd("free_slots")),
        skipped=functools.partial(skipped, programs),
    )
    maps.control[:] = first_control()
    return maps
