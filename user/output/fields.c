/* SPDX-License-Identifier: MIT */
/*
 * What the rows of a field table mean: one function per direction (JSON out, JSON in, schema, cell,
 * order), each a switch over the types. Which figures there are is in tables.c.
 */
#include "output/fields.h"

#include "base/cleanup.h"
#include "base/text.h"
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

static int hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* Undoes text_escape: the model holds the raw bytes. A new string, NULL when memory ran out. */
static char *unescaped(const char *s)
{
	char *buf = malloc(strlen(s) + 1), *o = buf;

	if (!buf)
		return NULL;
	while (*s) {
		if (s[0] == '\\' && s[1] == '\\') {
			*o++ = '\\';
			s += 2;
		} else if (s[0] == '\\' && s[1] == 'x' && hex_digit(s[2]) >= 0 &&
			   hex_digit(s[3]) >= 0 && (s[2] != '0' || s[3] != '0')) {
			*o++ = (char)(hex_digit(s[2]) << 4 | hex_digit(s[3]));
			s += 4;
		} else {
			*o++ = *s++;
		}
	}
	*o = 0;
	return buf;
}

/* "3.12.1", "3.13.0rc2": the inverse of python_version_text() */
static int parse_version(const char *s, uint32_t *ret)
{
	unsigned int major, minor, micro, serial = 0, level = 0xf;
	char word[3] = "";
	int end = 0, n = sscanf(s, "%3u.%3u.%3u%n%2[abrc]%2u%n", &major, &minor, &micro, &end, word,
				&serial, &end);

	if (n < 3 || s[end] || major > 255 || minor > 255 || micro > 255 || serial > 15)
		return -EINVAL;
	if (n == 5)
		level = strcmp(word, "a") == 0	  ? 0xa
			: strcmp(word, "b") == 0  ? 0xb
			: strcmp(word, "rc") == 0 ? 0xc
						  : 0;
	else if (n != 3)
		return -EINVAL;
	if (!level)
		return -EINVAL;
	*ret = major << 24 | minor << 16 | micro << 8 | level << 4 | serial;
	return 0;
}

static int string_from_json(const struct field *f, const json_t *v, char *at)
{
	const char *s = json_string_value(v);

	switch (f->type) {
	case FIELD_TEXT: {
		char *raw = NULL;

		if (s) {
			raw = unescaped(s);
			if (!raw)
				return -ENOMEM;
		} else if (!json_is_null(v)) {
			return -EINVAL;
		}
		free(*(char **)at);
		*(char **)at = raw;
		return 0;
	}
	case FIELD_WORDS:
		if (!s || strlen(s) >= f->size)
			return -EINVAL;
		for (const char *c = s; *c; c++)
			if (*c < 0x20 || *c > 0x7e)
				return -EINVAL;
		memset(at, 0, f->size);
		memcpy(at, s, strlen(s));
		return 0;
	case FIELD_VERSION:
		if (json_is_null(v)) {
			*(uint32_t *)at = 0;
			return 0;
		}
		return s ? parse_version(s, (uint32_t *)at) : -EINVAL;
	case FIELD_ALLOCATOR:
		return s ? allocator_from_name(s, (enum allocator *)at) : -EINVAL;
	case FIELD_SHAPE:
		return s ? build_shape_from_name(s, (enum build_shape *)at) : -EINVAL;
	case FIELD_U64:
	case FIELD_I64:
	case FIELD_U32:
	case FIELD_I32:
	case FIELD_BOOL:
	case FIELD_BYTES:
	case FIELD_MAYBE:
		break;
	}
	return -EINVAL;
}

static int value_from_json(const struct field *f, const json_t *v, void *record)
{
	char *at = (char *)record + f->offset;
	json_int_t n = json_integer_value(v);

	switch (f->type) {
	case FIELD_BOOL:
		if (!json_is_boolean(v))
			return -EINVAL;
		*(bool *)at = json_is_true(v);
		return 0;
	case FIELD_MAYBE:
		if (json_is_null(v))
			*(int64_t *)at = -1;
		else if (json_is_integer(v) && n >= 0)
			*(int64_t *)at = n;
		else
			return -EINVAL;
		return 0;
	case FIELD_U64:
		if (!json_is_integer(v) || n < 0)
			return -EINVAL;
		*(uint64_t *)at = (uint64_t)n;
		return 0;
	case FIELD_I64:
	case FIELD_BYTES:
		if (!json_is_integer(v))
			return -EINVAL;
		*(int64_t *)at = n;
		return 0;
	case FIELD_U32:
		if (!json_is_integer(v) || n < 0 || n > UINT32_MAX)
			return -EINVAL;
		*(uint32_t *)at = (uint32_t)n;
		return 0;
	case FIELD_I32:
		if (!json_is_integer(v) || n < INT32_MIN || n > INT32_MAX)
			return -EINVAL;
		*(int32_t *)at = (int32_t)n;
		return 0;
	case FIELD_TEXT:
	case FIELD_WORDS:
	case FIELD_VERSION:
	case FIELD_ALLOCATOR:
	case FIELD_SHAPE:
		break;
	}
	return string_from_json(f, v, at);
}

int fields_from_json(const json_t *object, const struct field_table *t, void *record,
		     const char **ret_bad)
{
	for (size_t i = 0; i < t->nr; i++) {
		const json_t *v = json_object_get(object, t->rows[i].name);
		int err = v ? value_from_json(&t->rows[i], v, record) : -EINVAL;

		if (err) {
			*ret_bad = t->rows[i].name;
			return err;
		}
	}
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
		return json_pack("{s:[s,s], s:i}", "type", "integer", "null", "minimum", 0);
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
	else if (f->type == FIELD_TEXT || f->type == FIELD_WORDS || f->type == FIELD_VERSION ||
		 (f->type == FIELD_MAYBE && number(f, record) < 0))
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
