/* SPDX-License-Identifier: MIT */
/*
 * Prints, as JSON, what user/glibc reads of a process's malloc, for tests/live/test_glibc:
 *
 *	print_glibc PID [pause]
 *	{"status": 0, "fault": "", "exact": true, "why_not": "", "arena": 2007040, ..., "rows":
 *	 [["heap_used", "", 1392640], ["stack", "thread 4711", 81920], ...], "ms": 12.5}
 */
#include "base/clock.h"
#include "base/fault.h"
#include "glibc/glibc.h"
#include "model/account.h"
#include "model/heap.h"
#include "target/mem.h"
#include "target/target.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW_PAGES 4096u

static int add_pages(struct account *a, struct mem *mem, uint64_t start, uint64_t end)
{
	uint64_t bits[WINDOW_PAGES / 64];
	int err = 0;

	while (start < end && !err) {
		size_t nr = (end - start) / MEM_PAGE;

		nr = nr < WINDOW_PAGES ? nr : WINDOW_PAGES;
		err = mem_presence(mem, start, nr, bits);
		for (size_t i = 0; i < nr && !err; i++)
			if (bits[i / 64] >> i % 64 & 1)
				err = account_pages(a, start + i * MEM_PAGE,
						    start + (i + 1) * MEM_PAGE, 0);
		start += nr * MEM_PAGE;
	}
	return err;
}

static json_t *rows_json(struct account *a)
{
	json_t *rows = json_array();
	struct account_row *v = NULL;
	uint64_t total;
	size_t nr = 0;

	if (account_close(a, &v, &nr, &total))
		return rows;
	for (size_t i = 0; i < nr; i++)
		json_array_append_new(rows, json_pack("[ssI]", memory_kind_name(v[i].kind),
						      v[i].name, (json_int_t)v[i].bytes));
	free(v);
	return rows;
}

static void set(json_t *doc, const char *name, uint64_t value)
{
	json_object_set_new(doc, name, json_integer((json_int_t)value));
}

static void print(int err, const struct fault *f, const struct heap_stats *s, json_t *rows,
		  int64_t walk_ns)
{
	json_t *doc =
		json_pack("{si ss ss sb ss sb so sf}", "status", err, "fault", f->text, "version",
			  s->version, "exact", s->exact, "why_not", s->why_not, "thresholds_grew",
			  s->thresholds_grew, "rows", rows, "ms", (double)walk_ns / 1e6);

	set(doc, "arenas", s->arenas);
	set(doc, "arena", s->arena);
	set(doc, "fordblks", s->fordblks);
	set(doc, "uordblks", s->uordblks);
	set(doc, "hblks", s->hblks);
	set(doc, "hblkhd", s->hblkhd);
	set(doc, "fsmblks", s->fsmblks);
	set(doc, "keepcost", s->keepcost);
	set(doc, "mmap_threshold", s->mmap_threshold);
	set(doc, "trim_threshold", s->trim_threshold);
	set(doc, "thp_bytes", s->thp_bytes);
	set(doc, "tcache_bytes", s->tcache_bytes);
	set(doc, "trim_bytes", s->trim_bytes);
	set(doc, "largest_free", s->largest_free);
	json_dumpf(doc, stdout, isatty(1) ? JSON_INDENT(1) : JSON_COMPACT);
	putchar('\n');
	json_decref(doc);
}

static int look(struct target *t, struct fault *f)
{
	struct account *a = account_new();
	struct heap_stats stats = {0};
	struct glibc *g = NULL;
	struct maps maps = {0};
	struct mem *mem = NULL;
	int64_t start = 0;
	int err = a ? target_maps(t, &maps, f) : -ENOMEM;

	if (!err)
		err = target_mem_open(&mem, t, &maps, f);
	for (size_t i = 0; i < maps.nr && !err; i++)
		if (!maps.v[i].path || strcmp(maps.v[i].path, "[vsyscall]"))
			err = add_pages(a, mem, maps.v[i].start, maps.v[i].end);
	if (!err) {
		start = clock_monotonic_ns();
		err = glibc_open(&g, t, &maps, mem, f);
	}
	if (g)
		glibc_stacks(g, a);
	if (!err)
		err = glibc_walk(g, a, &stats, f);
	print(err, f, &stats, rows_json(a), clock_monotonic_ns() - start);
	glibc_close(g);
	account_free(a);
	mem_close(mem);
	maps_done(&maps);
	return err;
}

int main(int argc, char **argv)
{
	struct pause *pause = NULL;
	struct fault f = {0};
	struct target *t;
	int err;

	if (argc < 2) {
		fprintf(stderr, "usage: print_glibc PID [pause]\n");
		return 2;
	}
	err = target_open(&t, atoi(argv[1]), &f);
	if (!err && argc > 2)
		err = target_pause(&pause, t, &f);
	if (err) {
		fprintf(stderr, "print_glibc: %s\n", f.text);
		return 1;
	}
	look(t, &f);
	target_resume(pause);
	target_close(t);
	return 0;
}
