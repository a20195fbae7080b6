"""Bear short-lived processes at a steady rate, and say at the end what they did.

Usage: churn.py SECONDS RATE; begins when it reads a line. A part of soak.py.
"""

import os
import sys
import time

#: Program that every tenth process becomes.
OTHER = "/bin/true"
#: Children that are let live side by side.
AT_ONCE = 16

seconds, rate = float(sys.argv[1]), float(sys.argv[2])
sys.stdin.readline()
processes = programs = getuid = alive = 0
began = time.monotonic()
while (passed := time.monotonic() - began) < seconds:
    if processes > rate * passed:
        time.sleep(0.001)
        continue
    if alive == AT_ONCE:
        os.wait()
        alive -= 1
    processes += 1
    alive += 1
    if processes % 10 == 0:
        programs += 1
        os.posix_spawn(OTHER, [OTHER], {})
    elif os.fork() == 0:
        for _ in range(processes % 7):
            os.getuid()
        os._exit(0)
    else:
        getuid += processes % 7
for _ in range(alive):
    os.wait()
print(
    f'{{"processes": {processes}, "programs": {programs}, "getuid": {getuid},'
    f' "seconds": {time.monotonic() - began}}}'
)
