"""Make N getppid calls, go on as another program, and there make 4099 getpgrp calls."""

import os
import sys

if len(sys.argv) == 3:
    for _ in range(int(sys.argv[1])):
        os.getppid()
    copy = sys.argv[2]
    os.execv(copy, [copy, __file__, "after"])
for _ in range(4099):
    os.getpgrp()
print(os.getpid())
