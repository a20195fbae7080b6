"""Submit exactly N no-ops (opcode 0), M reads (22) and K opens (18) through an io_uring.

Usage: uring.py N M K [sqpoll]: with it, a kernel thread takes them from the queue.
"""

import ctypes
import mmap
import os
import struct
import sys
import time

NOP, OPEN, READ = 0, 18, 22
SETUP, ENTER = 425, 426
ENTRIES = 64
SQPOLL = 2
WAKEUP, GETEVENTS = 2, 1
libc = ctypes.CDLL(None, use_errno=True)
sqpoll = len(sys.argv) > 4

params = bytearray(120)  # struct io_uring_params
struct.pack_into("<III", params, 8, SQPOLL if sqpoll else 0, 0, 5000)
ring = libc.syscall(SETUP, ENTRIES, (ctypes.c_char * 120).from_buffer(params))
assert ring >= 0, os.strerror(ctypes.get_errno())
sq = struct.unpack_from("<IIIIIII", params, 40)  # head, tail, mask, entries, flags, dropped, array
cq = struct.unpack_from("<IIIIII", params, 80)  # head, tail, mask, entries, overflow, cqes
size = max(sq[6] + ENTRIES * 4, cq[5] + ENTRIES * 2 * 16)
rings = mmap.mmap(ring, size, flags=mmap.MAP_SHARED, offset=0)
entries = mmap.mmap(ring, ENTRIES * 64, flags=mmap.MAP_SHARED, offset=0x10000000)
zero = os.open("/dev/zero", os.O_RDONLY)
buffer = ctypes.create_string_buffer(8)
path = ctypes.create_string_buffer(b"/dev/null")
AT_FDCWD = -100


def shared(at: int) -> ctypes.c_uint32:
    """A word that the kernel reads and writes too: in one piece, which struct does not promise."""
    return ctypes.c_uint32.from_buffer(rings, at)


sq_tail, sq_mask, sq_flags = shared(sq[1]), shared(sq[2]), shared(sq[4])
cq_head, cq_tail = shared(cq[0]), shared(cq[1])


def entry(opcode: int) -> bytes:
    """What to do, as struct io_uring_sqe."""
    if opcode == READ:
        head = struct.pack("<BBHiQQI", READ, 0, 0, zero, 0, ctypes.addressof(buffer), 8)
    elif opcode == OPEN:
        head = struct.pack("<BBHiQQI", OPEN, 0, 0, AT_FDCWD, 0, ctypes.addressof(path), 0)
    else:
        head = struct.pack("<BBHi", opcode, 0, 0, -1)
    return head.ljust(64, b"\0")


def submit(opcode: int) -> int:
    """Have one thing done, and give its result."""
    place = sq_tail.value & sq_mask.value
    entries[place * 64 : place * 64 + 64] = entry(opcode)
    shared(sq[6] + 4 * place).value = place
    done = cq_tail.value
    sq_tail.value += 1
    if sqpoll:
        while cq_tail.value == done:
            if sq_flags.value & 1:  # IORING_SQ_NEED_WAKEUP
                libc.syscall(ENTER, ring, 0, 0, WAKEUP, None, 0)
            time.sleep(0)
    else:
        assert libc.syscall(ENTER, ring, 1, 1, GETEVENTS, None, 0) == 1
    (result,) = struct.unpack_from("<i", rings, cq[5] + 16 * (done & shared(cq[2]).value) + 8)
    cq_head.value = cq_tail.value
    assert result >= 0, os.strerror(-result)
    return int(result)


for _ in range(int(sys.argv[1])):
    submit(NOP)
for _ in range(int(sys.argv[2])):
    submit(READ)
for _ in range(int(sys.argv[3])):
    os.close(submit(OPEN))
print(os.getpid())
