/* SPDX-License-Identifier: MIT */
/* Pieces that documents are put together from. */
#ifndef PMT_OUTPUT_JSON_RECORD_H
#define PMT_OUTPUT_JSON_RECORD_H

#include "output/fields.h"

#include <jansson.h>

/* Releases the object and returns NULL if anything on the way failed (err is not 0). */
json_t *json_checked(json_t *object, int err);

/* An object of every row of the table. NULL when memory ran out. */
json_t *json_record(const struct field_table *t, const void *record);

/* Every FIELD_U64 row of the table as b - a; others are left out. 0 or -ENOMEM */
int json_set_changes(json_t *o, const struct field_table *t, const void *a, const void *b);

#endif
