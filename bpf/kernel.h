/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the program must know of the kernel: numbers, and how a field is read. */
#ifndef ODDCALL_KERNEL_H
#define ODDCALL_KERNEL_H

#if defined(__x86_64__)
#define NR_RT_SIGRETURN 15
#define NR_EXECVE 59
#define NR_EXECVEAT 322
/* connect, sendto, sendmsg, sendmmsg: those that send may connect first (MSG_FASTOPEN) */
#define IS_CONNECT(nr) ((nr) == 42 || (nr) == 44 || (nr) == 46 || (nr) == 307)
#define IS_FORK(nr) ((nr) == 56 || (nr) == 57 || (nr) == 58 || (nr) == 435)
#define COMPAT_NR_SIGRETURN 173
#define COMPAT_NR_EXECVE 11
#define COMPAT_NR_EXECVEAT 358
#define IS_COMPAT_FORK(nr) ((nr) == 120 || (nr) == 2 || (nr) == 190 || (nr) == 435)
#define COMPAT_BIT 0x2 /* TS_COMPAT, arch/x86/include/asm/thread_info.h */
#elif defined(__aarch64__)
#define NR_RT_SIGRETURN 139
#define NR_EXECVE 221
#define NR_EXECVEAT 281
#define IS_CONNECT(nr) ((nr) == 203 || (nr) == 206 || (nr) == 211 || (nr) == 269)
#define IS_FORK(nr) ((nr) == 220 || (nr) == 435)
#define COMPAT_NR_SIGRETURN 173
#define COMPAT_NR_EXECVE 11
#define COMPAT_NR_EXECVEAT 387
#define IS_COMPAT_FORK(nr) ((nr) == 120 || (nr) == 2 || (nr) == 190 || (nr) == 435)
#define COMPAT_BIT (1 << 22) /* TIF_32BIT, arch/arm64/include/asm/thread_info.h */
#endif
#define IS_EXEC(nr) ((nr) == NR_EXECVE || (nr) == NR_EXECVEAT)
#define IS_COMPAT_EXEC(nr) ((nr) == COMPAT_NR_EXECVE || (nr) == COMPAT_NR_EXECVEAT)

#define EEXIST 17
#define EINPROGRESS 115
#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */
#define RESTART_FIRST 512     /* ERESTARTSYS to ERESTART_RESTARTBLOCK never reach the program */
#define RESTART_LAST 516

static inline u64 field64(u64 at)
{
	u64 value = 0;
	bpf_probe_read_kernel(&value, sizeof(value), (void *)at);
	return value;
}

static inline u32 field32(u64 at)
{
	u32 value = 0;
	bpf_probe_read_kernel(&value, sizeof(value), (void *)at);
	return value;
}

#endif
