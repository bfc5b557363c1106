/* SPDX-License-Identifier: MIT */
/*
 * A CPython interpreter inside a process: found, its version known, its layout chosen and validated,
 * its state located. Everything version-specific is behind this header.
 */
#ifndef PMT_PYTHON_PYTHON_H
#define PMT_PYTHON_PYTHON_H

#include "model/snapshot.h"
#include "python/lines.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file;
struct fault;
struct maps;
struct mem;
struct py_layout;
struct target;
struct vma;

struct python;

/*
 * Finds and validates the interpreter of t. Errors:
 *   ENOEXEC    not a Python process
 *   EAGAIN     Python, but its runtime is not initialised (yet): try again; *ret is filled, and
 *              python_probe_info() works, without the addresses of counters
 *   ENOTSUP    Python, but this build is not supported: the text says which version and why; *ret is
 *              filled all the same, python_id() works, and so does everything that needs no layout
 *   ENODATA    what has to be read first is swapped out; *ret is as with ENOTSUP
 *   else       could not look
 * With strict, an unmeasured patch release is ENOTSUP too.
 */
int python_open(struct python **ret, const struct target *t, bool strict, struct fault *f);
void python_close(struct python *p); /* accepts NULL */

/*
 * Cheap look for `list`: is it Python, which version; reads no state. 0, or -ENOEXEC.
 */
int python_peek(const struct target *t, struct python_id *ret, struct fault *f);

const struct python_id *python_id(const struct python *p);

/*
 * What sys._debugmallocstats() would print now, as numbers. Each arena is read between two reads of
 * its arena_object. 0, or -errno with a fault; losses are counted, not failures.
 */
int python_read_stats(struct python *p, struct malloc_stats *ret, struct read_losses *ret_losses,
		      struct fault *f);

/* Arenas allocated now, by pymalloc's own counter. -ENOTSUP where pymalloc is not in use. */
int python_read_arenas(struct python *p, uint64_t *ret);

/* One arena that is allocated. */
struct python_arena {
	uint64_t address;
	uint64_t bytes, used_bytes; /* used: of blocks in use */
	uint32_t pools, free_pools;
};

/* All of them, as python_read_stats() reads them. Caller frees *ret. -ENOTSUP: no pymalloc. */
int python_read_arena_list(struct python *p, struct python_arena **ret, size_t *ret_nr,
			   struct fault *f);

/* The allocator in use now (hooks can be installed at run time); updates python_id(). */
int python_read_allocator(struct python *p, enum allocator *ret, struct fault *f);

/* Number of interpreters (main and sub-), bounded. */
int python_count_interpreters(struct python *p, uint32_t *ret);

/*
 * The two counters BPF records at arena events: user addresses of size_t, and what else it needs to
 * tell the main interpreter's allocator from others (struct pmt_target in abi.h, but trace/ fills
 * that: this layer knows no BPF).
 */
struct python_probe_info {
	uint64_t arena_size;
	uint32_t pool_size; /* bytes */
	uint64_t ntimes_addr, narenas_addr;
	uint64_t obmalloc_addr, interp_addr;
	const struct py_layout *layout;
	bool pool_size_is_arg2;
	bool free_size_is_arg2; /* the probe sits where free() calls munmap(2) */

	/* the file to probe: borrowed; sites are offsets in it, 0 = none */
	int file_fd;
	uint64_t dev, inode;
	const char *file_name;
	uint64_t arena_alloc_offset; /* 0: the arena allocator is not CPython's own */
	uint64_t
		arena_mapped_offset; /* behind its call of mmap(2), the address in %rax; 0: unknown */
	uint64_t arena_free_offset;
	uint64_t new_pool_offset; /* 0: no symbol */
	const char *debug_wanted; /* file that would bring the symbol; "" */
};

/* ENOTSUP where pymalloc is not in use. */
int python_probe_info(struct python *p, struct python_probe_info *ret, struct fault *f);

/*
 * What a walker of Python stacks needs of this process (frames.h tells the rules). Addresses are
 * run-time ones; layout is borrowed.
 */
#define PYTHON_MAX_TEXT 8

struct python_walk_info {
	uint32_t version_hex;
	enum line_format line_format;
	int32_t lasti_unit; /* bytes that 1 in a frame's lasti stands for */
	const struct py_layout *layout;
	uint64_t runtime; /* _PyRuntime; 0: 3.6 has none */
	/* of the pointer to the first interpreter, next is interp_next; in 3.6 of interp_head, or 0 */
	uint64_t interpreters_head;
	uint64_t interp; /* the main interpreter; 0 with EAGAIN, or when 3.6 does not tell */
	/* of the pointer to the thread state that holds the GIL, until 3.11; 0 later */
	uint64_t tstate_current;
	uint64_t code_type; /* PyCode_Type: what the ob_type of every code object is */
	uint32_t nr_text;   /* code of the interpreter, libc and ld.so: not "native" */
	struct {
		uint64_t start, end;
	} text[PYTHON_MAX_TEXT];
};

/*
 * EAGAIN: the runtime is not initialised (yet), so that there is no main interpreter; everything else
 * is filled, and it can be called again. ENOTSUP: no layout describes this build.
 */
int python_walk_info(struct python *p, struct python_walk_info *ret, struct fault *f);

/*
 * The line table of the code object at `code`, if that is still the one whose name object and first
 * line were these. Caller frees *ret. ESTALE: it is another one by now, or none at all.
 */
int python_read_code_lines(struct python *p, uint64_t code, uint64_t name, int32_t first_line,
			   uint8_t **ret, size_t *ret_len);

/*
 * Where functions are entered and left in this build, and what tells one from the other. The sites are
 * chosen so that the kernel emulates their instruction (python/eval_sites.h says how).
 */
#define PYTHON_MAX_SITES 32

struct python_call_site {
	unsigned int role; /* enum pmt_call_site of calls_abi.h */
	uint64_t offset;   /* in the file */
	const char *name;  /* what it stands in: "RESUME_CHECK", "_PyEval_EvalFrameDefault" */
	bool emulated;	   /* else it is single-stepped: 10 us a hit instead of 0.7 */
	bool shared;	   /* other code jumps into the run before it: hits may be another's */
	uint8_t length;	   /* of the instruction */
	uint8_t bytes[15];
};

struct python_call_info {
	int file_fd; /* borrowed */
	uint64_t dev, inode;
	const char *file_name;
	uint32_t nr_sites;
	struct python_call_site sites[PYTHON_MAX_SITES];
	/* of the pointer to the thread state that holds the main interpreter's GIL; 0: not yet */
	uint64_t holder_addr;
	uint64_t shims_start, shims_end; /* where code objects are the interpreter's own; 0: none */
	uint32_t frame_arg;		 /* until 3.10: argument of the eval function, 1 or 2 */
	bool clears;	  /* returns and unwinds are seen at _PyEval_FrameClearAndPop */
	uint8_t ops[256]; /* PMT_OP_ bits of each opcode; all 0 until 3.10 */
};

/*
 * EAGAIN: the runtime is not initialised (yet): all is filled but holder_addr. ENOTSUP: entry and exit
 * of this build cannot be seen, and why: free-threaded, its JIT is on, no table of opcodes found.
 */
int python_call_info(struct python *p, struct python_call_info *ret, struct fault *f);

#endif
