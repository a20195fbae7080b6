/* Encoding of instructions, by the BPF instruction set (RFC 9669, section 3). */
#ifndef ODDCALL_STUB_BPF_COMMON_H
#define ODDCALL_STUB_BPF_COMMON_H
enum { BPF_LD, BPF_LDX, BPF_ST, BPF_STX, BPF_ALU, BPF_JMP, BPF_RET, BPF_MISC };
enum { BPF_W = 0x00, BPF_H = 0x08, BPF_B = 0x10 };
enum { BPF_IMM = 0x00, BPF_ABS = 0x20, BPF_IND = 0x40, BPF_MEM = 0x60 };
enum { BPF_ADD = 0x00, BPF_SUB = 0x10, BPF_OR = 0x40, BPF_AND = 0x50, BPF_XOR = 0xa0 };
enum { BPF_JA = 0x00, BPF_JEQ = 0x10, BPF_JGT = 0x20, BPF_JGE = 0x30, BPF_JSET = 0x40 };
enum { BPF_K = 0x00, BPF_X = 0x08, BPF_MAXINSNS = 4096 };
#endif
