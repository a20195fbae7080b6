"""Make N getppid calls as the first process of a pid namespace and in another cgroup.

Prints its pid of outside when they are made; it lives on until a line of input.
Usage: namespaced.py N FOLDER, where the folder is the cgroup's.
"""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWPID = 0x20000000

if len(sys.argv) == 3:
    assert ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWPID) == 0
    child = os.fork()
    if not child:
        outside = Path("/proc/self").readlink()  # the /proc mounted here is the host's
        Path(sys.argv[2], "cgroup.procs").write_text("0")
        # As a container's runtime does: it moves there, and then becomes the program.
        os.execv(sys.executable, [sys.executable, __file__, sys.argv[1], str(outside), "inside"])
    os.waitpid(child, 0)
else:
    assert os.getpid() == 1
    for _ in range(int(sys.argv[1])):
        os.getppid()
    print(sys.argv[2], flush=True)
    sys.stdin.readline()
