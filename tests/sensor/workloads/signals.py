"""A child waits in recvfrom, and a signal comes in between exactly N times.

Usage: signals.py restarted|given-up N: whether the kernel makes the call again by itself
(SA_RESTART), or the child has to.
"""

import ctypes
import multiprocessing
import os
import re
import signal
import socket
import sys
import time
from pathlib import Path

ours, theirs = socket.socketpair()
libc = ctypes.CDLL(None)
ready = multiprocessing.Semaphore(0)


def wait() -> None:
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.siginterrupt(signal.SIGUSR1, sys.argv[1] != "restarted")
    buffer = ctypes.create_string_buffer(1)
    ready.release()
    while libc.recv(theirs.fileno(), buffer, 1, 0) != 1:
        pass
    os._exit(0)


def asleep(pid: int) -> int:
    """Wait until it sleeps, and say how often it has gone to sleep by then."""
    while True:
        status = Path(f"/proc/{pid}/status").read_text()
        assert "State:\tZ" not in status, "the child ended too early"
        if "State:\tS" in status:
            return int(re.search(r"^voluntary_ctxt_switches:\t(\d+)", status, re.MULTILINE)[1])
        time.sleep(0.0005)


child = os.fork()
if not child:
    wait()
ready.acquire()
slept = asleep(child)
for _ in range(int(sys.argv[2])):
    os.kill(child, signal.SIGUSR1)
    while (now := asleep(child)) == slept:
        time.sleep(0.0005)
    slept = now
ours.send(b"x")
os.waitpid(child, 0)
print(child)
