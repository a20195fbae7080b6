// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Counts what every process asks of the kernel. See docs/architecture.md.
 *
 * A slot is one process running one program. A thread's state is one 64-bit word,
 * so that it is always read and written whole:
 *
 *     tid (22 bits) | slot (20 bits) | unused (8) | flags (3) | symbol of its last call (11)
 */
/* One text for two loaders. bcc.h or core.h, read before it, gives what they do differently:
 * the maps and how each is reached, and OFF_*, the place of each kernel field that is read,
 * from the running kernel's own BTF. */

/* --- Knobs -------------------------------------------------------------------------*/

#include "kernel.h"

/* What is counted of each call. The benchmark leaves parts out, to see what each costs. */
#define OC_PART_CALLS 1
#define OC_PART_ERRORS 2
#define OC_PART_TRANSITIONS 4
#ifndef OC_PARTS
#define OC_PARTS (OC_PART_CALLS | OC_PART_ERRORS | OC_PART_TRANSITIONS)
#endif

/* --- Helpers -----------------------------------------------------------------------*/

static inline void tell(u32 what)
{
	u64 *total = tally_at(what);
	if (total)
		__sync_fetch_and_add(total, 1);
}

static inline void touch(u32 slot)
{
	u64 *now = control_at(OC_EPOCH), *last = touched_at(slot);
	if (now && last && *last != *now)
		*last = *now;
}

#define SYMBOL 0x7ff
#define SHARED 0x800   /* other threads may count in the same slot at the same time */
#define COUNTED 0x1000 /* the call that it is still to return from is counted already */
#define NARROW 0x2000  /* beside OC_START: the program is a 32-bit one */

static inline u64 word_of(u32 tid, u32 slot, u32 flags, u32 symbol)
{
	return ((u64)tid << 42) | ((u64)(slot & 0xfffff) << 22) | flags | symbol;
}

static inline void set_word(u32 tid, u64 word)
{
	u64 *kept = word_at(tid);
	if (!kept)
		return;
	if (*kept && (*kept >> 42) != tid)
		tell(OC_LOST_THREAD);
	*kept = word;
}

static inline void clear_word(u32 tid)
{
	u64 *kept = word_at(tid);
	if (kept && (*kept >> 42) == tid)
		*kept = 0;
}

/* The same as oddcall.models.transitions.bucket(). */
static inline u32 bucket(u32 previous, u32 symbol)
{
	u32 h = ((previous << 11) | symbol) + OC_SEED;
	h *= 0x9E3779B1;
	h ^= h >> 15;
	h *= 0x85EBCA77;
	return h >> 22;
}

/* Device and inode of what the process runs: mm->exe_file->f_inode. */
static inline void read_exe(struct oc_head *head, u64 task)
{
	u64 mm = field64(task + OFF_TASK_MM);
	u64 file = mm ? field64(mm + OFF_MM_EXE_FILE) : 0;
	u64 inode = file ? field64(file + OFF_FILE_INODE) : 0;
	if (!inode)
		return;
	head->ino = field64(inode + OFF_INODE_INO);
	head->dev = field32(field64(inode + OFF_INODE_SB) + OFF_SB_DEV);
}

/* How a process comes to a slot, and so what the index may hold of its pid before. */
enum way {
	BEGIN, /* born, or another program: whatever it holds is not of this one */
	MEET,  /* found running: nothing */
	ADOPT, /* found without a slot, which it now may have: that it has none */
};

static inline int learn(u32 tgid, u32 slot, enum way way)
{
	return way == BEGIN ? slot_learn(tgid, slot) : slot_learn_first(tgid, slot);
}

static inline u32 free_slot(u32 tgid)
{
	u32 slot = OC_UNTRACKED;
	u64 *withheld = control_at(OC_WITHHELD);
	if (withheld && tgid * 0x9E3779B1 < *withheld)
		return OC_UNTRACKED;
	if (free_pop(&slot) == 0)
		return slot;
	/* Until user space says that there are free ones again. */
	u64 *room = control_at(OC_ROOM);
	if (room)
		*room = 0;
	return OC_UNTRACKED;
}

/* Take a slot for the process of `task`, whose identity is known here and now.
 * `exe` is the kernel address of the path it runs, or 0. Two threads may be at this at once:
 * one of them has its way with the index, and what the other took goes back. */
static inline u32 take_slot(u64 task, u32 tgid, u64 exe, enum way way)
{
	u32 slot = free_slot(tgid);
	struct oc_head *head = head_at(slot);
	if (slot == OC_UNTRACKED || !head)
		return OC_UNTRACKED;
	if ((way == ADOPT && slot_forget(tgid) != 0) || learn(tgid, slot, way) != 0) {
		free_push(slot);
		return OC_UNTRACKED;
	}
	tell(OC_SLOTS_TAKEN);
	u64 leader = field64(task + OFF_TASK_GROUP_LEADER);
	head->tgid = tgid;
	head->start_ns = field64(leader + OFF_TASK_START);
	head->ppid = field32(field64(leader + OFF_TASK_REAL_PARENT) + OFF_TASK_TGID);
	head->uid = bpf_get_current_uid_gid();
	head->cgroup_id = bpf_get_current_cgroup_id();
	head->ino = 0;
	head->dev = 0;
	head->forks = 0;
	head->execs = 0;
	head->ended_ns = 0;
	head->exe[0] = 0;
	if (exe)
		bpf_probe_read_kernel_str(head->exe, OC_EXE, (void *)exe);
	bpf_probe_read_kernel(head->comm, OC_COMM, (void *)(leader + OFF_TASK_COMM));
	read_exe(head, task);
	/* In this order: a new serial is how user space knows of a new occupant, who lives. */
	head->state = OC_LIVE;
	asm volatile("" ::: "memory");
	head->serial += 1;
	touch(slot);
	return slot;
}

/* A slot for a process that is new here, or whose program is. */
static inline u32 begin_slot(u64 task, u32 tgid, u64 exe, enum way way)
{
	u32 slot = take_slot(task, tgid, exe, way);
	if (slot != OC_UNTRACKED)
		return slot;
	long refused = learn(tgid, OC_UNTRACKED, way);
	u32 *known = refused == -EEXIST ? slot_known(tgid) : 0;
	if (known)
		return *known;
	tell(refused ? OC_LOST_INDEX : OC_LOST_PROCESS);
	return OC_UNTRACKED;
}

/* `met` says that this was asked before for the same thread, so that nobody is told as lost
 * at every call. */
static inline u32 slot_of_current(u64 task, u32 tgid, bool met)
{
	u32 *known = slot_known(tgid);
	if (known && *known != OC_UNTRACKED)
		return *known;
	if (!known && !met)
		return begin_slot(task, tgid, 0, MEET);
	u64 *room = control_at(OC_ROOM);
	if (!room || !*room)
		return OC_UNTRACKED;
	u32 slot = take_slot(task, tgid, 0, known ? ADOPT : MEET);
	known = slot == OC_UNTRACKED ? slot_known(tgid) : 0;
	return known ? *known : slot;
}

static inline void end_slot(u32 slot)
{
	struct oc_head *head = head_at(slot);
	if (!head || slot == OC_UNTRACKED)
		return;
	head->ended_ns = bpf_ktime_get_boot_ns();
	head->state = OC_ENDED;
	touch(slot);
}

/* A lone thread needs no locked add, which costs more than the rest of the counting. */
static inline void add(u32 *counter, u32 shared)
{
	if (shared)
		__sync_fetch_and_add(counter, 1);
	else
		*counter += 1;
}

/* Of a result below zero: a call that is made again does not return, and a connection that is in
 * progress does what it was asked to. Of 32-bit calls no failure is counted. */
static inline bool no_failure(u32 nr, long ret)
{
	return (ret == -EINPROGRESS && IS_CONNECT(nr)) ||
	       (ret <= -RESTART_FIRST && ret >= -RESTART_LAST);
}

/* One call of the thread whose last call was `previous`. */
static inline void count_call(u32 slot, u32 shared, u32 previous, u32 nr, bool compat, bool failed)
{
	struct oc_counts *c = counts_at(slot);
	if (!c)
		return;
	u32 symbol = compat ? nr + OC_CALLS : nr;
	u64 at = nr;
	/* The compiler knows that nr is small: only what it cannot see keeps the verifier's mask. */
	asm("" : "+r"(at));
	at &= OC_CALLS - 1;
	if (OC_PARTS & OC_PART_CALLS)
		add(compat ? &c->compat[at] : &c->syscalls[at], shared);
	if (OC_PARTS & OC_PART_ERRORS && failed && !compat)
		add(&c->errors[at], shared);
	if (OC_PARTS & OC_PART_TRANSITIONS)
		add(&c->transitions[bucket(previous, symbol)], shared);
	touch(slot);
}

/* Of the only thread of a process that is about to return from its fork, or from its exec. */
static inline u64 first_word(u64 task, u32 tgid, u32 slot)
{
	bool narrow = field32(task + OFF_TASK_COMPAT) & COMPAT_BIT;
	u32 shared = slot == OC_UNTRACKED ? SHARED : 0;
	return word_of(tgid, slot, COUNTED | shared | (narrow ? NARROW : 0), OC_START);
}

/* Whether a thread that is met now may share its slot: with its kin, or with all untracked. */
static inline u32 sharing(u32 slot, u64 task)
{
	u32 kin = field32(field64(task + OFF_TASK_SIGNAL) + OFF_SIGNAL_THREADS);
	return slot == OC_UNTRACKED || kin > 1 ? SHARED : 0;
}

/* --- Programs ----------------------------------------------------------------------*/

/* Raw tracepoint sys_exit(struct pt_regs *, long ret): number and result in one hook. */
HOT_HOOK(on_sys_exit, "sys_exit")
{
	task_t current = this_task();
	u64 both = ids_of(current), task = (u64)current;
	u32 tid = both, tgid = both >> 32;
	long ret = ctx->args[1];
	/* The kernel heeds the lower half alone, whatever a caller puts into the upper. */
	u32 full = number_of(ctx->args[0]);
	bool compat = compat_of(current) & COMPAT_BIT;
	bool failed = ret < 0 && ret >= -4095 && !no_failure(full, ret);

	/* rt_sigreturn restores another call's registers and marks the number as none. */
	if ((s32)full == -1) {
		full = compat ? COMPAT_NR_SIGRETURN : NR_RT_SIGRETURN;
		failed = false;
	}
	u32 nr = full < OC_CALLS - 1 ? full : OC_CALLS - 1;
	u64 *kept = word_at(tid);
	if (!kept)
		return 0;
	u64 word = *kept;
	bool met = (word >> 42) == tid;
	u32 slot = OC_UNTRACKED, shared = word & SHARED, previous = word & SYMBOL;
	if (met) {
		if (word & COUNTED) {
			*kept = word & ~(u64)COUNTED;
			return 0;
		}
		slot = (word >> 22) & 0xfffff;
	}
	if (slot == OC_UNTRACKED) {
		slot = slot_of_current(task, tgid, met);
		shared = sharing(slot, task);
	}
	if (!met) {
		previous = OC_START;
		if (word)
			tell(OC_LOST_THREAD);
		/* A newborn thread returns from a call that another made; on_exec counted an exec. */
		if (ret == 0 && (compat ? IS_COMPAT_FORK(nr) || IS_COMPAT_EXEC(nr)
					: IS_FORK(nr) || IS_EXEC(nr))) {
			*kept = word_of(tid, slot, compat ? shared | NARROW : shared, OC_START);
			return 0;
		}
	}
	*kept = word_of(tid, slot, shared, compat ? nr + OC_CALLS : nr);
	count_call(slot, shared, previous, nr, compat, failed);
	return 0;
}

/* Raw tracepoint sched_process_fork(struct task_struct *parent, struct task_struct *child). */
HOOK(on_fork)
{
	u64 parent = ctx->args[0], child = ctx->args[1];
	u64 both = bpf_get_current_pid_tgid();
	u32 tid = both, tgid = both >> 32;
	u32 child_tgid = field32(child + OFF_TASK_TGID);
	u64 *kept = word_at(tid);
	bool met = kept && (*kept >> 42) == tid;
	if (child_tgid == tgid) {
		/* Until now it may have been alone, and counted without locking. */
		if (met)
			*kept |= SHARED;
		return 0;
	}
	if (field32(child + OFF_TASK_FLAGS) & PF_KTHREAD)
		return 0;
	struct oc_head *from = 0;
	if (!(field32(parent + OFF_TASK_FLAGS) & PF_KTHREAD)) {
		u32 slot = slot_of_current(parent, tgid, met);
		from = head_at(slot);
		if (from) {
			__sync_fetch_and_add(&from->forks, 1);
			touch(slot);
		}
	}
	u32 slot = begin_slot(child, child_tgid, (u64)(from ? from->exe : 0), BEGIN);
	set_word(child_tgid, first_word(child, child_tgid, slot));
	return 0;
}

/* Raw tracepoint sched_process_exec(struct task_struct *, pid_t old_pid, struct linux_binprm *):
 * the process goes on as another program, so its old slot ends and a new one begins. */
HOOK(on_exec)
{
	u64 task = ctx->args[0], bprm = ctx->args[2];
	u32 old_tid = ctx->args[1];
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	u64 *kept = word_at(old_tid);
	bool met = kept && (*kept >> 42) == old_tid;
	u64 word = met ? *kept : OC_START;
	u32 previous = word & SYMBOL;
	/* The registers are the new program's by now: the call came by the gate that the thread's
	 * last call took, and to a path from a descriptor if there is one (fs/exec.c, alloc_bprm). */
	bool compat = previous == OC_START ? word & NARROW : previous >= OC_CALLS;
	bool at = field64(bprm + OFF_BPRM_FDPATH);
	u32 nr = compat ? (at ? COMPAT_NR_EXECVEAT : COMPAT_NR_EXECVE) : at ? NR_EXECVEAT : NR_EXECVE;

	u32 before = slot_of_current(task, tgid, met);
	struct oc_head *old = head_at(before);
	if (old)
		__sync_fetch_and_add(&old->execs, 1);
	count_call(before, SHARED, previous, nr, compat, false);
	end_slot(before);
	clear_word(old_tid);

	u32 slot = begin_slot(task, tgid, field64(bprm + OFF_BPRM_INTERP), BEGIN);
	set_word(tgid, first_word(task, tgid, slot));
	return 0;
}

/* Raw tracepoint sched_process_exit(struct task_struct *, ...): a process ends with its
 * last thread. do_exit() has lowered signal->live before (kernel/exit.c); two last threads
 * at once may both see zero, and one of them does this. */
HOOK(on_exit)
{
	u64 both = bpf_get_current_pid_tgid();
	u32 tid = both, tgid = both >> 32;
	clear_word(tid);
	if (field32(field64(ctx->args[0] + OFF_TASK_SIGNAL) + OFF_SIGNAL_LIVE) != 0)
		return 0;
	u32 *known = slot_known(tgid);
	if (!known)
		return 0;
	u32 slot = *known;
	if (slot_forget(tgid) == 0)
		end_slot(slot);
	return 0;
}

#ifndef OC_NO_URING
/* Raw tracepoint io_uring_submit_req(struct io_kiocb *): work that makes no system call.
 * The thread that polls a ring's queue belongs to the process that made the ring. */
HOOK(on_uring)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	u8 opcode = 0;
	bpf_probe_read_kernel(&opcode, 1, (void *)(ctx->args[0] + OFF_URING_OPCODE));
	u32 slot = slot_of_current(bpf_get_current_task(), tgid, true);
	struct oc_counts *c = counts_at(slot);
	if (!c)
		return 0;
	u32 op = opcode < OC_URING - 1 ? opcode : OC_URING - 1;
	__sync_fetch_and_add(&c->uring[op & (OC_URING - 1)], 1);
	touch(slot);
	return 0;
}
#endif
