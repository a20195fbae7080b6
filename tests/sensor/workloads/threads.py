"""N threads of one process at once, each making exactly M getppid, getuid pairs in turn.

In machine code: what an interpreter does to take turns would stand between the calls.
"""

import os
import struct
import sys
import threading

from machine import function

threads, pairs = int(sys.argv[1]), int(sys.argv[2])
begin = threading.Barrier(threads)
make_pairs = function(
    "53"  # push rbx
    f"bb {struct.pack('<I', pairs).hex()}"  # mov ebx, pairs
    "b86e000000 0f05"  # mov eax, 110 (getppid); syscall
    "b866000000 0f05"  # mov eax, 102 (getuid); syscall
    "ffcb 75ee"  # dec ebx; jnz -18
    "5b c3"  # pop rbx; ret
)


def work() -> None:
    begin.wait()
    make_pairs()


workers = [threading.Thread(target=work) for _ in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print(os.getpid())
