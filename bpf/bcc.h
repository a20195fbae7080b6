/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Read before oddcall.c by the loader `bcc`, which gives OC_SLOTS, OC_THREADS (a power of
 * two), OC_SEED and every OFF_* on the compiler's command line. BCC rewrites map accesses
 * in functions but not in macros: hence one small function an access. */
#include "oddcall.h"

#define HOOK(name) int name(struct bpf_raw_tracepoint_args *ctx)
#define HOT_HOOK(name, tracepoint) HOOK(name)

/* The loader makes the hot hook a typed raw tracepoint, which may follow the kernel's own
 * pointers. In assembly, or BCC would make a call to read each field. */
static inline u32 typed32(u64 at, const u32 offset)
{
	u32 value;
	asm("%0 = *(u32 *)(%1 + %2)" : "=r"(value) : "r"(at), "i"(offset));
	return value;
}
typedef u64 task_t;
#define this_task() ((u64)bpf_get_current_task_btf())
#define ids_of(task) ((u64)typed32(task, OFF_TASK_TGID) << 32 | typed32(task, OFF_TASK_PID))
#define compat_of(task) typed32(task, OFF_TASK_COMPAT)
#define number_of(regs) typed32(regs, OFF_REGS_NR)

BPF_F_TABLE("array", u32, struct oc_head, heads, OC_SLOTS, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, struct oc_counts, counts, OC_SLOTS, BPF_F_MMAPABLE);
/* Epoch in which a slot last counted: reading costs what is active, not what exists. */
BPF_F_TABLE("array", u32, u64, touched, OC_SLOTS, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, u64, control, OC_CONTROLS, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, u64, tally, OC_TALLIES, BPF_F_MMAPABLE);
BPF_F_TABLE("array", u32, u64, threads, OC_THREADS, 0);
/* A plain hash never evicts: what does not fit is told and counted. */
BPF_TABLE("hash", u32, u32, slot_of, OC_SLOTS * 2);
BPF_STACK(free_slots, u32, OC_SLOTS);

static inline struct oc_head *head_at(u32 slot) { return heads.lookup(&slot); }
static inline struct oc_counts *counts_at(u32 slot) { return counts.lookup(&slot); }
static inline u64 *touched_at(u32 slot) { return touched.lookup(&slot); }
static inline u64 *control_at(u32 what) { return control.lookup(&what); }
static inline u64 *tally_at(u32 what) { return tally.lookup(&what); }
static inline u32 *slot_known(u32 tgid) { return slot_of.lookup(&tgid); }
static inline int slot_learn(u32 tgid, u32 slot) { return slot_of.update(&tgid, &slot); }
static inline int slot_learn_first(u32 tgid, u32 slot) { return slot_of.insert(&tgid, &slot); }
static inline int slot_forget(u32 tgid) { return slot_of.delete(&tgid); }
static inline int free_pop(u32 *slot) { return free_slots.pop(slot) != 0; }
static inline void free_push(u32 slot) { free_slots.push(&slot, 0); }

static inline u64 *word_at(u32 tid)
{
	u32 place = tid & (OC_THREADS - 1);
	return threads.lookup(&place);
}
