/* SPDX-License-Identifier: MIT */
/* What schemas are made of. Each function owns the values it gets and returns a new reference. */
#ifndef PMT_OUTPUT_JSON_SCHEMA_H
#define PMT_OUTPUT_JSON_SCHEMA_H

#include "output/fields.h"

#include <jansson.h>
#include <stdbool.h>

/* A member of an object, which every such object has or may have. */
void schema_add(json_t *object_schema, const char *name, json_t *value);
void schema_add_optional(json_t *object_schema, const char *name, json_t *value);
/* Every row of a table as a member. */
void schema_merge(json_t *object_schema, const struct field_table *t, bool required);

json_t *schema_ref(const char *name); /* to one of $defs */
json_t *schema_or_null(json_t *schema);
json_t *schema_array_of(json_t *items);
json_t *schema_integer(const char *help);
json_t *schema_object(void);
json_t *schema_document(const char *kind);

/* In json_schema_profile.c: kind "profile"; and what it shares with others, to be put into $defs. */
json_t *schema_profile(void);
void schema_profile_definitions(json_t *defs);

json_t *schema_calls(void); /* in json_schema_calls.c */

/* In json_schema_explain.c. */
json_t *schema_explanation(void);
json_t *schema_explanation_diff(void);

#endif
