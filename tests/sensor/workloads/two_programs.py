"""In turn, N times: a child that becomes ``true``, and one that makes exactly 23 getuid calls."""

import os
import sys

for _ in range(int(sys.argv[1])):
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    child = os.fork()
    if not child:
        for _ in range(23):
            os.getuid()
        os._exit(0)
    os.waitpid(child, 0)
print(os.getpid())
