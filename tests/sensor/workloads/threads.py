"""N threads of one process at once, each making exactly M getppid, getuid pairs in turn."""

import ctypes
import os
import sys
import threading

threads, pairs = int(sys.argv[1]), int(sys.argv[2])
libc = ctypes.CDLL(None)  # a foreign call lets the other threads run meanwhile
GETUID, GETPPID = 102, 110
begin = threading.Barrier(threads)


def work() -> None:
    begin.wait()
    for _ in range(pairs):
        libc.syscall(GETPPID)
        libc.syscall(GETUID)


workers = [threading.Thread(target=work) for _ in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print(os.getpid())
