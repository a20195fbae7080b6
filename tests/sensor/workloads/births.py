"""Bring forth N processes by HOW, each of which makes exactly 23 getuid calls and ends.

Usage: births.py vfork|clone3 N
"""

import ctypes
import os
import signal
import struct
import sys
from collections.abc import Callable

from machine import function

CLONE3, EXIT, GETUID = 435, 60, 102
libc = ctypes.CDLL(None)


def vfork() -> Callable[[], int]:
    """The child shares our memory until it ends: it may touch nothing but its registers."""
    return function(
        "b83a000000 0f05"  # mov eax, 58 (vfork); syscall
        "85c0 7401 c3"  # test eax, eax; jz +1; ret
        "41bc17000000"  # mov r12d, 23
        "b866000000 0f05"  # mov eax, 102 (getuid); syscall
        "41ffcc 75f4"  # dec r12d; jnz -12
        "b83c000000 31ff 0f05"  # mov eax, 60 (exit); xor edi, edi; syscall
    )


def clone3() -> int:
    arguments = struct.pack("<11Q", 0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
    child = libc.syscall(CLONE3, arguments, len(arguments))
    if not child:
        for _ in range(23):
            libc.syscall(GETUID)
        libc.syscall(EXIT, 0)
    return int(child)


bear = vfork() if sys.argv[1] == "vfork" else clone3
for _ in range(int(sys.argv[2])):
    os.waitpid(bear(), 0)
print(os.getpid())
