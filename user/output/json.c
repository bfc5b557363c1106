/* SPDX-License-Identifier: MIT */
/*
 * Builds the documents. Each object's members come from its field table; here is only how objects
 * nest:
 *
 *	{"schema": "pymemtrace-bpf/1", "kind": "snapshot", "time_ns": 1700000000000000000, ...,
 *	 "process": {"pid": 4242, ...}, "python": {...}, "rss": {...}, "losses": {...},
 *	 "stats": {"pymalloc": {..., "classes": [...], "arena_map": {...}}, "free_lists": [...]}}
 *
 * "stats" is null where they were not read, "pymalloc" where it is not in use.
 *
 * jansson's setters release the new value and fail when the object is NULL, so a chain of them
 * needs one check of the result.
 */
#include "output/json.h"

#include "base/cleanup.h"
#include "model/report.h"
#include "output/json_record.h"
#include "output/tables.h"

#include <errno.h>
#include <string.h>

json_t *json_document(const char *kind)
{
	json_t *o = json_object();
	int err = json_object_set_new(o, "schema", json_string(JSON_SCHEMA_NAME));

	err |= json_object_set_new(o, "kind", json_string(kind));
	return json_checked(o, err);
}

int json_write(FILE *out, const json_t *doc, bool one_line)
{
	size_t flags = one_line ? JSON_COMPACT : JSON_INDENT(2);

	errno = 0;
	if (!doc)
		return -ENOMEM;
	if (json_dumpf(doc, out, flags) || fputc('\n', out) == EOF)
		return errno ? -errno : -EIO;
	return 0;
}

json_t *json_rss(const struct rss *r)
{
	struct rss_record record = {.rss = *r, .resident = rss_resident(r)};

	return json_record(&rss_table, &record);
}

json_t *json_list_row(const struct list_row *r)
{
	return json_record(&list_table, r);
}

static json_t *classes_json(const struct malloc_stats *s)
{
	json_t *array = json_array();
	int err = 0;

	for (uint32_t i = 0; i < min(s->nr_classes, (uint32_t)STATS_MAX_CLASSES); i++) {
		struct class_record c = {.index = i,
					 .block_bytes = (i + 1) * s->alignment,
					 .figures = s->classes[i]};

		if (c.figures.pools)
			err |= json_array_append_new(array, json_record(&class_table, &c));
	}
	return json_checked(array, err);
}

static json_t *pymalloc_json(const struct malloc_stats *s)
{
	json_t *o = json_record(&stats_sizes_table, s);
	int err = !o || fields_to_json(o, &stats_table, s);

	err |= json_object_set_new(o, "object_mallocs",
				   s->has_serial ? json_integer((json_int_t)s->serial)
						 : json_null());
	err |= json_object_set_new(o, "classes", classes_json(s));
	err |= json_object_set_new(o, "arena_map",
				   s->radix ? json_record(&arena_map_table, s) : json_null());
	return json_checked(o, err);
}

json_t *json_stats(const struct malloc_stats *s)
{
	json_t *o = json_object(), *lists = json_array();
	int err = 0;

	for (size_t i = 0; i < min(s->nr_free_lists, (size_t)STATS_MAX_FREE_LISTS); i++)
		err |= json_array_append_new(lists,
					     json_record(&free_list_table, &s->free_lists[i]));
	err |= json_object_set_new(o, "pymalloc", s->pymalloc ? pymalloc_json(s) : json_null());
	err |= json_object_set_new(o, "free_lists", lists);
	return json_checked(o, err);
}

json_t *json_snapshot(const struct snapshot *s)
{
	json_t *o = json_document("snapshot");
	int err = !o || fields_to_json(o, &snapshot_table, s);

	err |= json_object_set_new(o, "process", json_record(&process_table, &s->process));
	err |= json_object_set_new(o, "python", json_record(&python_table, &s->python));
	err |= json_object_set_new(o, "rss", json_rss(&s->rss));
	err |= json_object_set_new(o, "losses", json_record(&losses_table, &s->losses));
	err |= json_object_set_new(o, "stats", s->has_stats ? json_stats(&s->stats) : json_null());
	return json_checked(o, err);
}

static json_t *class_changes_json(const struct malloc_stats *a, const struct malloc_stats *b)
{
	json_t *array = json_array();
	int err = 0;

	for (uint32_t i = 0; i < min(a->nr_classes, (uint32_t)STATS_MAX_CLASSES); i++) {
		struct class_record p = {.figures = a->classes[i]}, q = {.figures = b->classes[i]};
		json_t *o;

		if (memcmp(&p.figures, &q.figures, sizeof(p.figures)) == 0)
			continue;
		o = json_pack("{s:I, s:I}", "class", (json_int_t)i, "block_bytes",
			      (json_int_t)(i + 1) * a->alignment);
		err |= !o || json_set_changes(o, &class_table, &p, &q);
		err |= json_array_append_new(array, o);
	}
	return json_checked(array, err);
}

static const struct free_list *find_list(const struct malloc_stats *s, const struct free_list *l)
{
	for (size_t i = 0; i < min(s->nr_free_lists, (size_t)STATS_MAX_FREE_LISTS); i++)
		if (s->free_lists[i].item_bytes == l->item_bytes &&
		    strncmp(s->free_lists[i].type, l->type, sizeof(l->type)) == 0)
			return &s->free_lists[i];
	return NULL;
}

/* A list that only one side has counts as empty in the other. */
static int append_list(json_t *array, const struct free_list *l, uint64_t from, uint64_t to)
{
	json_t *o;
	int err;

	if (from == to)
		return 0;
	o = json_record(&free_list_table, l);
	err = json_object_set_new(o, "count", json_integer((json_int_t)(to - from)));
	return err | json_array_append_new(array, o);
}

static json_t *list_changes_json(const struct malloc_stats *a, const struct malloc_stats *b)
{
	json_t *array = json_array();
	int err = 0;

	for (size_t i = 0; i < min(a->nr_free_lists, (size_t)STATS_MAX_FREE_LISTS); i++) {
		const struct free_list *l = &a->free_lists[i], *m = find_list(b, l);

		err |= append_list(array, l, l->count, m ? m->count : 0);
	}
	for (size_t i = 0; i < min(b->nr_free_lists, (size_t)STATS_MAX_FREE_LISTS); i++)
		if (!find_list(a, &b->free_lists[i]))
			err |= append_list(array, &b->free_lists[i], 0, b->free_lists[i].count);
	return json_checked(array, err);
}

json_t *json_stats_diff(const struct malloc_stats *a, const struct malloc_stats *b)
{
	json_t *o = json_object(), *figures = json_null();
	int err = 0;

	if (a->pymalloc && b->pymalloc) {
		figures = json_object();
		err |= fields_to_json(figures, &stats_sizes_table, b);
		err |= json_set_changes(figures, &stats_table, a, b);
		err |= json_object_set_new(figures, "classes", class_changes_json(a, b));
	}
	err |= json_object_set_new(o, "pymalloc", figures);
	err |= json_object_set_new(o, "free_lists", list_changes_json(a, b));
	return json_checked(o, err);
}

json_t *json_diff(const struct snapshot *a, const struct snapshot *b)
{
	json_t *o = json_document("diff");
	int err = 0;

	/* text has no RSS: only two JSON snapshots have a change of it */
	if (a->time_ns && b->time_ns) {
		struct rss change = rss_sub(&b->rss, &a->rss);

		err = json_object_set_new(o, "rss_change", json_rss(&change));
	}
	err |= json_object_set_new(o, "stats_change", json_stats_diff(&a->stats, &b->stats));
	return json_checked(o, err);
}
