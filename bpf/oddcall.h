/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the kernel program and user space must agree on, and nothing else.
 * User space reads the numbers from this file and checks the sizes when it loads. */
#ifndef ODDCALL_H
#define ODDCALL_H

#define OC_CALLS 512        /* calls by number; the last gathers all numbers past it */
#define OC_TRANSITIONS 1024 /* buckets of hashed pairs of calls of one thread */
#define OC_URING 128        /* io_uring opcodes; the last gathers all past it */
#define OC_START 1024       /* the symbol before a thread's first call */
#define OC_COMM 16
#define OC_EXE 168

#define OC_UNTRACKED 0 /* the slot that counts for all processes without one of their own */

/* States of a slot. */
#define OC_LIVE 1
#define OC_ENDED 2

/* What user space tells the program. */
#define OC_EPOCH 0    /* the look that is under way */
#define OC_ROOM 1     /* not zero: a process without a slot may ask again */
#define OC_WITHHELD 2 /* share of all pids, in parts of 2^32, that get no slot: simulates loss */
#define OC_CONTROLS 3

/* Rows of the tally: what was handed out, and every way to lose. All only grow. */
#define OC_SLOTS_TAKEN 0  /* slots taken from the free list */
#define OC_LOST_PROCESS 1 /* processes that found no free slot: counted together in slot 0 */
#define OC_LOST_INDEX 2   /* the same, of processes that did not fit the index by pid either */
#define OC_LOST_THREAD 3  /* times a thread's last call was displaced by another thread's */
#define OC_TALLIES 4

/* Who a slot counts for. Written once when the slot is taken, but for the last four. */
struct oc_head {
	__u64 start_ns; /* start of the process, boot clock */
	__u64 cgroup_id;
	__u64 ino; /* of the executable */
	__u32 dev;
	__u32 tgid;
	__u32 ppid;
	__u32 uid;
	char comm[OC_COMM];
	char exe[OC_EXE]; /* as given to exec; empty if it began before the program was loaded */
	__u32 serial;     /* how often this slot has been taken */
	__u32 state;
	__u32 forks;
	__u32 execs;
	__u64 ended_ns;
};

/* What a slot counts. Counters only grow while a process holds the slot; user space clears them
 * before it gives the slot back. */
struct oc_counts {
	__u32 syscalls[OC_CALLS];
	__u32 errors[OC_CALLS];
	__u32 transitions[OC_TRANSITIONS];
	__u32 compat[OC_CALLS];
	__u32 uring[OC_URING];
};

#endif
