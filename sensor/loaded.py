"""Programs that the kernel holds, whoever loaded them, with the maps of each."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oddcall.sensor.libbpf import libbpf

#: More maps than a program of ours has.
_MOST_MAPS = 64


class _Program(ctypes.Structure):
    # The head of struct bpf_prog_info, include/uapi/linux/bpf.h.
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("between", ctypes.c_uint8 * 44),
        ("maps", ctypes.c_uint32),
        ("map_ids", ctypes.c_uint64),
        ("name", ctypes.c_char * 16),
    )


class _Map(ctypes.Structure):
    # The head of struct bpf_map_info.
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("name", ctypes.c_char * 16),
    )


@dataclass(frozen=True, slots=True)
class LoadedProgram:
    """One program.

    Attributes
    ----------
    id : int
    name : str
    type : int
        Of ``enum bpf_prog_type``.
    map_ids : tuple of int
    """

    id: int
    name: str
    type: int
    map_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OpenMap:
    """One map: its descriptor, how many entries it has, and how many bytes each."""

    fd: int
    entries: int
    value_size: int


def programs() -> Iterator[LoadedProgram]:
    """List every program there is; none for who may not look (CAP_SYS_ADMIN)."""
    lib, following = libbpf(), ctypes.c_uint32()
    while lib.bpf_prog_get_next_id(following.value, ctypes.byref(following)) == 0:
        fd = lib.bpf_prog_get_fd_by_id(following)
        if fd < 0:  # gone since
            continue
        ids = (ctypes.c_uint32 * _MOST_MAPS)()
        found = _described(fd, _Program(maps=_MOST_MAPS, map_ids=ctypes.addressof(ids)))
        os.close(fd)
        if found is not None:
            yield LoadedProgram(found.id, found.name.decode(), found.type, tuple(ids[: found.maps]))


def holder(program: LoadedProgram, proc: Path = Path("/proc")) -> int | None:
    """Process that holds a program by a descriptor of it or of its link; None when none is seen.

    ``proc`` is read by number of process: of several holders the oldest is likely the one.
    """
    said = f"prog_id:\t{program.id}\n"
    for place in sorted(proc.glob("[0-9]*"), key=lambda place: int(place.name)):
        try:
            if any(said in fd.read_text() for fd in (place / "fdinfo").iterdir()):
                return int(place.name)
        except OSError:  # ended meanwhile, or not ours to look at
            continue
    return None


@contextmanager
def maps_of(program: LoadedProgram) -> Iterator[dict[str, OpenMap]]:
    """Open the maps of a program for as long as the block lasts, by name."""
    opened: dict[str, OpenMap] = {}
    try:
        for number in program.map_ids:
            fd = libbpf().bpf_map_get_fd_by_id(number)
            found = _described(fd, _Map()) if fd >= 0 else None
            if found is not None:
                opened[found.name.decode()] = OpenMap(fd, found.max_entries, found.value_size)
        yield opened
    finally:
        for one in opened.values():
            os.close(one.fd)


def _described(fd: int, info: Any) -> Any | None:  # noqa: ANN401  whichever structure was given
    size = ctypes.c_uint32(ctypes.sizeof(info))
    failed = libbpf().bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size))
    return None if failed else info
