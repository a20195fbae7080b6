"""A child makes N getppid calls, is frozen until a line of input, and then makes M more.

Prints its pid and the nanoseconds (UTC) at which it was frozen and, later, released.
"""

import os
import signal
import sys
import time

before, after = int(sys.argv[1]), int(sys.argv[2])
child = os.fork()
if not child:
    for _ in range(before):
        os.getppid()
    os.kill(os.getpid(), signal.SIGSTOP)
    for _ in range(after):
        os.getppid()
    os._exit(0)
os.waitpid(child, os.WUNTRACED)
print(child, time.time_ns(), flush=True)
sys.stdin.readline()
end = time.time_ns()
os.kill(child, signal.SIGCONT)
os.waitpid(child, 0)
print(end)
