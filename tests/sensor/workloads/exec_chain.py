"""Make N getppid calls, go on as another program by HOW, and there make 4099 getpgrp calls.

Usage: exec_chain.py path|thread|script|fd N PROGRAM
"""

import os
import sys
import threading


def run(how: str, program: str) -> None:
    arguments = [program, *([] if how == "script" else [__file__]), "after"]
    if how == "fd":
        os.execve(os.open(program, os.O_RDONLY), arguments, os.environ)
    if how == "thread":
        # A thread that is not the first: the others end, and it takes the first one's id.
        other = threading.Thread(target=os.execv, args=(program, arguments))
        other.start()
        other.join()
    os.execv(program, arguments)


if len(sys.argv) == 4:
    for _ in range(int(sys.argv[2])):
        os.getppid()
    run(sys.argv[1], sys.argv[3])
for _ in range(4099):
    os.getpgrp()
print(os.getpid())
