/* SPDX-License-Identifier: MIT */
/*
 * Reads an explanation back. A file may be anyone's: each row is of a kind that is known and there once,
 * no part is larger than its whole, and rows and groups sum up to what is resident, or it is refused.
 * The verdict is not read: it follows from the figures.
 */
#include "output/json_explain.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "model/explanation.h"
#include "output/json_loader.h"
#include "output/tables.h"

#include <errno.h>
#include <string.h>

/* Writes what the text says, if there is room for it. */
static int take_text(const struct loader *l, const char *member, char *from, char *to, size_t size)
{
	_cleanup_free_ char *text = from;

	if (!text || strlen(text) >= size)
		return loader_wrong(l, "", member);
	memcpy(to, text, strlen(text) + 1);
	return 0;
}

static int load_whys(const struct loader *l, const json_t *doc, struct explanation *e)
{
	struct explanation_why_record why = {0};
	int err = loader_record(l, doc, &explanation_why_table, "", &why), more;

	if (err) {
		free(why.approximate);
		free(why.pools);
		free(why.heap);
		free(why.library_mallocs);
		return err;
	}
	err = take_text(l, "approximate_why", why.approximate, e->approximate_why,
			sizeof(e->approximate_why));
	more = take_text(l, "pools_why", why.pools, e->pools_why, sizeof(e->pools_why));
	err = err ? err : more;
	err = err ? err : more;
	more = take_text(l, "heap_why", why.heap, e->heap_why, sizeof(e->heap_why));
	err = err ? err : more;
	more = take_text(l, "library_mallocs", why.library_mallocs, e->library_mallocs,
			 sizeof(e->library_mallocs));
	return err ? err : more;
}

/* The row's name is e's from here on, whatever is wrong with the rest. */
static int load_row(const struct loader *l, const json_t *o, struct explanation *e)
{
	struct explanation_row_record r = {0};
	struct explanation_row *row = &e->rows[e->nr_rows];
	int err = loader_record(l, o, &explanation_row_table, "rows.", &r);

	*row = r.row;
	e->nr_rows++;
	if (err)
		return err;
	if (!row->name)
		return loader_wrong(l, "rows.", "name");
	if (memory_kind_from_name(r.kind, &row->kind))
		return loader_wrong(l, "rows.", "kind");
	if (strcmp(r.group, memory_group_name(memory_kind_group(row->kind))) != 0)
		return loader_wrong(l, "rows.", "group");
	if (row->huge > row->bytes)
		return loader_wrong(l, "rows.", "huge_bytes");
	if (row->exclusive > row->bytes)
		return loader_wrong(l, "rows.", "exclusive_bytes");
	return 0;
}

static int compare_rows(const void *a, const void *b)
{
	const struct explanation_row *const *p = a, *const *q = b;

	if ((*p)->kind != (*q)->kind)
		return (*p)->kind < (*q)->kind ? -1 : 1;
	return strcmp((*p)->name, (*q)->name);
}

static int check_once(const struct loader *l, const struct explanation *e)
{
	_cleanup_free_ const struct explanation_row **v =
		calloc(e->nr_rows + 1, sizeof(const void *));

	if (!v)
		return fault_set(l->fault, ENOMEM, "no memory for %s", l->name);
	for (size_t i = 0; i < e->nr_rows; i++)
		v[i] = &e->rows[i];
	qsort(v, e->nr_rows, sizeof(const void *), compare_rows);
	for (size_t i = 1; i < e->nr_rows; i++)
		if (compare_rows(&v[i - 1], &v[i]) == 0)
			return fault_set(l->fault, EINVAL, "%s: a row of \"rows\" is there twice",
					 l->name);
	return 0;
}

static int check_sums(const struct loader *l, const struct explanation *e, const json_t *groups)
{
	uint64_t sum = 0, of_group[MEMORY_GROUPS] = {0};

	for (size_t i = 0; i < e->nr_rows; i++) {
		const struct explanation_row *r = &e->rows[i];

		/* neither is larger than INT64_MAX before, nor behind */
		sum += r->bytes;
		if (sum > e->total)
			break;
		of_group[memory_kind_group(r->kind)] += r->bytes;
	}
	if (sum != e->total)
		return fault_set(l->fault, EINVAL,
				 "%s: its rows do not sum up to \"resident_bytes\"", l->name);
	if (!json_is_object(groups) || json_object_size(groups) != MEMORY_GROUPS)
		return loader_wrong(l, "", "groups");
	for (int g = 0; g < MEMORY_GROUPS; g++) {
		const char *name = memory_group_name((enum memory_group)g);
		const json_t *v = json_object_get(groups, name);

		if (!json_is_integer(v) || json_integer_value(v) < 0 ||
		    (uint64_t)json_integer_value(v) != of_group[g])
			return loader_wrong(l, "groups.", name);
	}
	return 0;
}

static int load_rows(const struct loader *l, const json_t *doc, struct explanation *e)
{
	const json_t *array = json_object_get(doc, "rows"), *v;
	int err = 0;
	size_t i;

	if (!json_is_array(array))
		return loader_wrong(l, "", "rows");
	e->rows = calloc(json_array_size(array) + 1, sizeof(*e->rows));
	if (!e->rows)
		return fault_set(l->fault, ENOMEM, "no memory for %s", l->name);
	json_array_foreach (array, i, v) {
		err = load_row(l, v, e);
		if (err)
			return err;
	}
	err = check_once(l, e);
	return err ? err : check_sums(l, e, json_object_get(doc, "groups"));
}

static int load_pools(const struct loader *l, const json_t *o, struct explanation *e)
{
	const json_t *fills = json_object_get(o, "fills"), *v;
	size_t i;
	int err;

	if (json_is_null(o))
		return 0;
	err = loader_record(l, o, &pool_stats_table, "pools.", &e->pools);
	if (err)
		return err;
	if (!json_is_array(fills) || json_array_size(fills) != POOL_FILLS)
		return loader_wrong(l, "pools.", "fills");
	json_array_foreach (fills, i, v) {
		if (!json_is_integer(v) || json_integer_value(v) < 0)
			return loader_wrong(l, "pools.", "fills");
		e->pools.fills[i] = (uint64_t)json_integer_value(v);
	}
	e->has_pools = true;
	return 0;
}

static int load_heap(const struct loader *l, const json_t *o, struct explanation *e)
{
	struct heap_record r = {0};
	int err;

	if (json_is_null(o))
		return 0;
	err = loader_record(l, o, &heap_table, "heap.", &r);
	if (err) {
		free(r.why_not);
		return err;
	}
	err = take_text(l, "heap.why_not", r.why_not, r.stats.why_not, sizeof(r.stats.why_not));
	e->heap = r.stats;
	e->has_heap = !err;
	return err;
}

static int load_cgroup(const struct loader *l, const json_t *o, struct explanation *e)
{
	int err;

	if (json_is_null(o))
		return 0;
	err = loader_record(l, o, &cgroup_table, "cgroup.", &e->cgroup);
	if (err)
		return err;
	if (e->cgroup.version < 1 || e->cgroup.version > 2)
		return loader_wrong(l, "cgroup.", "version");
	return e->cgroup.path ? 0 : loader_wrong(l, "cgroup.", "path");
}

static int load(const struct loader *l, const json_t *doc, struct explanation *e)
{
	int err = loader_record(l, doc, &explanation_table, "", e);

	if (!err)
		err = load_whys(l, doc, e);
	if (!err)
		err = loader_record(l, json_object_get(doc, "process"), &process_table, "process.",
				    &e->process);
	if (!err)
		err = loader_record(l, json_object_get(doc, "python"), &python_table, "python.",
				    &e->python);
	if (!err)
		err = loader_record(l, json_object_get(doc, "kernel"), &explanation_kernel_table,
				    "kernel.", &e->kernel);
	if (!err)
		err = load_rows(l, doc, e);
	if (!err)
		err = load_pools(l, json_object_get(doc, "pools"), e);
	if (!err)
		err = load_heap(l, json_object_get(doc, "heap"), e);
	return err ? err : load_cgroup(l, json_object_get(doc, "cgroup"), e);
}

int json_read_explanation(struct explanation *ret, const json_t *doc, const char *name,
			  struct fault *f)
{
	const struct loader l = {.name = name, .fault = f};
	struct explanation e = {0};
	int err = load(&l, doc, &e);

	if (err) {
		explanation_done(&e);
		return err;
	}
	*ret = e;
	return 0;
}

int json_load_explanation(struct explanation *ret, const char *text, size_t len, const char *name,
			  struct fault *f)
{
	const struct loader l = {.name = name, .fault = f};
	_cleanup_(json_decref_) json_t *doc = NULL;
	int err = loader_open(&l, text, len, "explanation", &doc);

	return err ? err : json_read_explanation(ret, doc, name, f);
}
