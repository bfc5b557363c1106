/* SPDX-License-Identifier: MIT */
/*
 * What the files of this layer share: one interpreter, located. Nobody outside user/python includes
 * this.
 */
#ifndef PMT_PYTHON_INTERNAL_H
#define PMT_PYTHON_INTERNAL_H

#include <linux/types.h>

#include "python/python.h"

#include "pymemtrace/layout.h"
#include "target/elf.h"
#include "target/maps.h"
#include "target/mem.h"
#include "target/target.h"

/* The file that holds the interpreter, as it is mapped in one process. */
struct py_file {
	struct elf_file *elf;
	int fd;
	uint64_t bias;	/* run-time minus link-time address */
	uint64_t start; /* first and last address of its mappings */
	uint64_t end;
	uint64_t dev, inode;
	char *name; /* path as the target sees it, escaped for messages */
	bool shared;
};

/*
 * Run-time addresses of pymalloc's state. In 3.12 and later they follow from the main interpreter's
 * struct _obmalloc_state; before, they are file-static objects of Objects/obmalloc.c.
 */
struct py_obmalloc {
	uint64_t arenas;		       /* of the pointer to arena_object[maxarenas] */
	uint64_t maxarenas;		       /* of a u32 */
	uint64_t narenas, ntimes, highwater;   /* of size_t */
	uint64_t map_mid_count, map_bot_count; /* of int; 0: no radix tree */
	uint64_t serialno;		       /* of size_t, 3.6 and 3.7; 0: unknown */
	uint64_t map_root_bytes, map_mid_bytes, map_bot_bytes; /* node sizes */
	uint32_t arena_bytes, pool_bytes;
	uint32_t alignment; /* 8 or 16; 0 until a pool in use has told it */
	uint64_t state;	    /* 3.12+: struct _obmalloc_state */
};

enum py_free_list_kind {
	FREE_CFUNCTION,
	FREE_DICT,
	FREE_DICTKEYS,
	FREE_FLOAT,
	FREE_FRAME,
	FREE_LIST,
	FREE_METHOD,
	FREE_TUPLE,
	FREE_KINDS
};

/* Where the counters of the types' free lists are; 0: this version has no such list. */
struct py_free_lists {
	uint64_t counter[FREE_KINDS]; /* FREE_TUPLE: the first element */
	uint32_t counter_bytes;	      /* 4: int, 8: Py_ssize_t */
	uint32_t nr_tuples;	      /* lists of tuples printed */
	uint32_t first_tuple_len;     /* length that element 0 of the printed ones stands for */
	uint32_t tuple_stride;
	uint64_t item_bytes[FREE_KINDS]; /* FREE_TUPLE: of length 0 */
	unsigned int missing;		 /* kinds that exist but could not be found: bit per kind */
};

/* Allocator tables (PyMemAllocatorEx) and functions to compare with; 0: not known. */
struct py_allocators {
	uint64_t raw, mem, obj;		      /* addresses of the tables */
	uint64_t arena;			      /* of the PyObjectArenaAllocator */
	uint64_t object_malloc, debug_malloc; /* of the functions, <= 3.11 */
};

struct python {
	const struct target *target;
	struct maps maps;
	struct mem *mem;
	struct py_file file;
	struct python_id id;
	struct py_layout layout;
	bool has_tables;  /* file, layout and allocator tables: enough for probes */
	bool has_layout;  /* everything located: state can be read */
	uint64_t runtime; /* _PyRuntime, 3.7+ */
	uint64_t interp;  /* main PyInterpreterState; 0 if unknown (3.6) */
	struct py_obmalloc obmalloc;
	bool has_obmalloc;
	struct py_free_lists free_lists;
	struct py_allocators allocators;
	struct py_arena_list *list; /* while python_read_arena_list() runs: each arena read */
};

struct python_threads;

#define PY_MINOR(hex) ((hex) >> 16)

/* find.c: the interpreter's file among the mappings. -ENOEXEC. */
int py_file_find(struct py_file *ret, const struct target *t, const struct maps *maps,
		 struct fault *f);
void py_file_done(struct py_file *file);
/* Run-time address of a symbol of the interpreter's file; -ENOENT. */
int py_file_address(const struct py_file *file, const char *symbol, uint64_t *ret_addr,
		    uint64_t *ret_size);

/* version.c: version, debug build and free-threaded, from the file alone. */
int py_version_read(const struct py_file *file, struct python_id *ret, struct fault *f);

/* locate.c: runtime, main interpreter, pymalloc's state, free lists, allocator tables. */
int py_locate(struct python *p, struct fault *f);
/* Only the main interpreter; EAGAIN while there is none. */
int py_locate_interpreter(struct python *p, struct fault *f);
/* Where the pointer to the first of the list of interpreters is; 0: not found (3.6). */
uint64_t py_interpreters_head(const struct python *p);

/* allocator.c */
int py_allocator_read(struct python *p, enum allocator *ret, bool *ret_tracemalloc,
		      bool *ret_printed, struct fault *f);

/* obmalloc.c */
int py_obmalloc_walk(struct python *p, struct malloc_stats *ret, struct read_losses *losses,
		     struct fault *f);
int py_obmalloc_validate(struct python *p, struct fault *f);

/* arena_list.c: what a walk saw, arena by arena. */
#define PY_ARENA_POOLS 64

enum py_pool_state {
	PY_POOL_UNTOUCHED, /* not carved out of its arena yet */
	PY_POOL_UNREAD,	   /* its header is not resident */
	PY_POOL_INVALID,
	PY_POOL_FREE,
	PY_POOL_USED,
};

struct py_pool {
	uint8_t state, szidx;
	uint16_t count, blocks; /* in use, and how many it has room for */
	uint32_t nextoffset;	/* of the first block never used */
};

struct py_arena_list {
	struct python_arena *arenas;
	struct py_pool *pools; /* PY_ARENA_POOLS for each arena; only with_pools */
	size_t nr, size;
	bool with_pools;
	bool failed; /* memory ran out */
};

/* pools: PY_ARENA_POOLS, in the order of their addresses. */
void py_arena_list_add(struct py_arena_list *l, const struct python_arena *a,
		       const struct py_pool *pools);
void py_arena_list_done(struct py_arena_list *l);
/* Walks them all into an empty list. */
int py_arena_list_read(struct python *p, struct py_arena_list *l, struct fault *f);

/* freelists.c */
void py_free_lists_locate(struct python *p);
void py_free_lists_read(struct python *p, struct malloc_stats *ret, struct read_losses *losses);

/* walk.c: of the pointer to the thread state that holds the GIL, until 3.11; 0 later */
uint64_t py_tstate_current(const struct python *p);

/* frames.c: the lists alone, from what is known of the process. */
int py_walk_threads(struct python *p, const struct python_walk_info *info,
		    struct python_threads *ret);

#endif
