"""Loader ``core``: an object compiled ahead of time, moved to this kernel's layout by libbpf."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
from importlib import resources
from typing import ClassVar

from oddcall.models.errors import KernelError
from oddcall.sensor.libbpf import libbpf
from oddcall.sensor.loader import HOT_HOOK, URING_HOOK

#: Maps that grow with the number of slots, and how many entries each has a slot.
_SIZED = {"heads": 1, "counts": 1, "touched": 1, "free_slots": 1, "slot_of": 2}
#: What the object is compiled from; it carries the hash of these files joined, in this order.
_SOURCES = ("oddcall.core.c", "core.h", "oddcall.h", "kernel.h", "oddcall.c")
_MAX_ERRNO = 4095


class CoreLoader:
    """See `oddcall.sensor.loader.Loader`."""

    name: ClassVar[str] = "core"

    def __init__(self) -> None:
        self._object: int | None = None
        self._links: list[int] = []

    def load(self, slots: int, threads: int, uring_tracepoint: str) -> None:
        """Open the object that was built for this architecture, size its maps, load it."""
        lib, path = libbpf(), _object_path()
        ctypes.set_errno(0)
        self._object = _checked(lib.bpf_object__open_file(path.encode(), None), "open its object")
        for name, entries in _SIZED.items():
            lib.bpf_map__set_max_entries(self._map(name), slots * entries)
        lib.bpf_map__set_max_entries(self._map("threads"), threads)
        mask = ctypes.c_uint32(threads - 1)
        refused = lib.bpf_map__set_initial_value(self._map(".rodata"), ctypes.byref(mask), 4)
        if refused:
            raise _refused("set the size of its table of threads", -refused)
        if not uring_tracepoint:
            lib.bpf_program__set_autoload(self._program(URING_HOOK), False)
        failed = lib.bpf_object__load(self._object)
        if failed:
            raise _refused("load its object", -failed)

    def attach(self, tracepoint: str, function: str) -> None:
        """Run one function of the program at a raw tracepoint from now on."""
        lib, program = libbpf(), self._program(function)
        if function == HOT_HOOK:
            link = lib.bpf_program__attach(program)  # typed: its section names the tracepoint
        else:
            link = lib.bpf_program__attach_raw_tracepoint(program, tracepoint.encode())
        self._links.append(_checked(link, f"attach to the raw tracepoint {tracepoint}"))

    def map_fd(self, name: str) -> int:
        """Descriptor of a map."""
        return int(libbpf().bpf_map__fd(self._map(name)))

    def program_fd(self, function: str) -> int:
        """Descriptor of a function of the program."""
        return int(libbpf().bpf_program__fd(self._program(function)))

    def close(self) -> None:
        """Detach and unload."""
        while self._links:
            libbpf().bpf_link__destroy(self._links.pop())
        if self._object is not None:
            libbpf().bpf_object__close(self._object)
            self._object = None

    def _map(self, name: str) -> int:
        return int(libbpf().bpf_object__find_map_by_name(self._object, name.encode()))

    def _program(self, function: str) -> int:
        return int(libbpf().bpf_object__find_program_by_name(self._object, function.encode()))


def _object_path() -> str:
    """Find the object, and see that it was compiled from the sources that lie beside it."""
    folder = resources.files("oddcall.bpf")
    path = folder.joinpath(f"oddcall.{platform.machine()}.o")
    got = "no such file: this installation was made without clang"
    if path.is_file():
        sources = b"".join(folder.joinpath(name).read_bytes() for name in _SOURCES)
        if hashlib.sha256(sources).hexdigest().encode() in path.read_bytes():
            return str(path)
        got = "one compiled from other sources than this version's"
    raise KernelError(
        "the loader core has nothing to load",
        expected=str(path),
        got=got,
        fix="Type: apt-get install clang libbpf-dev, then install oddcall again.",
    )


def _checked(pointer: int | None, what: str) -> int:
    """Give back a pointer of libbpf, or say why there is none."""
    if not pointer or pointer > 2**64 - _MAX_ERRNO:
        raise _refused(what, ctypes.get_errno())
    return pointer


def _refused(what: str, errno: int) -> KernelError:
    return KernelError(
        f"the loader core cannot {what}",
        expected="a kernel of 5.11 or later with BTF",
        got=os.strerror(errno),
        fix="Try the other loader: --loader bcc",
    )
