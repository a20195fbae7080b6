"""Make exactly N calls number 20 by the 32-bit gate (``int 0x80``: getpid) from 64-bit code."""

import os
import sys

from machine import function

call = function("53 b814000000 cd80 5b c3")  # push rbx; mov eax, 20; int 0x80; pop rbx; ret
for _ in range(int(sys.argv[1])):
    assert call() == os.getpid()
print(os.getpid())
