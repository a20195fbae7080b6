"""Make N getppid calls as the first process of a pid namespace and in another cgroup.

Usage: namespaced.py N FOLDER, where the folder is the cgroup's.
"""

import ctypes
import os
import sys
import time
from pathlib import Path

CLONE_NEWPID = 0x20000000

if len(sys.argv) == 3:
    assert ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWPID) == 0
    child = os.fork()
    if not child:
        Path(sys.argv[2], "cgroup.procs").write_text("0")
        # As a container's runtime does: it moves there, and then becomes the program.
        os.execv(sys.executable, [sys.executable, __file__, sys.argv[1]])
    os.waitpid(child, 0)
    print(child)
else:
    assert os.getpid() == 1
    for _ in range(int(sys.argv[1])):
        os.getppid()
    time.sleep(1)  # long enough to be looked at
