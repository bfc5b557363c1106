/* SPDX-License-Identifier: MIT */
/*
 * Where every resident byte of one process is. The page tables say what is resident (pages); mappings
 * and those who know what is in them (allocators) say what it is. Whatever they say, each resident byte
 * is counted once, and
 *
 *	sum over all kinds == resident bytes of the pages given
 *
 * holds by construction: a target that lies can move bytes between kinds, and no more.
 *
 *	account_pages	  what is resident			(ascending)
 *	account_area	  "from here to there it is this kind"	(any order; the first to say so has it)
 *	account_part	  within an area, byte by byte		(ascending)
 *	account_close	  the sums
 */
#ifndef PMT_MODEL_ACCOUNT_H
#define PMT_MODEL_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum memory_kind {
	/* pymalloc */
	MEMORY_PY_LIVE,	      /* blocks in use */
	MEMORY_PY_FREE,	      /* free blocks, once used, in pools in use */
	MEMORY_PY_FREE_POOLS, /* pools without a block in use */
	MEMORY_PY_NEVER,      /* of pools in use, blocks never used */
	MEMORY_PY_OVERHEAD,   /* pool headers, what is left behind the last block, alignment */
	/* the C library's heap: brk, then the arenas of threads */
	MEMORY_HEAP_USED,
	MEMORY_HEAP_FREE, /* in bins */
	MEMORY_HEAP_TCACHE,
	MEMORY_HEAP_TOP,
	MEMORY_ARENA_USED,
	MEMORY_ARENA_FREE,
	MEMORY_ARENA_TCACHE,
	MEMORY_ARENA_TOP,
	MEMORY_ARENA_OVERHEAD, /* headers, fenceposts */
	MEMORY_HEAP_UNKNOWN,   /* it did not pass its own checks */
	MEMORY_MMAPPED,	       /* malloc's chunks that are mappings of their own */
	MEMORY_OTHER_MALLOC,   /* jemalloc, tcmalloc, mimalloc, musl */
	/* threads, Python's own */
	MEMORY_STACK,
	MEMORY_DATA_STACK, /* of Python frames, since 3.11 */
	/* files */
	MEMORY_FILE_TEXT,    /* of programs and libraries: text, read-only data */
	MEMORY_FILE_OTHER,   /* other files mapped */
	MEMORY_FILE_PRIVATE, /* copies of pages of files: data, relocations */
	MEMORY_BSS,
	MEMORY_SHARED, /* shmem: memfd, MAP_SHARED|MAP_ANONYMOUS, tmpfs */
	MEMORY_VDSO,
	MEMORY_ANONYMOUS, /* nobody knows */
	MEMORY_KINDS
};

const char *memory_kind_name(enum memory_kind k);		    /* "py_live": JSON members */
const char *memory_kind_text(enum memory_kind k);		    /* "live blocks" */
int memory_kind_from_name(const char *name, enum memory_kind *ret); /* -EINVAL */

struct account;
struct runs;

/* NULL when memory ran out. */
struct account *account_new(void);
void account_free(struct account *a); /* accepts NULL */

/*
 * Resident pages [start, end), behind those given before (runs_add()), or all at once: then pages is
 * empty afterwards, and account_runs() has them. Before the first area. -EINVAL, -ENOMEM
 */
int account_pages(struct account *a, uint64_t start, uint64_t end, unsigned int flags);
int account_take(struct account *a, struct runs *pages);
const struct runs *account_runs(const struct account *a);

/*
 * An area of one kind. What an earlier area has of it stays that one's; what is not resident does not
 * count. name: what it belongs to (a library's file, "thread 4711"), or NULL; copied. *ret, which may
 * be NULL, is for account_part. -ENOMEM
 */
struct account_area;
int account_area(struct account *a, uint64_t start, uint64_t end, enum memory_kind kind,
		 const char *name, struct account_area **ret);

/*
 * [start, end) of the area is of this kind and not of the area's own. Bytes outside the area, and
 * before the end of the part before, are left as they are.
 */
void account_part(struct account_area *area, uint64_t start, uint64_t end, enum memory_kind kind);

/*
 * Who has which bytes, for whom sums are not enough: told as soon as it is settled, so nothing of it is
 * kept here. Every resident byte that an area has is told once, by account_close() at the latest; those
 * of one area ascend, and neighbours may be of one kind.
 */
struct account_span {
	uint64_t start, end;
	enum memory_kind kind;
	/* the area as it was given, which earlier ones may have parts of */
	uint64_t area_start, area_end;
	enum memory_kind area_kind;
	size_t *mark; /* the watcher's own note of this area; 0 at first */
};
typedef void account_watch_fn(void *ctx, const struct account_span *s);

/* Before the first area. */
void account_watch(struct account *a, account_watch_fn *fn, void *ctx);

/* Resident bytes of [start, end). */
uint64_t account_resident(const struct account *a, uint64_t start, uint64_t end);

/*
 * Where an address ends up that is in no area with a resident byte: behind those that hold addr, one next
 * to the other; addr itself if there are none.
 */
uint64_t account_unclaimed(const struct account *a, uint64_t addr);

struct account_row {
	enum memory_kind kind;
	const char *name; /* borrowed; "" */
	uint64_t bytes;	  /* resident */
	uint64_t huge;	  /* of them, in huge pages */
	uint64_t exclusive;
};

/* The sums by kind and name, the largest first; what no area has is MEMORY_ANONYMOUS. */
int account_close(struct account *a, struct account_row **ret, size_t *ret_nr, uint64_t *ret_total);

#endif
