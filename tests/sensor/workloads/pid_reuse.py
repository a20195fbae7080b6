"""Two processes of one pid: the first makes 101 getuid calls, the second 211.

Prints that pid, and ours.
"""

import os
from pathlib import Path


def child(calls: int) -> int:
    pid = os.fork()
    if not pid:
        for _ in range(calls):
            os.getuid()
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


first = child(101)
for _ in range(200):
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(first - 1))
    pid = os.fork()
    if not pid:
        if os.getpid() == first:
            for _ in range(211):
                os.getuid()
        os._exit(0)
    os.waitpid(pid, 0)
    if pid == first:
        break
else:
    raise SystemExit("the pid did not come around again")
print(first, os.getpid())
