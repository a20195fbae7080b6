"""Make exactly N calls number 20 by the 32-bit gate (``int 0x80``: getpid) from 64-bit code."""

import ctypes
import mmap
import os
import sys

CODE = bytes.fromhex("53b814000000cd805bc3")  # push rbx; mov eax, 20; int 0x80; pop rbx; ret
page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(CODE)
call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
for _ in range(int(sys.argv[1])):
    assert call() == os.getpid()
print(os.getpid())
