/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Read before oddcall.c when it is compiled ahead of time for the loader `core`. libbpf
 * moves every OFF_* to where the running kernel has the field, and sizes the maps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

typedef __u8 u8;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef _Bool bool;
#define true 1
#define false 0

#include "oddcall.h"

#define OC_SEED 0

/* Set before loading: one less than the size of the table of threads, a power of two. */
const volatile u32 thread_mask = 65535;

/* Only what is read; CO-RE finds the rest of the layout (libbpf, "BPF CO-RE reference"). */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
typedef struct {
	int counter;
} atomic_t;
struct super_block {
	u32 s_dev;
};
struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};
struct file {
	struct inode *f_inode;
};
struct mm_struct {
	struct file *exe_file;
};
struct signal_struct {
	atomic_t live;
	int nr_threads;
};
struct thread_info {
	unsigned long flags;
	u32 status;
};
struct task_struct {
	struct thread_info thread_info;
	unsigned int flags;
	struct mm_struct *mm;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	u64 start_boottime;
	char comm[OC_COMM];
	struct signal_struct *signal;
};
struct linux_binprm {
	const char *interp;
	const char *fdpath;
};
struct io_kiocb {
	u8 opcode;
};
#if defined(__x86_64__)
struct pt_regs {
	unsigned long orig_ax;
};
#define number_of(regs) ((struct pt_regs *)(regs))->orig_ax
#define compat_of(task) (task)->thread_info.status
#else
struct pt_regs {
	s32 syscallno;
};
#define number_of(regs) ((struct pt_regs *)(regs))->syscallno
#define compat_of(task) (task)->thread_info.flags
#endif
#pragma clang attribute pop

#define OFF_TASK_GROUP_LEADER bpf_core_field_offset(struct task_struct, group_leader)
#define OFF_TASK_START bpf_core_field_offset(struct task_struct, start_boottime)
#define OFF_TASK_REAL_PARENT bpf_core_field_offset(struct task_struct, real_parent)
#define OFF_TASK_TGID bpf_core_field_offset(struct task_struct, tgid)
#define OFF_TASK_FLAGS bpf_core_field_offset(struct task_struct, flags)
#define OFF_TASK_COMM bpf_core_field_offset(struct task_struct, comm)
#define OFF_TASK_MM bpf_core_field_offset(struct task_struct, mm)
#define OFF_TASK_SIGNAL bpf_core_field_offset(struct task_struct, signal)
#define OFF_SIGNAL_THREADS bpf_core_field_offset(struct signal_struct, nr_threads)
#define OFF_SIGNAL_LIVE bpf_core_field_offset(struct signal_struct, live)
#define OFF_MM_EXE_FILE bpf_core_field_offset(struct mm_struct, exe_file)
#define OFF_FILE_INODE bpf_core_field_offset(struct file, f_inode)
#define OFF_INODE_INO bpf_core_field_offset(struct inode, i_ino)
#define OFF_INODE_SB bpf_core_field_offset(struct inode, i_sb)
#define OFF_SB_DEV bpf_core_field_offset(struct super_block, s_dev)
#if defined(__x86_64__)
#define OFF_TASK_COMPAT bpf_core_field_offset(struct task_struct, thread_info.status)
#else
#define OFF_TASK_COMPAT bpf_core_field_offset(struct task_struct, thread_info.flags)
#endif
#define OFF_BPRM_INTERP bpf_core_field_offset(struct linux_binprm, interp)
#define OFF_BPRM_FDPATH bpf_core_field_offset(struct linux_binprm, fdpath)
#define OFF_URING_OPCODE bpf_core_field_offset(struct io_kiocb, opcode)

#define HOOK(name) SEC("raw_tp") int name(struct bpf_raw_tracepoint_args *ctx)
/* A typed raw tracepoint may follow the kernel's own pointers: no call to read a field. */
#define HOT_HOOK(name, tracepoint)   \
	SEC("tp_btf/" tracepoint)    \
	int name(struct bpf_raw_tracepoint_args *ctx)

typedef struct task_struct *task_t;
#define this_task() ((task_t)bpf_get_current_task_btf())
#define ids_of(task) (((u64)(u32)(task)->tgid << 32) | (u32)(task)->pid)

/* Sizes are set before loading, but for those that are always the same. */
#define ARRAY(name, leaf, size, options)               \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_ARRAY);      \
		__uint(max_entries, size);             \
		__uint(map_flags, options);            \
		__type(key, u32);                      \
		__type(value, leaf);                   \
	} name SEC(".maps")

ARRAY(heads, struct oc_head, 1, BPF_F_MMAPABLE);
ARRAY(counts, struct oc_counts, 1, BPF_F_MMAPABLE);
/* Epoch in which a slot last counted: reading costs what is active, not what exists. */
ARRAY(touched, u64, 1, BPF_F_MMAPABLE);
ARRAY(control, u64, OC_CONTROLS, BPF_F_MMAPABLE);
ARRAY(tally, u64, OC_TALLIES, BPF_F_MMAPABLE);
ARRAY(threads, u64, 1, 0);

/* A plain hash never evicts: what does not fit is told and counted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} slot_of SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 1);
	__uint(value_size, sizeof(u32));
} free_slots SEC(".maps");

#define AT(map, key) bpf_map_lookup_elem(&map, &(key))
static inline struct oc_head *head_at(u32 slot) { return AT(heads, slot); }
static inline struct oc_counts *counts_at(u32 slot) { return AT(counts, slot); }
static inline u64 *touched_at(u32 slot) { return AT(touched, slot); }
static inline u64 *control_at(u32 what) { return AT(control, what); }
static inline u64 *tally_at(u32 what) { return AT(tally, what); }
static inline u32 *slot_known(u32 tgid) { return AT(slot_of, tgid); }
static inline int slot_forget(u32 tgid) { return bpf_map_delete_elem(&slot_of, &tgid); }
static inline int free_pop(u32 *slot) { return bpf_map_pop_elem(&free_slots, slot); }
static inline void free_push(u32 slot) { bpf_map_push_elem(&free_slots, &slot, 0); }

static inline int slot_learn(u32 tgid, u32 slot)
{
	return bpf_map_update_elem(&slot_of, &tgid, &slot, BPF_ANY);
}

static inline int slot_learn_first(u32 tgid, u32 slot)
{
	return bpf_map_update_elem(&slot_of, &tgid, &slot, BPF_NOEXIST);
}

static inline u64 *word_at(u32 tid)
{
	u32 place = tid & thread_mask;
	return AT(threads, place);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
