/* SPDX-License-Identifier: MIT */
/*
 * From JSON back into a record, by its field table. The document may be anyone's: a value of the
 * wrong type or out of its field's range is refused, never converted.
 */
#include "output/fields.h"

#include "model/cgroup.h"
#include "model/snapshot.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	case FIELD_KNOWN:
	case FIELD_LIMIT:
		break;
	}
	return -EINVAL;
}

static int known_from_json(const struct field *f, const json_t *v, uint64_t *at)
{
	const char *s = json_string_value(v);

	if (json_is_null(v))
		*at = CGROUP_UNKNOWN;
	else if (s && f->type == FIELD_LIMIT && !strcmp(s, FIELD_NO_LIMIT))
		*at = CGROUP_NO_LIMIT;
	else if (json_is_integer(v) && json_integer_value(v) >= 0)
		*at = (uint64_t)json_integer_value(v);
	else
		return -EINVAL;
	return 0;
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
	case FIELD_KNOWN:
	case FIELD_LIMIT:
		return known_from_json(f, v, (uint64_t *)at);
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
