"""The few calls of libbpf that we make ourselves, with their types. libbcc depends on it."""

from __future__ import annotations

import ctypes
import functools

from oddcall.models.errors import KernelError

NAME = "libbpf.so.1"
_P, _S, _U, _I = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_int

#: Result and arguments of each call (``bpf/libbpf.h``, ``bpf/btf.h`` and ``bpf/bpf.h`` of 1.0).
_CALLS: dict[str, tuple[object, tuple[object, ...]]] = {
    "libbpf_set_print": (_P, (_P,)),
    "btf__load_vmlinux_btf": (_P, ()),
    "btf__free": (None, (_P,)),
    "btf__find_by_name_kind": (_I, (_P, _S, _U)),
    "btf__type_by_id": (_P, (_P, _U)),
    "btf__name_by_offset": (_S, (_P, _U)),
    "bpf_map_update_elem": (_I, (_I, _P, _P, ctypes.c_uint64)),
    "bpf_prog_load": (_I, (_I, _S, _S, _P, ctypes.c_size_t, _P)),
    "bpf_raw_tracepoint_open": (_I, (_S, _I)),
    "bpf_map_get_fd_by_id": (_I, (_U,)),
    "bpf_enable_stats": (_I, (_I,)),
    "bpf_prog_get_next_id": (_I, (_U, _P)),
    "bpf_prog_get_fd_by_id": (_I, (_U,)),
    "bpf_obj_get_info_by_fd": (_I, (_I, _P, _P)),
    "bpf_object__open_file": (_P, (_S, _P)),
    "bpf_object__load": (_I, (_P,)),
    "bpf_object__close": (None, (_P,)),
    "bpf_object__find_map_by_name": (_P, (_P, _S)),
    "bpf_object__find_program_by_name": (_P, (_P, _S)),
    "bpf_map__set_max_entries": (_I, (_P, _U)),
    "bpf_map__set_initial_value": (_I, (_P, _P, ctypes.c_size_t)),
    "bpf_map__fd": (_I, (_P,)),
    "bpf_program__fd": (_I, (_P,)),
    "bpf_program__set_autoload": (_I, (_P, ctypes.c_bool)),
    "bpf_program__attach_raw_tracepoint": (_P, (_P, _S)),
    "bpf_program__attach": (_P, (_P,)),
    "bpf_link__destroy": (_I, (_P,)),
}


@functools.cache
def libbpf() -> ctypes.CDLL:
    """Load the library once a process, silent: what goes wrong is said by our own errors.

    Raises
    ------
    KernelError
        If it is not installed.
    """
    try:
        lib = ctypes.CDLL(NAME, use_errno=True)
    except OSError as error:
        raise KernelError(
            "the library that talks to the kernel is missing",
            expected=NAME,
            got=str(error),
            fix="Type: apt-get install libbpf1",
        ) from error
    for name, (result, arguments) in _CALLS.items():
        call = getattr(lib, name)
        call.restype, call.argtypes = result, arguments
    lib.libbpf_set_print(None)
    return lib


def push(fd: int, slot: int) -> bool:
    """Put a slot on the kernel's stack of free ones; False if it refuses, as it may when busy."""
    value = ctypes.c_uint32(slot)
    return bool(libbpf().bpf_map_update_elem(fd, None, ctypes.byref(value), 0) == 0)
