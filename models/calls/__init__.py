"""Names of system calls and io_uring opcodes, by number."""
