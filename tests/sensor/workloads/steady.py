"""Print our pid, wait for a line, make getppid calls for S seconds, and print how many."""

import os
import sys
import time

print(os.getpid(), flush=True)
sys.stdin.readline()
end, made = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < end:
    for _ in range(997):
        os.getppid()
    made += 997
    time.sleep(0.01)
print(made)
