/* SPDX-License-Identifier: MIT */
/*
 * What the rows of a field table mean: one function per direction (JSON, schema, cell, order), each
 * a switch over the types; the way back from JSON is in fields_load.c. Which figures there are is
 * in tables.c.
 */
#include "output/fields.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "model/cgroup.h"
#include "model/snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define VALUE(type, f, record) (*(const type *)((const char *)(record) + (f)->offset))

/* Numbers of any width; what does not fit is cut at the limit, never wrapped. */
static int64_t number(const struct field *f, const void *record)
{
	switch (f->type) {
	case FIELD_U64: /* above INT64_MAX only where a target lies */
	case FIELD_KNOWN:
	case FIELD_LIMIT:
		return (int64_t)min(VALUE(uint64_t, f, record), (uint64_t)INT64_MAX);
	case FIELD_I64:
	case FIELD_BYTES:
	case FIELD_MAYBE:
		return VALUE(int64_t, f, record);
	case FIELD_U32:
	case FIELD_VERSION:
		return VALUE(uint32_t, f, record);
	case FIELD_I32:
		return VALUE(int32_t, f, record);
	case FIELD_BOOL:
		return VALUE(bool, f, record);
	case FIELD_ALLOCATOR:
		return VALUE(enum allocator, f, record);
	case FIELD_SHAPE:
		return VALUE(enum build_shape, f, record);
	case FIELD_TEXT:
	case FIELD_WORDS:
		break;
	}
	return 0;
}

/* Figures that the kernel may not give, or that are "max". */
static bool is_unknown(const struct field *f, const void *record)
{
	return (f->type == FIELD_KNOWN || f->type == FIELD_LIMIT) &&
	       VALUE(uint64_t, f, record) == CGROUP_UNKNOWN;
}

static bool is_no_limit(const struct field *f, const void *record)
{
	return f->type == FIELD_LIMIT && VALUE(uint64_t, f, record) == CGROUP_NO_LIMIT;
}

/* A new string, escaped: every byte becomes at most four. */
static char *escaped(const char *s, size_t len)
{
	char *buf = malloc(4 * len + 1);

	return buf ? text_escape(buf, 4 * len + 1, s, len) : NULL;
}

static json_t *string_json(const char *s, size_t len)
{
	_cleanup_free_ char *text = escaped(s, len);

	return text ? json_string(text) : NULL;
}

static json_t *value_json(const struct field *f, const void *record)
{
	char buf[24];

	switch (f->type) {
	case FIELD_BOOL:
		return json_boolean(VALUE(bool, f, record));
	case FIELD_TEXT: {
		const char *s = VALUE(char *, f, record);

		return s ? string_json(s, strlen(s)) : json_null();
	}
	case FIELD_WORDS: {
		const char *s = (const char *)record + f->offset;

		return string_json(s, strnlen(s, f->size));
	}
	case FIELD_VERSION:
		if (!number(f, record))
			return json_null();
		return json_string(python_version_text(buf, VALUE(uint32_t, f, record)));
	case FIELD_ALLOCATOR:
		return json_string(allocator_name(VALUE(enum allocator, f, record)));
	case FIELD_SHAPE:
		return json_string(build_shape_name(VALUE(enum build_shape, f, record)));
	case FIELD_MAYBE:
		if (number(f, record) < 0)
			return json_null();
		break;
	case FIELD_KNOWN:
	case FIELD_LIMIT:
		if (is_unknown(f, record))
			return json_null();
		if (is_no_limit(f, record))
			return json_string(FIELD_NO_LIMIT);
		break;
	case FIELD_U64:
	case FIELD_I64:
	case FIELD_U32:
	case FIELD_I32:
	case FIELD_BYTES:
		break;
	}
	return json_integer(number(f, record));
}

int fields_to_json(json_t *object, const struct field_table *t, const void *record)
{
	for (size_t i = 0; i < t->nr; i++)
		if (json_object_set_new(object, t->rows[i].name, value_json(&t->rows[i], record)))
			return -ENOMEM;
	return 0;
}

static json_t *names_schema(const struct field *f)
{
	json_t *names = json_array();
	int last = f->type == FIELD_ALLOCATOR ? ALLOCATOR_OTHER : SHAPE_STRIPPED;

	for (int i = 0; i <= last; i++)
		json_array_append_new(names, json_string(f->type == FIELD_ALLOCATOR
								 ? allocator_name(i)
								 : build_shape_name(i)));
	return json_pack("{s:s, s:o}", "type", "string", "enum", names);
}

static json_t *value_schema(const struct field *f)
{
	switch (f->type) {
	case FIELD_U64:
	case FIELD_U32:
		return json_pack("{s:s, s:i}", "type", "integer", "minimum", 0);
	case FIELD_I64:
	case FIELD_I32:
	case FIELD_BYTES:
		return json_pack("{s:s}", "type", "integer");
	case FIELD_MAYBE:
	case FIELD_KNOWN:
		return json_pack("{s:[s,s], s:i}", "type", "integer", "null", "minimum", 0);
	case FIELD_LIMIT:
		return json_pack("{s:[{s:[s,s], s:i}, {s:s}]}", "anyOf", "type", "integer", "null",
				 "minimum", 0, "const", FIELD_NO_LIMIT);
	case FIELD_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case FIELD_TEXT:
	case FIELD_VERSION:
		return json_pack("{s:[s,s]}", "type", "string", "null");
	case FIELD_WORDS:
		return json_pack("{s:s}", "type", "string");
	case FIELD_ALLOCATOR:
	case FIELD_SHAPE:
		return names_schema(f);
	}
	return NULL;
}

json_t *fields_schema(const struct field_table *t)
{
	json_t *properties = json_object(), *required = json_array();

	for (size_t i = 0; i < t->nr; i++) {
		json_t *v = value_schema(&t->rows[i]);

		json_object_set_new(v, "description", json_string(t->rows[i].help));
		json_object_set_new(properties, t->rows[i].name, v);
		json_array_append_new(required, json_string(t->rows[i].name));
	}
	return json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties, "required",
			 required);
}

const struct field *fields_find(const struct field_table *t, const char *name)
{
	for (size_t i = 0; i < t->nr; i++)
		if (strcmp(t->rows[i].name, name) == 0)
			return &t->rows[i];
	return NULL;
}

/* The text of a row that is one, else NULL. */
static const char *text_of(const struct field *f, const void *record)
{
	switch (f->type) {
	case FIELD_TEXT:
		return VALUE(char *, f, record);
	case FIELD_WORDS:
		return (const char *)record + f->offset;
	case FIELD_ALLOCATOR:
		return allocator_name(VALUE(enum allocator, f, record));
	case FIELD_SHAPE:
		return build_shape_name(VALUE(enum build_shape, f, record));
	case FIELD_U64:
	case FIELD_I64:
	case FIELD_U32:
	case FIELD_I32:
	case FIELD_BOOL:
	case FIELD_BYTES:
	case FIELD_MAYBE:
	case FIELD_KNOWN:
	case FIELD_LIMIT:
	case FIELD_VERSION:
		break;
	}
	return NULL;
}

char *fields_cell(const struct field *f, const void *record, char *buf, size_t size)
{
	const char *text = text_of(f, record);
	char small[24];

	if (text && *text)
		return text_escape(buf, size, text,
				   f->type == FIELD_WORDS ? strnlen(text, f->size) : strlen(text));
	if (f->type == FIELD_BYTES)
		snprintf(buf, size, "%s", text_size(small, number(f, record), false));
	else if (f->type == FIELD_VERSION && number(f, record))
		snprintf(buf, size, "%s", python_version_text(small, VALUE(uint32_t, f, record)));
	else if (f->type == FIELD_BOOL)
		snprintf(buf, size, "%s", number(f, record) ? "yes" : "no");
	else if (is_no_limit(f, record))
		snprintf(buf, size, "%s", FIELD_NO_LIMIT);
	else if (f->type == FIELD_TEXT || f->type == FIELD_WORDS || f->type == FIELD_VERSION ||
		 is_unknown(f, record) || (f->type == FIELD_MAYBE && number(f, record) < 0))
		snprintf(buf, size, "-");
	else
		snprintf(buf, size, "%" PRId64, number(f, record));
	return buf;
}

int fields_compare(const struct field *f, const void *a, const void *b)
{
	const char *s = text_of(f, a), *t = text_of(f, b);
	int64_t m = number(f, a), n = number(f, b);

	if (f->type == FIELD_WORDS)
		return strncmp(s, t, f->size);
	if (s && t)
		return strcmp(s, t);
	if (s || t)
		return s ? -1 : 1;
	return m < n ? 1 : m > n ? -1 : 0;
}
