/* SPDX-License-Identifier: MIT */
#include "output/json_record.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

json_t *json_checked(json_t *object, int err)
{
	if (err) {
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *json_record(const struct field_table *t, const void *record)
{
	json_t *o = json_object();

	return json_checked(o, fields_to_json(o, t, record));
}

int json_set_changes(json_t *o, const struct field_table *t, const void *a, const void *b)
{
	for (size_t i = 0; i < t->nr; i++) {
		const struct field *f = &t->rows[i];
		uint64_t p, q;

		if (f->type != FIELD_U64)
			continue;
		memcpy(&p, (const char *)a + f->offset, sizeof(p));
		memcpy(&q, (const char *)b + f->offset, sizeof(q));
		if (json_object_set_new(o, f->name, json_integer((json_int_t)(q - p))))
			return -ENOMEM;
	}
	return 0;
}
