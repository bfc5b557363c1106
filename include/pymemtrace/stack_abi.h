/* SPDX-License-Identifier: MIT */
/*
 * What the walk of the Python stack says and needs: records of code objects and of stacks, sums by
 * stack, and where in a process the walk begins. Included by abi.h's users after it.
 *
 * A code object gets a number at first sight (map `codes`), and its record goes through the ring
 * buffer `stack_events` before any stack that has it in a frame. A stack's record goes there when
 * its first sum is made. User space learns names and stacks from these records alone.
 */
#ifndef PYMEMTRACE_STACK_ABI_H
#define PYMEMTRACE_STACK_ABI_H

#include "pymemtrace/abi.h"
#include "pymemtrace/calls_abi.h"
#include "pymemtrace/layout.h"

#define PMT_MAX_FRAMES	 127
#define PMT_NAME_BYTES	 256  /* characters of a name, as stored (1, 2 or 4 bytes each) */
#define PMT_FILE_BYTES	 512  /* of a file name; of a longer one its end */
#define PMT_TABLE_BYTES	 1024 /* of a line table; a longer one is read from the process */
#define PMT_TABLE_UNREAD 0xffffffffu
#define PMT_TEXT_RANGES	 8
#define PMT_FRAME_BYTES	 128 /* at most, of a frame, a code object */
#define PMT_CODE_BYTES	 256
#define PMT_MAX_INTERPS	 16
#define PMT_MAX_THREADS	 512
#define PMT_OWNER_CSTACK 3 /* owners from here on are no Python frames: enum _frameowner */

/* Where a walk begins in one process; map `walks`, key __u32 tgid. */
struct pmt_walk {
	__u64 current_addr; /* of the pointer to the thread state that holds the GIL; 0 since 3.12 */
	__u64 interp_head_addr;		   /* of the pointer to the first interpreter; 0 in 3.6 */
	__u64 interp_addr;		   /* 3.6: the main interpreter */
	__u64 code_type;		   /* address of PyCode_Type */
	__u64 text_start[PMT_TEXT_RANGES]; /* of the interpreter, libc, ld.so: no native leaf */
	__u64 text_end[PMT_TEXT_RANGES];
	__u32 frame_bytes, code_bytes; /* what must be read of them */
	struct pmt_calls calls;
	struct py_layout layout;
};

struct pmt_frame {
	__u32 code;  /* its number */
	__s32 lasti; /* bytes from the first instruction; until 3.10 f_lasti as it is */
};

enum pmt_stack_rec_type { PMT_REC_CODE = 1, PMT_REC_STACK, PMT_REC_ARENA, PMT_REC_CHILD };

enum pmt_stack_flags { PMT_TRUNCATED = 1 << 0 /* more frames, towards the root */ };

/* Characters as a str object stores them. */
struct pmt_text {
	__u32 length;  /* characters; 0 and kind 0: could not be read */
	__u32 skipped; /* characters that were left out: of a name at its end, of a file in front */
	__u8 kind;     /* bytes per character: 1, 2, 4 */
	__u8 ascii;
	__u16 pad;
};

struct pmt_code_rec {
	__u32 type; /* PMT_REC_CODE */
	__u32 tgid;
	__u32 id;
	__s32 first_line;
	__u64 code, name_object;
	__u64 table;	  /* address of the line table's bytes */
	__u32 table_size; /* of it, the first PMT_TABLE_BYTES are here; or PMT_TABLE_UNREAD */
	__u32 pad;
	struct pmt_text name, file;
	__u8 name_bytes[PMT_NAME_BYTES];
	__u8 file_bytes[PMT_FILE_BYTES];
	__u8 table_bytes[PMT_TABLE_BYTES];
};

struct pmt_stack_rec {
	__u32 type; /* PMT_REC_STACK */
	__u32 tgid;
	__u64 stack;  /* the sums' key */
	__u64 native; /* user instruction pointer outside interpreter, libc and ld.so; 0: none */
	__u32 nr;
	__u32 flags;				     /* enum pmt_stack_flags */
	struct pmt_frame frames[PMT_MAX_FRAMES + 1]; /* the leaf first; only nr of them are sent */
};

/* An arena has its address. */
struct pmt_arena_rec {
	__u32 type; /* PMT_REC_ARENA */
	__u32 tgid, tid;
	__u32 pad;
	__u64 stack; /* who opened it; 0: no stack could be walked */
	__u64 address;
	__u64 time_ns; /* CLOCK_MONOTONIC */
	char comm[16];
};

/* A child is walked as its parent from its first instruction on. */
struct pmt_child_rec {
	__u32 type; /* PMT_REC_CHILD */
	__u32 tgid, parent;
	__u32 pad;
};

/* Addresses are used again, also those of names: check says what was in them. */
struct pmt_code_key {
	__u64 code, check;
	__s32 first_line;
	__u32 tgid;
};

struct pmt_sum_key {
	__u64 stack;
	__u32 tgid, tid;
	__u32 event;  /* enum pmt_stack_event */
	__u32 memory; /* enum pmt_memory */
};

struct pmt_sum {
	struct pmt_change change;
	__u64 first_ns, last_ns; /* CLOCK_MONOTONIC */
	char comm[16];
};

#endif
