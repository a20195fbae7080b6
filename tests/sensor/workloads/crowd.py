"""N children alive at once, the last K of which stay on; each step waits for a line on input.

Each child makes 13 sched_rr_get_interval calls as soon as it lives, while we make 10007
getppid calls. Then all but the last K make 7 more and end; then the last K make 211 getpgrp
calls each and end. Prints our pid when the first step is done, and a line after each other one.
Usage: crowd.py N K
"""

import ctypes
import os
import sys

GETPGRP, INTERVAL = 111, 148
total, staying = int(sys.argv[1]), int(sys.argv[2])
call = ctypes.CDLL(None).syscall
room = ctypes.create_string_buffer(16)
begun = os.pipe()
leave, stay = os.pipe(), os.pipe()


def live(stays: bool) -> None:
    for _ in range(13):
        call(INTERVAL, 0, room)
    os.write(begun[1], b".")
    os.close(leave[1])
    os.close(stay[1])
    os.read((stay if stays else leave)[0], 1)
    for _ in range(211 if stays else 7):
        call(GETPGRP) if stays else call(INTERVAL, 0, room)
    os._exit(0)


def released(gate: tuple[int, int], count: int) -> None:
    """Let the children at a gate go on, and wait for their end."""
    sys.stdin.readline()
    os.close(gate[1])
    for _ in range(count):
        os.wait()
    print("done", flush=True)


for i in range(total):
    if os.fork() == 0:
        live(i >= total - staying)
for _ in range(10_007):
    os.getppid()
for _ in range(total):
    os.read(begun[0], 1)
print(os.getpid(), flush=True)
released(leave, total - staying)
released(stay, staying)
