/* SPDX-License-Identifier: MIT */
/*
 * Prints, as JSON, where the resident memory of a process is, for tests/live/test_account; all but the C
 * library's heap:
 *
 *	print_account PID
 *	{"total": 9433088, "rollup": 9433088, "scanned": true, "zero": 0, "guard": 0, "swapped": 0,
 *	 "rows": [["file_text", "libc.so.6", 1511424, 0, 0], ...], "pools": {"arenas": 4, ...},
 *	 "data_stacks": 1, "ms": {"resident": 0.3, "pools": 0.2, "mappings": 0.1}}
 *
 * of a row: kind, name, bytes, bytes in huge pages, bytes mapped nowhere else. pools is null where
 * pymalloc is not in use. A process that runs is read without being stopped.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "model/account.h"
#include "model/pools.h"
#include "python/pool_parts.h"
#include "python/python.h"
#include "target/mappings.h"
#include "target/mem.h"
#include "target/resident.h"
#include "target/smaps.h"
#include "target/target.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	struct target *t;
	struct maps maps;
	struct mem *mem;
	struct resident resident;
	struct smaps_entry rollup;
	struct account *account;
	struct python *python;
	struct pool_stats pools;
	bool has_pools;
	int data_stacks;
	int64_t begun, resident_ns, pools_ns, mappings_ns;
};

static void print_fault(const struct fault *f)
{
	fprintf(stderr, "print_account: %s\n", f->text);
}

static int64_t lap(struct reading *r)
{
	int64_t now = clock_monotonic_ns(), took = now - r->begun;

	r->begun = now;
	return took;
}

static int read_python(struct reading *r, struct fault *f)
{
	int err = python_open(&r->python, r->t, false, f);

	if (err == -ENOEXEC || err == -ENOTSUP || err == -EAGAIN)
		return 0;
	lap(r);
	if (!err)
		err = python_account_pools(r->python, r->account, &r->pools, f);
	r->has_pools = !err;
	if (err == -ENOTSUP)
		err = 0;
	if (!err)
		r->data_stacks = python_account_data_stacks(r->python, r->account, f);
	r->pools_ns = lap(r);
	return min(err, r->data_stacks);
}

static int read_all(struct reading *r, struct fault *f)
{
	struct mappings_hints hints = {0};
	enum allocator allocator;
	int err = target_maps(r->t, &r->maps, f);

	if (!err)
		err = target_mem_open(&r->mem, r->t, &r->maps, f);
	r->begun = clock_monotonic_ns();
	if (!err)
		err = target_resident(r->t, &r->maps, &r->resident, f);
	r->resident_ns = lap(r);
	if (!err)
		err = target_smaps_rollup(r->t, &r->rollup, f);
	if (!err)
		err = account_take(r->account, &r->resident.runs);
	if (!err)
		err = read_python(r, f);
	if (err < 0)
		return err;
	hints.malloc = mappings_allocator(&r->maps);
	if (r->python && !python_read_allocator(r->python, &allocator, NULL))
		hints.python_mimalloc =
			allocator == ALLOCATOR_MIMALLOC || allocator == ALLOCATOR_MIMALLOC_DEBUG;
	lap(r);
	err = mappings_account(r->t, &r->maps, r->mem, &hints, r->account);
	r->mappings_ns = lap(r);
	return err;
}

static json_t *pools_json(const struct pool_stats *p)
{
	json_t *o = json_object(), *fills = json_array();

#define SET(name) json_object_set_new(o, #name, json_integer((json_int_t)p->name))
	SET(interpreters);
	SET(arenas);
	SET(arena_bytes);
	SET(pools_used);
	SET(pools_free);
	SET(pools_untouched);
	SET(pool_bytes);
	SET(pools_lost);
	SET(live_blocks);
	SET(live_bytes);
	SET(free_bytes);
	SET(never_bytes);
	SET(free_pools_resident);
	SET(sparse_pools);
	SET(sparse_blocks);
	SET(sparse_live_bytes);
	SET(sparse_resident);
	SET(returned_arenas);
	SET(returned_bytes);
	SET(returned_unsure);
#undef SET
	for (int i = 0; i < POOL_FILLS; i++)
		json_array_append_new(fills, json_integer((json_int_t)p->fills[i]));
	json_object_set_new(o, "fills", fills);
	return o;
}

static int print(struct reading *r)
{
	json_t *rows = json_array(), *all;
	struct account_row *row;
	uint64_t total;
	size_t nr;
	int err = account_close(r->account, &row, &nr, &total);

	if (err)
		return err;
	for (size_t i = 0; i < nr; i++)
		json_array_append_new(
			rows, json_pack("[ss%III]", memory_kind_name(row[i].kind), row[i].name,
					strlen(row[i].name), (json_int_t)row[i].bytes,
					(json_int_t)row[i].huge, (json_int_t)row[i].exclusive));
	free(row);
	all = json_pack("{sI sI sb sI sI sI so so si s{sf sf sf}}", "total", (json_int_t)total,
			"rollup", (json_int_t)r->rollup.rss, "scanned", r->resident.scanned, "zero",
			(json_int_t)r->resident.zero, "guard", (json_int_t)r->resident.guard,
			"swapped", (json_int_t)r->resident.swapped, "rows", rows, "pools",
			r->has_pools ? pools_json(&r->pools) : json_null(), "data_stacks",
			r->data_stacks, "ms", "resident", (double)r->resident_ns / 1e6, "pools",
			(double)r->pools_ns / 1e6, "mappings", (double)r->mappings_ns / 1e6);
	json_dumpf(all, stdout, 0);
	putchar('\n');
	json_decref(all);
	return 0;
}

int main(int argc, char **argv)
{
	struct reading r = {.account = account_new()};
	struct fault f = {0};
	int err;

	if (argc != 2 || !r.account)
		return 2;
	err = target_open(&r.t, atoi(argv[1]), &f);
	if (!err)
		err = read_all(&r, &f);
	if (err)
		print_fault(&f);
	else
		err = print(&r);
	python_close(r.python);
	account_free(r.account);
	resident_done(&r.resident);
	mem_close(r.mem);
	maps_done(&r.maps);
	target_close(r.t);
	return err ? 1 : 0;
}
