/* SPDX-License-Identifier: MIT */
/*
 * Internal to glibc/: malloc's structures as its versions lay them out, and what is known of one
 * process's malloc. Every number below that comes from the process is its own to choose.
 */
#ifndef PMT_GLIBC_INTERNAL_H
#define PMT_GLIBC_INTERNAL_H

#include "glibc/glibc.h"
#include "glibc/reader.h"

#include "base/fault.h"
#include "model/heap.h"
#include "target/maps.h"
#include "target/mem.h"

#include <inttypes.h>

#define MALLOC_ALIGN  16u
#define MIN_CHUNK     32u /* MINSIZE */
#define CHUNK_HEADER  16u /* prev_size, size */
#define PREV_INUSE    1u
#define IS_MMAPPED    2u
#define NON_MAIN      4u
#define CHUNK_FLAGS   7u
#define NR_BINS	      127u
#define NR_FASTBINS   10u
#define HEAP_MAX_SIZE (64ull << 20) /* of thread arenas' heaps, and their alignment */

#define ARENAS_MAX  4096u
#define HEAPS_MAX   65536u
#define THREADS_MAX 65536u
#define NO_HEAP	    UINT32_MAX
#define ADDRESS_MAX (1ull << 47)

/* What differs from version to version. Offsets in bytes. */
struct glibc_layout {
	unsigned int minor;	  /* first of the versions 2.x */
	uint16_t bins;		  /* of bins[] in malloc_state; what lies behind it never changed */
	uint16_t state_bytes;	  /* sizeof(struct malloc_state) */
	uint16_t heap_info_bytes; /* sizeof(heap_info) */
	bool safe_linking;	  /* links of lists are mixed with their own address */
	bool has_fastbins;
	uint16_t tcache_bins;
	bool tcache_remaining; /* num_slots[]: what still fits, and not counts[] */
	bool mmapped_less;     /* the size of an mmapped chunk leaves its header out */
	/* of malloc_par, relative to sbrk_base, which can be recognised */
	int16_t trim_threshold, mmap_threshold, thp_pagesize, n_mmaps, no_dyn_threshold;
};

/* Relative to bins[] in malloc_state. */
enum {
	STATE_TOP = -16,
	STATE_NEXT = 2048,
	STATE_ATTACHED = 2064,
	STATE_SYSTEM_MEM = 2072,
	STATE_MAX_SYSTEM_MEM = 2080,
	STATE_END = 2088,
};

/* Relative to sbrk_base in malloc_par. */
enum {
	PAR_N_MMAPS_MAX = 4, /* behind n_mmaps */
	PAR_MAX_N_MMAPS = 8,
	PAR_MMAPPED_MEM = -16,
	PAR_MAX_MMAPPED_MEM = -8,
	PAR_TCACHE_BINS = 8,
	PAR_TCACHE_MAX_BYTES = 16,
	PAR_TCACHE_COUNT = 24,
	PAR_END = 40,
	PAR_START = -104, /* at most */
};

struct malloc_par {
	uint64_t sbrk_base, trim_threshold, mmap_threshold, thp_pagesize, mmapped_mem, tcache_count;
	int32_t n_mmaps, no_dyn_threshold;
};

struct thread {
	uint64_t tcb; /* struct pthread, where the thread pointer points */
	int32_t tid; /* as the process sees it; <= 0: it has ended, its stack is kept for another */
	uint64_t stack, stack_end; /* with the guard; 0: not glibc's to know (the main thread's) */
};

/* What a chunk is. The first that are lists' are also the marks of their chunks. */
enum chunk_kind {
	CHUNK_USED,
	CHUNK_FAST,   /* in a fastbin: free, but seen as in use by its neighbours */
	CHUNK_TCACHE, /* in the cache of a thread, likewise */
	CHUNK_FREE,   /* in a bin */
	CHUNK_OVERHEAD,
	CHUNK_TOP,
};

/* Two bits for each 16 bytes, in pieces of 1 MiB of the heap, made when needed. */
#define MARK_PIECE_SHIFT 20
struct marks {
	uint8_t **pieces;
	size_t nr_pieces;
	uint64_t start;
};

struct chunk_log;

/* A stretch of memory with chunks side by side. */
struct heap {
	uint64_t start, end; /* all of it: heap_info, malloc_state, chunks */
	uint64_t first;	     /* chunk */
	uint64_t stop;	     /* top, or where the fencepost of a full heap must be */
	bool has_top;
	uint32_t arena; /* its index */
	uint32_t next;	/* of the arena's, ascending; NO_HEAP */
	struct marks marks;
};

struct arena {
	uint64_t state; /* struct malloc_state */
	uint64_t top, top_size, system_mem;
	uint64_t fast[NR_FASTBINS];
	bool main, locked, contiguous;
	bool settled; /* why will be the same in another reading */
	uint32_t nr_heaps, first_heap;
	uint64_t nr_fast,
		fast_seen; /* chunks on its fastbins' lists, and come across in its heaps */
	char why[128];	   /* why it is not classified; "" if it is */
};

struct glibc {
	const struct target *target;
	const struct maps *maps;
	struct mem *mem;
	struct reader *reader;
	const struct glibc_layout *layout;
	unsigned int minor; /* of 2.36: 36 */
	char version[16];
	uint64_t main_arena, par_at; /* of sbrk_base */
	bool in_use;		     /* or else there is nothing but its threads */

	struct malloc_par par;
	struct arena *arenas;
	size_t nr_arenas;
	struct heap *heaps; /* ascending */
	size_t nr_heaps;
	bool ring_closed;

	struct thread *threads;
	size_t nr_threads;
	bool has_threads; /* they have been sought */
};

/* --- layout.c ------------------------------------------------------------------------------- */

/* NULL: older than all that are known. Newer ones are taken for the newest. */
const struct glibc_layout *glibc_layout(unsigned int minor);

/* --- find.c, find_arena.c -------------------------------------------------------------------- */

/* The mapping is of the C library, the dynamic linker, libpthread. */
bool glibc_is_libc(const struct vma *v);
bool glibc_is_loader(const struct vma *v);

/* Version of the C library whose first mapping is first. -ENOENT: not to be found. */
int glibc_version(struct glibc *g, const struct vma *first);

/*
 * Finds main_arena and malloc_par in [start, end), the C library's data; sets in_use. -ENOENT: they are
 * not there.
 */
int glibc_find_state(struct glibc *g, uint64_t start, uint64_t end);

/* --- arena.c --------------------------------------------------------------------------------- */

/* Memory as malloc maps it; of MAP_HUGETLB, as the kernel names it (hugetlb_file_setup() in fs/hugetlbfs). */
bool glibc_is_memory(const struct vma *v);
bool glibc_is_hugetlb(const struct vma *v);

/* Reads malloc_par, the list of arenas and their heaps anew. */
int glibc_read_arenas(struct glibc *g);
void glibc_forget_arenas(struct glibc *g);

struct heap *glibc_heap_at(const struct glibc *g, uint64_t addr); /* NULL if it is in none */
/* The first that begins behind addr, or NULL. */
const struct heap *glibc_heap_behind(const struct glibc *g, uint64_t addr);

/* Why it is not classified; the first reason stays. */
void arena_fail(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- lists.c --------------------------------------------------------------------------------- */

/* The chunk at addr is on a list. -EEXIST: on another already, -ENOENT: in no heap. */
int glibc_mark(struct glibc *g, uint64_t chunk, enum chunk_kind kind);
enum chunk_kind glibc_marked(const struct heap *h, uint64_t chunk);
void marks_done(struct marks *m);

/* Follows the fastbins of a and marks their chunks; fails a. -ENOMEM, -ESRCH */
int glibc_follow_fastbins(struct glibc *g, struct arena *a);

/* The address behind a link of a list, whose word at `at` is `word`. */
static inline uint64_t glibc_reveal(const struct glibc *g, uint64_t at, uint64_t word)
{
	return g->layout->safe_linking ? word ^ at >> 12 : word;
}

/* --- tcache.c -------------------------------------------------------------------------------- */

/* Finds the cache of each thread and marks its chunks. *ret_nr: how many. why: "" or what was wrong. */
int glibc_follow_tcaches(struct glibc *g, uint64_t *ret_nr, char *why, size_t why_size);

/* --- walk.c ---------------------------------------------------------------------------------- */

struct walk {
	struct account *account;
	uint64_t used, free, fast, tcache, overhead, nr_tcache; /* bytes, and chunks of tcaches */
	uint64_t pinned[HEAP_PINS], large, top; /* what malloc_trim(0) returns of them */
	uint64_t largest_free;
	uint64_t run; /* where the free memory begins that the walk is in; 0: it is not */
};

/* The chunks of h into log and sums into w; fails the heap's arena. -ENOMEM, -ESRCH */
int glibc_walk_heap(struct glibc *g, struct heap *h, struct walk *w, struct chunk_log *log);

/* --- trim.c ---------------------------------------------------------------------------------- */

/* Resident bytes that malloc_trim(0) returns of free memory [start, end) within an arena. */
uint64_t trim_of_free(const struct account *a, uint64_t start, uint64_t end);
/* And of the main arena's top, with the free memory before it. */
uint64_t trim_of_top(const struct glibc *g, const struct account *a, uint64_t start, uint64_t end);

/* --- mmapped.c ------------------------------------------------------------------------------- */

/* Areas of chunks that are mappings of their own. why: "" or why these may not be all, or others. */
int glibc_mmapped(struct glibc *g, struct account *a, char *why, size_t why_size);

/* --- threads.c ------------------------------------------------------------------------------- */

/* Fills threads[], once. */
int glibc_read_threads(struct glibc *g);
/* As many as the kernel knows of; or else the TID of one that is missing. */
bool glibc_knows_all_threads(struct glibc *g, int32_t *ret_missing);

#endif
