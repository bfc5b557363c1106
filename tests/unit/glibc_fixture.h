/* SPDX-License-Identifier: MIT */
/*
 * A process with glibc's malloc, made by hand: the C library's data, a main heap, an arena of a thread
 * with two heaps, mmapped chunks, two threads. Tests change bytes of it before it is read.
 */
#ifndef TESTS_UNIT_GLIBC_FIXTURE_H
#define TESTS_UNIT_GLIBC_FIXTURE_H

#include "glibc/internal.h"
#include "model/account.h"
#include "model/heap.h"
#include "target/mem_image.h"
#include "target/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIBC	  0x7f0000000000ull /* .rodata; .data is 2 pages further on */
#define LIBC_DATA (LIBC + 0x2000)
#define MAIN	  (LIBC_DATA + 0x100)
#define PAR	  (LIBC_DATA + 0xc00) /* sbrk_base */
#define HEAP	  0x555500000000ull
#define HEAP_LEN  0x21000ull
#define HEAP2	  0x7f0004000000ull /* of the thread's arena: the older one */
#define HEAP3	  0x7f0008000000ull /* and the newer one, with top */
#define SUB_LEN	  0x3000ull
#define LOADER	  0x7f0010000000ull
#define HEAD_USED (LOADER + 0x100) /* of the list of threads with stacks of glibc's */
#define HEAD_USER (LOADER + 0x140)
#define TLS	  0x7f0020000000ull
#define TCB_MAIN  (TLS + 0x1000)
#define STACK	  0x7f0030000000ull
#define STACK_LEN 0x10000ull
#define TCB_OTHER (STACK + STACK_LEN - 0x1000)
#define MAPPED	  0x7f0040000000ull
#define MAPPED_1  0x22000ull
#define MAPPED_2  0x3000ull
#define TCACHE_AT 0x40 /* below the thread pointer */
#define NR_RANGES 9

struct range {
	uint64_t start, len;
	uint8_t *bytes;
};

struct scene {
	unsigned int minor;
	const struct glibc_layout *layout;
	struct range ranges[NR_RANGES];
	uint64_t hole;		       /* a page that is not there; 0: none */
	uint64_t claimed, claimed_end; /* by another, before malloc is walked */
	char maps_text[4096];
	/* once it is read */
	struct maps maps;
	struct mem *mem;
	struct account *account;
	struct glibc *g;
	struct heap_stats stats;
	struct fault fault;
	struct account_row *rows;
	size_t nr_rows;
	uint64_t total;
};

/* One chunk: 'u'sed, 'f'ree in a bin, in a fast'b'in, in the 't'cache of the main thread, 'c': that cache. */
struct part {
	char kind;
	uint64_t size;
};

static inline uint8_t *scene_at(struct scene *s, uint64_t addr)
{
	for (int i = 0; i < NR_RANGES; i++)
		if (addr >= s->ranges[i].start && addr - s->ranges[i].start < s->ranges[i].len)
			return s->ranges[i].bytes + (addr - s->ranges[i].start);
	abort();
}

static inline void put64(struct scene *s, uint64_t addr, uint64_t v)
{
	memcpy(scene_at(s, addr), &v, 8);
}

static inline uint64_t get64(struct scene *s, uint64_t addr)
{
	uint64_t v;

	memcpy(&v, scene_at(s, addr), 8);
	return v;
}

static inline void put32(struct scene *s, uint64_t addr, uint32_t v)
{
	memcpy(scene_at(s, addr), &v, 4);
}

static inline uint64_t mangle(const struct scene *s, uint64_t at, uint64_t next)
{
	return s->layout->safe_linking ? next ^ at >> 12 : next;
}

/* In front of a list that begins at head; links lie `in` bytes within the chunk or block. */
static inline void push(struct scene *s, uint64_t head, uint64_t node, uint64_t in)
{
	put64(s, node + in, mangle(s, node + in, get64(s, head)));
	put64(s, head, node);
}

static inline uint64_t entries_of(const struct scene *s, uint64_t cache)
{
	return cache + 2ull * s->layout->tcache_bins;
}

/* Into the cache of the main thread, whose chunk is the first of the heap. */
static inline void put_in_tcache(struct scene *s, uint64_t chunk, uint64_t size)
{
	uint64_t cache = HEAP + 16, bin = (size - 32) / 16;
	uint16_t *count = (uint16_t *)(void *)(scene_at(s, cache) + 2 * bin);

	*count = (uint16_t)(s->layout->tcache_remaining ? *count - 1 : *count + 1);
	push(s, entries_of(s, cache) + 8 * bin, chunk + 16, 0);
}

/* Writes the chunks from `at` on; returns where they end, and the flag for what comes next there. */
static inline uint64_t put_chunks(struct scene *s, uint64_t arena, uint64_t at,
				  const struct part *parts, uint64_t *ret_flag)
{
	uint64_t flag = PREV_INUSE;

	for (const struct part *p = parts; p->size; p++) {
		put64(s, at + 8, p->size | flag | (arena != MAIN ? NON_MAIN : 0));
		flag = p->kind == 'f' ? 0 : PREV_INUSE;
		if (p->kind == 'f')
			put64(s, at + p->size, p->size);
		if (p->kind == 'b')
			push(s, arena + 16 + 8 * (p->size / 16 - 2), at, 16);
		if (p->kind == 't')
			put_in_tcache(s, at, p->size);
		at += p->size;
	}
	*ret_flag = flag;
	return at;
}

static inline void put_state(struct scene *s, uint64_t arena, uint64_t top, uint64_t system_mem,
			     uint64_t next)
{
	uint64_t bins = arena + s->layout->bins;

	for (unsigned int i = 0; i < NR_BINS; i++) {
		put64(s, bins + 16 * i, bins + 16 * i - 16);
		put64(s, bins + 16 * i + 8, bins + 16 * i - 16);
	}
	put64(s, bins + (uint64_t)STATE_TOP, top);
	put64(s, bins + STATE_NEXT, next);
	put64(s, bins + STATE_ATTACHED, 1);
	put64(s, bins + STATE_SYSTEM_MEM, system_mem);
	put64(s, bins + STATE_MAX_SYSTEM_MEM, system_mem);
}

static inline void put_thread(struct scene *s, uint64_t head, uint64_t tcb, int tid, uint64_t stack,
			      uint64_t len)
{
	put64(s, tcb, tcb);
	put64(s, tcb + 16, tcb);
	put64(s, tcb + 704, head);
	put64(s, tcb + 712, head);
	put64(s, head, tcb + 704);
	put64(s, head + 8, tcb + 704);
	put32(s, tcb + 720, (uint32_t)tid);
	put64(s, tcb + 1680, stack);
	put64(s, tcb + 1688, len);
}

static inline void put_par(struct scene *s)
{
	const struct glibc_layout *l = s->layout;

	put64(s, PAR, HEAP);
	put64(s, PAR + (uint64_t)l->trim_threshold, 131072);
	put64(s, PAR + (uint64_t)l->mmap_threshold, 131072);
	put32(s, PAR + (uint64_t)l->n_mmaps, 2);
	put32(s, PAR + (uint64_t)l->n_mmaps + PAR_N_MMAPS_MAX, 65536);
	put32(s, PAR + (uint64_t)l->n_mmaps + PAR_MAX_N_MMAPS, 2);
	put64(s, PAR + (uint64_t)PAR_MMAPPED_MEM, MAPPED_1 + MAPPED_2);
	put64(s, PAR + (uint64_t)PAR_MAX_MMAPPED_MEM, MAPPED_1 + MAPPED_2);
	put64(s, PAR + PAR_TCACHE_BINS, 64);
	put64(s, PAR + PAR_TCACHE_MAX_BYTES, 1032);
	put64(s, PAR + PAR_TCACHE_COUNT, 7);
}

static inline void put_heap_info(struct scene *s, uint64_t heap, uint64_t prev)
{
	put64(s, heap, HEAP2 + s->layout->heap_info_bytes);
	put64(s, heap + 8, prev);
	put64(s, heap + 16, SUB_LEN);
}

/* The end of a heap that another follows. */
static inline void put_fencepost(struct scene *s, uint64_t end, uint64_t flag)
{
	put64(s, end - 24, 0x10 | flag);
	put64(s, end - 8, PREV_INUSE);
}

/* A heap's chunks and its top; used bytes fill what is between. */
static inline uint64_t put_main_heap(struct scene *s, const struct part *parts)
{
	uint64_t flag, top = put_chunks(s, MAIN, HEAP, parts, &flag);

	put64(s, top + 8, (HEAP + HEAP_LEN - top) | flag);
	put_state(s, MAIN, top, HEAP_LEN, HEAP2 + s->layout->heap_info_bytes);
	return top;
}

static inline uint64_t tcache_chunk(const struct scene *s)
{
	return s->layout->tcache_remaining ? 0x300 : 0x290;
}

static inline void put_tcache(struct scene *s)
{
	uint64_t cache = HEAP + 16;

	for (unsigned int i = 0; s->layout->tcache_remaining && i < s->layout->tcache_bins; i++)
		memcpy(scene_at(s, cache + 2 * i), &(uint16_t){7}, 2);
	put64(s, TCB_MAIN - TCACHE_AT, cache);
}

static inline void put_thread_arena(struct scene *s)
{
	uint64_t arena = HEAP2 + s->layout->heap_info_bytes, flag, at;
	uint64_t first = (arena + s->layout->state_bytes + 15) & ~15ull;
	const struct part older[] = {
		{'u', 0x100}, {'f', HEAP2 + SUB_LEN - 32 - first - 0x100}, {0}};
	const struct part newer[] = {{'u', 0x800}, {'f', 0x1200}, {'u', 0x40}, {0}};

	put_heap_info(s, HEAP2, 0);
	put_heap_info(s, HEAP3, HEAP2);
	put_chunks(s, arena, first, older, &flag);
	put_fencepost(s, HEAP2 + SUB_LEN, flag);
	at = put_chunks(s, arena, HEAP3 + s->layout->heap_info_bytes, newer, &flag);
	put64(s, at + 8, (HEAP3 + SUB_LEN - at) | flag);
	put_state(s, arena, at, 2 * SUB_LEN, MAIN);
}

static inline void put_mapped(struct scene *s)
{
	uint64_t less = s->layout->mmapped_less ? 16 : 0;

	put64(s, MAPPED + 8, (MAPPED_1 - less) | IS_MMAPPED);
	put64(s, MAPPED + MAPPED_1 + 8, (MAPPED_2 - less) | IS_MMAPPED);
}

static inline void scene_new(struct scene *s, unsigned int minor, const struct part *parts)
{
	static const uint64_t where[NR_RANGES][2] = {
		{HEAP, HEAP_LEN}, {LIBC, 0x1000},     {LIBC_DATA, 0x2000},
		{HEAP2, SUB_LEN}, {HEAP3, SUB_LEN},   {LOADER, 0x1000},
		{TLS, 0x2000},	  {STACK, STACK_LEN}, {MAPPED, MAPPED_1 + MAPPED_2},
	};

	*s = (struct scene){.minor = minor, .layout = glibc_layout(minor)};
	for (int i = 0; i < NR_RANGES; i++)
		s->ranges[i] = (struct range){where[i][0], where[i][1], calloc(1, where[i][1])};
	snprintf((char *)scene_at(s, LIBC + 0x700), 64,
		 "GNU C Library stable release version 2.%u.\n", minor);
	snprintf(s->maps_text, sizeof(s->maps_text),
		 "%llx-%llx rw-p 0 00:00 0 [heap]\n"
		 "%llx-%llx r--p 00000000 fe:00 1311 /usr/lib/libc.so.6\n"
		 "%llx-%llx rw-p 00002000 fe:00 1311 /usr/lib/libc.so.6\n"
		 "%llx-%llx rw-p 0 00:00 0\n"
		 "%llx-%llx ---p 0 00:00 0\n"
		 "%llx-%llx rw-p 0 00:00 0\n"
		 "%llx-%llx rw-p 00000000 fe:00 1312 /usr/lib/ld-linux-x86-64.so.2\n"
		 "%llx-%llx rw-p 0 00:00 0\n"
		 "%llx-%llx rw-p 0 00:00 0\n"
		 "%llx-%llx rw-p 0 00:00 0\n"
		 "%llx-%llx rw-p 0 00:00 0\n",
		 HEAP, HEAP + HEAP_LEN, LIBC, LIBC + 0x1000, LIBC_DATA, LIBC_DATA + 0x2000, HEAP2,
		 HEAP2 + SUB_LEN, HEAP2 + SUB_LEN, HEAP3, HEAP3, HEAP3 + SUB_LEN, LOADER,
		 LOADER + 0x1000, TLS, TLS + 0x2000, STACK, STACK + STACK_LEN, MAPPED,
		 MAPPED + 0x1000, MAPPED + 0x1000, MAPPED + MAPPED_1 + MAPPED_2);
	put_tcache(s);
	put_main_heap(s, parts);
	put_thread_arena(s);
	put_par(s);
	put_mapped(s);
	put_thread(s, HEAD_USER, TCB_MAIN, 100, 0, 0x7fff00000000);
	put_thread(s, HEAD_USED, TCB_OTHER, 101, STACK, STACK_LEN);
}

/* As a memory image; *ret is the caller's. */
static inline void *scene_image(const struct scene *s, size_t *ret_len)
{
	struct {
		char magic[8];
		uint32_t version, nr;
	} head = {"PMTIMAGE", 1, 0};
	size_t len = sizeof(head), at;
	uint8_t *image;

	for (int i = 0; i < NR_RANGES; i++) {
		head.nr += (uint32_t)(s->ranges[i].len / MEM_PAGE);
		len += s->ranges[i].len + s->ranges[i].len / MEM_PAGE * 16;
	}
	image = calloc(1, len);
	at = sizeof(head) + head.nr * 16u;
	head.nr = 0;
	for (int i = 0; i < NR_RANGES; i++)
		for (uint64_t page = 0; page < s->ranges[i].len; page += MEM_PAGE) {
			uint64_t r[2] = {s->ranges[i].start + page, MEM_PAGE};

			if (r[0] == s->hole)
				continue;
			memcpy(image + sizeof(head) + head.nr++ * 16u, r, sizeof(r));
			memcpy(image + at, s->ranges[i].bytes + page, MEM_PAGE);
			at += MEM_PAGE;
		}
	if (s->hole) { /* one entry fewer: the bytes begin earlier */
		memmove(image + sizeof(head) + head.nr * 16u,
			image + sizeof(head) + head.nr * 16u + 16, at);
		at -= 16;
	}
	memcpy(image, &head, sizeof(head));
	*ret_len = at;
	return image;
}

/* Opens it and, if that can be, walks it. Returns what glibc_open or glibc_walk did. */
static inline int scene_read(struct scene *s)
{
	size_t len;
	void *image = scene_image(s, &len);
	int err = maps_parse(&s->maps, s->maps_text, strlen(s->maps_text));

	if (!err)
		err = mem_image_parse(&s->mem, image, len, &s->fault);
	free(image);
	s->account = account_new();
	for (size_t i = 0; i < s->maps.nr && !err; i++)
		for (uint64_t at = s->maps.v[i].start; at < s->maps.v[i].end && !err;
		     at += MEM_PAGE) {
			uint64_t bit;

			if (s->maps.v[i].end - s->maps.v[i].start > 1 << 20)
				break;
			err = mem_presence(s->mem, at, 1, &bit);
			if (!err && bit & 1)
				err = account_pages(s->account, at, at + MEM_PAGE, 0);
		}
	if (!err && s->claimed_end)
		err = account_area(s->account, s->claimed, s->claimed_end, MEMORY_PY_LIVE, NULL,
				   NULL);
	if (!err)
		err = glibc_open(&s->g, NULL, &s->maps, s->mem, &s->fault);
	if (!err)
		err = glibc_walk(s->g, s->account, &s->stats, &s->fault);
	account_close(s->account, &s->rows, &s->nr_rows, &s->total);
	return err;
}

/* Walks it once more, after its bytes have changed. */
static inline int scene_read_again(struct scene *s)
{
	size_t len;
	void *image = scene_image(s, &len);

	mem_close(s->mem);
	reader_close(s->g->reader);
	if (mem_image_parse(&s->mem, image, len, &s->fault) || reader_open(&s->g->reader, s->mem))
		abort();
	free(image);
	s->g->mem = s->mem;
	return glibc_walk(s->g, s->account, &s->stats, &s->fault);
}

static inline uint64_t row(const struct scene *s, enum memory_kind kind)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->nr_rows; i++)
		sum += s->rows[i].kind == kind ? s->rows[i].bytes : 0;
	return sum;
}

static inline void scene_done(struct scene *s)
{
	glibc_close(s->g);
	account_free(s->account);
	free(s->rows);
	mem_close(s->mem);
	maps_done(&s->maps);
	for (int i = 0; i < NR_RANGES; i++)
		free(s->ranges[i].bytes);
}

#endif
