"""A child makes N getppid calls, is frozen for S seconds, and then makes M more.

Prints its pid, and the nanoseconds (UTC) between which it was frozen.
"""

import os
import signal
import sys
import time

before, seconds, after = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
child = os.fork()
if not child:
    for _ in range(before):
        os.getppid()
    os.kill(os.getpid(), signal.SIGSTOP)
    for _ in range(after):
        os.getppid()
    os._exit(0)
os.waitpid(child, os.WUNTRACED)
begin = time.time_ns()
time.sleep(seconds)
end = time.time_ns()
os.kill(child, signal.SIGCONT)
os.waitpid(child, 0)
print(child, begin, end)
