/* BCC carries its own copy of the interface to the kernel. */
#include <bcc/bpf.h>
