"""Print our pid and become a 32-bit program, which is written here byte by byte.

It calls getpid exactly N times, forks, waits for its child, and runs /bin/true; to run
/bin/true is also the first thing the child does. Usage: elf32.py N PATH-OF-THE-BINARY
"""

import os
import struct
import sys
from pathlib import Path

BASE = 0x08048000
HEADERS = 52 + 32
CALL = "cd80"  # int 0x80


def code(calls: int, path: int, arguments: int) -> bytes:
    """I386 code; `path` and `arguments` are the addresses that execve is given."""
    count, path_, arguments_ = (n.to_bytes(4, "little").hex() for n in (calls, path, arguments))
    return bytes.fromhex(
        f"be{count}"  # mov esi, calls
        f"b814000000 {CALL} 4e 75f6"  # mov eax, 20 (getpid); call; dec esi; jnz -10
        f"b802000000 {CALL} 85c0 740d"  # mov eax, 2 (fork); call; test eax, eax; jz +13
        f"89c3 31c9 31d2 b807000000 {CALL}"  # waitpid(eax, 0, 0), number 7
        f"b80b000000 bb{path_} b9{arguments_} 31d2 {CALL}"  # execve(path, arguments, 0)
    )


def binary(calls: int) -> bytes:
    """Headers of a static ELF file of one segment, the code, and the words it points to."""
    path = BASE + HEADERS + len(code(0, 0, 0))
    text = b"/bin/true\0\0\0"
    arguments = path + len(text)
    body = code(calls, path, arguments) + text + struct.pack("<2I", path, 0)
    size = HEADERS + len(body)
    # 32 bits, little-endian, executable, i386; then where the program header is, and one of it.
    header = b"\x7fELF\x01\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIIIIIHHHHHH", 2, 3, 1, BASE + HEADERS, 52, 0, 0, 52, 32, 1, 0, 0, 0
    )
    # Load it all, to be read and run.
    segment = struct.pack("<8I", 1, 0, BASE, BASE, size, size, 5, 4096)
    return header + segment + body


file = Path(sys.argv[2])
file.write_bytes(binary(int(sys.argv[1])))
file.chmod(0o755)
print(os.getpid(), flush=True)
os.execv(file, [str(file)])
