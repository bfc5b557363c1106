/* SPDX-License-Identifier: MIT */
/*
 * Reads documents back. A file may be anything: cut short, a stream of reports, JSON of another
 * program, made to do harm. Its size, the number of its classes and lists and every number in it
 * are bounded, and each way to be wrong has its own sentence.
 */
#include "output/json.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/text.h"
#include "output/json_loader.h"
#include "output/tables.h"

#include <errno.h>
#include <string.h>

static int parse(json_t **ret, const char *text, size_t len, const char *name, struct fault *f)
{
	size_t blanks = 0;
	json_error_t error;
	char near[128];

	while (blanks < len && strchr(" \t\r\n", text[blanks]) && text[blanks])
		blanks++;
	if (blanks == len)
		return fault_set(f, EINVAL, "%s is empty", name);
	if (len > JSON_MAX_BYTES)
		return fault_set(f, E2BIG, "%s is larger than %u MiB", name, JSON_MAX_BYTES >> 20);
	if (text[blanks] != '{')
		return fault_set(f, EINVAL, "%s is not a document of pymemtrace-bpf", name);
	*ret = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (*ret)
		return 0;
	switch ((int)json_error_code(&error)) {
	case json_error_premature_end_of_input:
		return fault_set(f, EINVAL, "%s is cut short in line %d", name, error.line);
	case json_error_end_of_input_expected:
		return fault_set(f, EINVAL, "%s holds more than one document", name);
	case json_error_out_of_memory:
		return fault_set(f, ENOMEM, "no memory for %s", name);
	default: /* the others are all ways to be no JSON */
		text_escape(near, sizeof(near), error.text, strlen(error.text));
		/* jansson reports the end inside a string or a word by what it met there */
		if ((size_t)error.position + 1 >= len && text[len - 1] != '}')
			return fault_set(f, EINVAL, "%s is cut short in line %d", name, error.line);
		return fault_set(f, EINVAL, "%s is not JSON: line %d: %s", name, error.line, near);
	}
}

int json_load(json_t **ret, const char **ret_kind, const char *text, size_t len, const char *name,
	      struct fault *f)
{
	_cleanup_(json_decref_) json_t *doc = NULL;
	const char *schema, *kind;
	char shown[64];
	int err = parse(&doc, text, len, name, f);

	if (err)
		return err;
	schema = json_string_value(json_object_get(doc, "schema"));
	kind = json_string_value(json_object_get(doc, "kind"));
	if (!schema || strncmp(schema, "pymemtrace-bpf/", strlen("pymemtrace-bpf/")) != 0 || !kind)
		return fault_set(f, EINVAL, "%s is not a document of pymemtrace-bpf", name);
	if (strcmp(schema, JSON_SCHEMA_NAME) != 0) {
		text_escape(shown, sizeof(shown), schema, strlen(schema));
		fault_set(f, EINVAL, "%s has the schema %s, this program reads %s", name, shown,
			  JSON_SCHEMA_NAME);
		fault_hint(f, "use the version of pymemtrace-bpf that wrote it");
		return -EINVAL;
	}
	*ret = steal_ptr(doc);
	*ret_kind = kind;
	return 0;
}

int loader_wrong(const struct loader *l, const char *where, const char *member)
{
	return fault_set(l->fault, EINVAL, "%s: \"%s%s\" is missing or not what it should be",
			 l->name, where, member);
}

int loader_record(const struct loader *l, const json_t *object, const struct field_table *t,
		  const char *where, void *record)
{
	const char *bad = "";
	int err = fields_from_json(object, t, record, &bad);

	if (err == -ENOMEM)
		return fault_set(l->fault, ENOMEM, "no memory for %s", l->name);
	return err ? loader_wrong(l, where, bad) : 0;
}

static int load_classes(const struct loader *l, const json_t *array, struct malloc_stats *s)
{
	bool seen[STATS_MAX_CLASSES] = {false};
	const json_t *v;
	size_t i;

	if (!json_is_array(array))
		return loader_wrong(l, "stats.pymalloc.", "classes");
	json_array_foreach (array, i, v) {
		struct class_record c = {0};
		int err = loader_record(l, v, &class_table, "stats.pymalloc.classes.", &c);

		if (err)
			return err;
		/* without a pool there is no block: such a class is not in the document */
		if (c.index >= s->nr_classes || seen[c.index] || !c.figures.pools ||
		    c.block_bytes != (c.index + 1) * s->alignment)
			return loader_wrong(l, "stats.pymalloc.classes.", "class");
		seen[c.index] = true;
		s->classes[c.index] = c.figures;
	}
	return 0;
}

static int load_pymalloc(const struct loader *l, const json_t *o, struct malloc_stats *s)
{
	const json_t *serial = json_object_get(o, "object_mallocs");
	const json_t *map = json_object_get(o, "arena_map");
	int err;

	err = loader_record(l, o, &stats_sizes_table, "stats.pymalloc.", s);
	if (!err)
		err = loader_record(l, o, &stats_table, "stats.pymalloc.", s);
	if (err)
		return err;
	if (!s->nr_classes || s->nr_classes > STATS_MAX_CLASSES || s->threshold > 1 << 16 ||
	    !s->alignment || s->alignment != s->threshold / s->nr_classes)
		return loader_wrong(l, "stats.pymalloc.", "nr_classes");
	if (json_is_integer(serial) && json_integer_value(serial) >= 0) {
		s->has_serial = true;
		s->serial = (uint64_t)json_integer_value(serial);
	} else if (!json_is_null(serial)) {
		return loader_wrong(l, "stats.pymalloc.", "object_mallocs");
	}
	if (json_is_object(map)) {
		s->radix = true;
		err = loader_record(l, map, &arena_map_table, "stats.pymalloc.arena_map.", s);
		if (err)
			return err;
	} else if (!json_is_null(map)) {
		return loader_wrong(l, "stats.pymalloc.", "arena_map");
	}
	s->pymalloc = true;
	return load_classes(l, json_object_get(o, "classes"), s);
}

static int load_stats(const struct loader *l, const json_t *o, struct malloc_stats *s)
{
	const json_t *pymalloc = json_object_get(o, "pymalloc");
	const json_t *lists = json_object_get(o, "free_lists"), *v;
	size_t i;
	int err;

	if (json_is_object(pymalloc)) {
		err = load_pymalloc(l, pymalloc, s);
		if (err)
			return err;
	} else if (!json_is_null(pymalloc)) {
		return loader_wrong(l, "stats.", "pymalloc");
	}
	if (!json_is_array(lists) || json_array_size(lists) > STATS_MAX_FREE_LISTS)
		return loader_wrong(l, "stats.", "free_lists");
	json_array_foreach (lists, i, v) {
		err = loader_record(l, v, &free_list_table, "stats.free_lists.", &s->free_lists[i]);
		if (err)
			return err;
	}
	s->nr_free_lists = json_array_size(lists);
	return 0;
}

static int load_snapshot(const struct loader *l, const json_t *doc, struct snapshot *s)
{
	const json_t *stats = json_object_get(doc, "stats");
	struct rss_record rss = {0};
	int err;

	err = loader_record(l, doc, &snapshot_table, "", s);
	if (!err)
		err = loader_record(l, json_object_get(doc, "process"), &process_table, "process.",
				    &s->process);
	if (!err)
		err = loader_record(l, json_object_get(doc, "python"), &python_table, "python.",
				    &s->python);
	if (!err)
		err = loader_record(l, json_object_get(doc, "rss"), &rss_table, "rss.", &rss);
	if (!err)
		err = loader_record(l, json_object_get(doc, "losses"), &losses_table, "losses.",
				    &s->losses);
	if (err)
		return err;
	s->rss = rss.rss;
	if (json_is_null(stats))
		return 0;
	if (!json_is_object(stats))
		return loader_wrong(l, "", "stats");
	s->has_stats = true;
	return load_stats(l, stats, &s->stats);
}

int loader_open(const struct loader *l, const char *text, size_t len, const char *kind,
		json_t **ret)
{
	char phrase[JSON_KIND_TEXT];
	const char *found;
	int err = json_load(ret, &found, text, len, l->name, l->fault);

	if (err || !strcmp(found, kind))
		return err;
	fault_set(l->fault, EMEDIUMTYPE, "%s is %s", l->name, json_kind_text(phrase, found));
	json_decref(steal_ptr(*ret));
	return -EMEDIUMTYPE;
}

char *json_kind_text(char buf[static JSON_KIND_TEXT], const char *kind)
{
	static const struct {
		const char *kind, *text;
	} known[] = {
		{"snapshot", "a snapshot"},
		{"explanation", "an explanation"},
		{"calls", "a table of calls"},
	};
	char shown[64];

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(kind, known[i].kind)) {
			snprintf(buf, JSON_KIND_TEXT, "%s", known[i].text);
			return buf;
		}
	snprintf(buf, JSON_KIND_TEXT, "a document of kind %s",
		 text_escape(shown, sizeof(shown), kind, strlen(kind)));
	return buf;
}

int json_read_snapshot(struct snapshot *ret, const json_t *doc, const char *name, struct fault *f)
{
	const struct loader l = {.name = name, .fault = f};
	struct snapshot s = {0};
	int err = load_snapshot(&l, doc, &s);

	if (err) {
		snapshot_done(&s);
		return err;
	}
	*ret = s;
	return 0;
}

int json_load_snapshot(struct snapshot *ret, const char *text, size_t len, const char *name,
		       struct fault *f)
{
	const struct loader l = {.name = name, .fault = f};
	_cleanup_(json_decref_) json_t *doc = NULL;
	int err = loader_open(&l, text, len, "snapshot", &doc);

	return err ? err : json_read_snapshot(ret, doc, name, f);
}
