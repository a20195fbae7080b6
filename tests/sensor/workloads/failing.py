"""Fail exactly N times to enter a folder by a descriptor, and succeed exactly M times."""

import os
import sys

failing, fine = int(sys.argv[1]), int(sys.argv[2])
for _ in range(failing):
    try:
        os.fchdir(987)
    except OSError:
        continue
here = os.open("/", os.O_RDONLY)
for _ in range(fine):
    os.fchdir(here)
print(os.getpid())
