"""Run a program of an image as a container would: from an overlay in a mount namespace.

The program is a Python interpreter ``python`` in the folder LOWER. Prints its pid and the device
of the mount once it has made N getppid calls, and lives on until a line of input.
Usage: overlaid.py N LOWER ROOT UPPER OPTION. ROOT and UPPER are empty folders; UPPER becomes a
tmpfs. OPTION is one of the mount's, or "samefs" to write to the file system that LOWER is on;
with "readonly" nothing is written to at all.
"""

import ctypes
import os
import sys
import tempfile
from pathlib import Path

CLONE_NEWNS, MS_PRIVATE_REC = 0x00020000, (1 << 18) | (1 << 14)
CODE = """
import os, sys
for _ in range(int(sys.argv[1])):
    os.getppid()
print(os.getpid(), os.stat("/proc/self/exe").st_dev, flush=True)
sys.stdin.readline()
"""

libc = ctypes.CDLL(None, use_errno=True)


def mount(kind: str, at: Path, flags: int, options: str) -> None:
    """Mount, or end with what the kernel said."""
    if libc.mount(kind.encode(), bytes(at), kind.encode(), flags, options.encode()):
        error = ctypes.get_errno()
        sys.exit(f"mounting {kind} with {options}: {os.strerror(error)}")


count, (lower, root, upper), option = sys.argv[1], map(Path, sys.argv[2:5]), sys.argv[5]
if libc.unshare(CLONE_NEWNS):
    sys.exit(os.strerror(ctypes.get_errno()))
libc.mount(None, b"/", None, MS_PRIVATE_REC, None)
mount("tmpfs", upper, 0, "size=1m")
written = Path(tempfile.mkdtemp(dir=lower.parent)) if option == "samefs" else upper
for name in ("files", "work", "empty"):
    (written / name).mkdir()
if option == "readonly":
    options = f"lowerdir={lower}:{written / 'empty'}"
else:
    how = "" if option == "samefs" else f",{option}"
    options = f"lowerdir={lower},upperdir={written / 'files'},workdir={written / 'work'}{how}"
mount("overlay", root, 0, options)
program = str(root / "python")
os.execv(program, [program, "-I", "-S", "-c", CODE, count])
