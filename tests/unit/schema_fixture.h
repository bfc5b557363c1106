/* SPDX-License-Identifier: MIT */
/* Whether a document follows the schema of this program. */
#ifndef PMT_TESTS_SCHEMA_FIXTURE_H
#define PMT_TESTS_SCHEMA_FIXTURE_H

#include "fixture.h"

#include "output/json.h"

#include <stdbool.h>

/* Enough of a JSON Schema validator for what json_schema() uses. */
static inline bool valid(const json_t *root, const json_t *schema, const json_t *v);

static inline bool type_matches(const char *type, const json_t *v)
{
	return strcmp(type, "object") == 0    ? json_is_object(v)
	       : strcmp(type, "array") == 0   ? json_is_array(v)
	       : strcmp(type, "string") == 0  ? json_is_string(v)
	       : strcmp(type, "integer") == 0 ? json_is_integer(v)
	       : strcmp(type, "boolean") == 0 ? json_is_boolean(v)
					      : json_is_null(v);
}

static inline bool valid_object(const json_t *root, const json_t *schema, const json_t *v)
{
	json_t *properties = json_object_get(schema, "properties"), *inner, *name;
	const char *key;
	size_t i;

	json_array_foreach (json_object_get(schema, "required"), i, name)
		if (!json_object_get(v, json_string_value(name)))
			return false;
	/* stricter than the standard: a member the schema does not know is a mistake of ours */
	json_object_foreach ((json_t *)v, key, inner)
		if (!valid(root, json_object_get(properties, key), inner))
			return false;
	return true;
}

static inline bool valid(const json_t *root, const json_t *schema, const json_t *v)
{
	const json_t *type = json_object_get(schema, "type"),
		     *any = json_object_get(schema, "anyOf");
	const json_t *constant = json_object_get(schema, "const"), *inner;
	const json_t *names = json_object_get(schema, "enum");
	const char *ref = json_string_value(json_object_get(schema, "$ref"));
	bool good = false;
	size_t i;

	if (!schema)
		return false;
	if (ref)
		return valid(
			root,
			json_object_get(json_object_get(root, "$defs"), ref + strlen("#/$defs/")),
			v);
	if (any) {
		json_array_foreach (any, i, inner)
			good |= valid(root, inner, v);
		return good;
	}
	if (constant)
		return json_equal(constant, v);
	if (names) {
		json_array_foreach (names, i, inner)
			good |= json_equal(inner, v);
		return good;
	}
	if (json_is_array(type))
		json_array_foreach (type, i, inner)
			good |= type_matches(json_string_value(inner), v);
	else
		good = type && type_matches(json_string_value(type), v);
	if (!good)
		return false;
	if (json_is_integer(v) && json_object_get(schema, "minimum") &&
	    json_integer_value(v) < json_integer_value(json_object_get(schema, "minimum")))
		return false;
	json_array_foreach (v, i, inner)
		if (!valid(root, json_object_get(schema, "items"), inner))
			return false;
	return !json_is_object(v) || valid_object(root, schema, v);
}

/* Of exactly one kind; *ret_kind: its place in the schema. Takes the document. */
static inline void check_document(json_t *doc, size_t *ret_kind)
{
	json_t *root = json_schema(), *kind;
	unsigned int matches = 0;
	size_t i;

	assert_non_null(doc);
	assert_non_null(root);
	json_array_foreach (json_object_get(root, "oneOf"), i, kind) {
		if (!valid(root, kind, doc))
			continue;
		matches++;
		*ret_kind = i;
	}
	if (matches != 1)
		fail_msg("%s: %u kinds of the schema match",
			 json_string_value(json_object_get(doc, "kind")), matches);
	json_decref(root);
	json_decref(doc);
}

#endif
