"""The measured loops: a call, or a short process, and nothing else, in machine instructions.

No compiler is needed to run it, and no interpreter stands between two calls.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
from collections.abc import Callable

from oddcall.models.errors import KernelError

#: Machine code of ``void loop(uint32_t times)``, by what it repeats; `times` is more than 0.
CODE: dict[str, dict[str, bytes]] = {
    "getppid": {
        "x86_64": bytes.fromhex(
            "53"  # push rbx
            "89fb"  # mov ebx, edi
            "b86e000000"  # again: mov eax, 110 (getppid)
            "0f05"  # syscall
            "ffcb"  # dec ebx
            "75f5"  # jnz again
            "5b"  # pop rbx
            "c3"  # ret
        ),
        "aarch64": bytes.fromhex(
            "e103002a"  # mov w1, w0
            "a81580d2"  # mov x8, 173 (getppid)
            "010000d4"  # again: svc 0
            "21040071"  # subs w1, w1, 1
            "c1ffff54"  # b.ne again
            "c0035fd6"  # ret
        ),
    },
    # A child on the parent's stack, which it does not touch: it ends at once.
    "fork": {
        "x86_64": bytes.fromhex(
            "53"  # push rbx
            "89fb"  # mov ebx, edi
            "b83a000000"  # again: mov eax, 58 (vfork)
            "0f05"  # syscall
            "85c0"  # test eax, eax
            "7509"  # jnz parent
            "31ff"  # xor edi, edi
            "b83c000000"  # mov eax, 60 (exit)
            "0f05"  # syscall
            "89c7"  # parent: mov edi, eax
            "31f6"  # xor esi, esi
            "31d2"  # xor edx, edx
            "4531d2"  # xor r10d, r10d
            "b83d000000"  # mov eax, 61 (wait4)
            "0f05"  # syscall
            "ffcb"  # dec ebx
            "75d8"  # jnz again
            "5b"  # pop rbx
            "c3"  # ret
        ),
        "aarch64": bytes.fromhex(
            "e903002a"  # mov w9, w0
            "202288d2"  # again: mov x0, 0x4111 (CLONE_VM, CLONE_VFORK, SIGCHLD)
            "010080d2"  # mov x1, 0
            "020080d2"  # mov x2, 0
            "030080d2"  # mov x3, 0
            "040080d2"  # mov x4, 0
            "881b80d2"  # mov x8, 220 (clone)
            "010000d4"  # svc 0
            "600000b5"  # cbnz x0, parent
            "a80b80d2"  # mov x8, 93 (exit)
            "010000d4"  # svc 0
            "010080d2"  # parent: mov x1, 0
            "020080d2"  # mov x2, 0
            "030080d2"  # mov x3, 0
            "882080d2"  # mov x8, 260 (wait4)
            "010000d4"  # svc 0
            "29050071"  # subs w9, w9, 1
            "01feff54"  # b.ne again
            "c0035fd6"  # ret
        ),
    },
}


def native_loop(repeated: str, arch: str = "") -> Callable[[int], None]:
    """Give a function that does it that many times; other threads run meanwhile.

    Parameters
    ----------
    repeated : {"getppid", "fork"}
        A call, or a child process that ends at once and is waited for.
    arch : str, default that of this machine

    Raises
    ------
    KernelError
        On an architecture for which there is no code.
    """
    code = CODE[repeated].get(arch or platform.machine())
    if code is None:
        raise KernelError(
            "the benchmark cannot run on this architecture",
            expected=" or ".join(CODE[repeated]),
            got=arch or platform.machine(),
        )
    # Through a file, not a page that is both written and run: the kernel then sees to the
    # instruction cache, and hardened systems forbid the other.
    file = os.memfd_create("measured-loop")
    os.write(file, code)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    at = libc.mmap(
        None,
        ctypes.c_size_t(mmap.PAGESIZE),
        mmap.PROT_READ | mmap.PROT_EXEC,
        mmap.MAP_PRIVATE,
        file,
        ctypes.c_long(0),
    )
    os.close(file)
    if at == ctypes.c_void_p(-1).value:
        reason = os.strerror(ctypes.get_errno())
        raise KernelError("the benchmark may not run code of its own", got=reason)
    return ctypes.CFUNCTYPE(None, ctypes.c_uint32)(at)
